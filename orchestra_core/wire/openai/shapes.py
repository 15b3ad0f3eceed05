"""Shapes of what backends answer, and their decoders; apart from what reads them so that that can be compiled.

What is decoded holds no cycles, so the collector need not know of it.
"""

import msgspec

# A Raw field takes any JSON only when it is no union, so that absence is empty bytes, not None.
NOTHING = msgspec.Raw(b"")


class UsageBody(msgspec.Struct, gc=False):
    class Details(msgspec.Struct, gc=False):
        cached_tokens: int | None = None

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: Details | None = None


class ToolFunction(msgspec.Struct, omit_defaults=True, gc=False):
    name: str | None = None
    arguments: str | None = None


class ToolCall(msgspec.Struct, omit_defaults=True, gc=False):
    """A fragment of a call."""

    index: int | None = None
    id: str | None = None
    type: str | None = None
    function: ToolFunction | None = None


class DeltaBody(msgspec.Struct, gc=False):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: msgspec.Raw = NOTHING


class ChunkChoice(msgspec.Struct, gc=False):
    index: int = 0
    delta: DeltaBody | None = None
    text: str | None = None
    finish_reason: str | None = None


class Chunk(msgspec.Struct, gc=False):
    choices: list[ChunkChoice] = []
    usage: UsageBody | None = None
    error: msgspec.Raw = NOTHING


class ErrorBody(msgspec.Struct, gc=False):
    message: str = ""


chunk_body = msgspec.json.Decoder(Chunk)
calls_body = msgspec.json.Decoder(list[ToolCall])


class MessageBody(msgspec.Struct, gc=False):
    content: str | None = None
    reasoning_content: str | None = None
    tool_calls: msgspec.Raw = NOTHING


class AnswerChoice(msgspec.Struct, gc=False):
    index: int = 0
    message: MessageBody | None = None
    text: str | None = None
    finish_reason: str | None = None


class Answer(msgspec.Struct, gc=False):
    choices: list[AnswerChoice]
    usage: UsageBody | None = None


class TallyBody(msgspec.Struct, gc=False):
    class Choice(msgspec.Struct, gc=False):
        finish_reason: str | None = None

    choices: list[Choice] = []
    data: list[msgspec.Raw] = []
    usage: UsageBody | None = None


class EmbeddingsBody(msgspec.Struct, gc=False):
    class Item(msgspec.Struct, gc=False):
        embedding: tuple[float, ...]
        index: int = 0

    data: list[Item]
    usage: UsageBody | None = None


class Detail(msgspec.Struct, gc=False):
    message: str = ""
    type: str | None = None
    code: str | int | None = None


class ErrorAnswer(msgspec.Struct, gc=False):
    error: Detail | str = ""
    message: str = ""


class Identity(msgspec.Struct, gc=False):
    id: str = ""
    model: str = ""
    created: int = 0


answer_body = msgspec.json.Decoder(Answer)
tally_body = msgspec.json.Decoder(TallyBody)
embeddings_body = msgspec.json.Decoder(EmbeddingsBody)
error_body = msgspec.json.Decoder(ErrorAnswer)
