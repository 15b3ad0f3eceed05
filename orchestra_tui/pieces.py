"""The pieces of a streamed answer, as the engine sends them."""

import msgspec


class Started(msgspec.Struct, frozen=True):
    request_id: str = ""
    model: str = ""
    backend: str = ""
    decision_id: str = ""
    reasoning: str = ""


class Token(msgspec.Struct, frozen=True):
    text: str = ""


class AnswerMetrics(msgspec.Struct, frozen=True):
    tokens_generated: int | None = None
    tokens_prompt: int | None = None
    time_to_first_token_ms: float | None = None
    response_time_ms: float | None = None
    cost: float | None = None


class Done(msgspec.Struct, frozen=True):
    """The end of a streamed answer."""

    model_used: str = ""
    backend: str = ""
    reasoning: str = ""
    degraded: bool = False
    metrics: AnswerMetrics = AnswerMetrics()


class Failed(msgspec.Struct, frozen=True):
    message: str
    code: str = ""


Piece = Started | Token | Done | Failed
