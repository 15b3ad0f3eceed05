"""The native surface, `/api/v1` of api.md: requests in, answers and stream events out."""

from typing import Annotated, Literal, TypeVar

import msgspec

from orchestra_core.domain.auto import read_model, task_named
from orchestra_core.domain.call import Call, Kind, Level, Requirements, Task
from orchestra_core.domain.errors import InvalidRequest
from orchestra_core.domain.outcome import Outcome
from orchestra_core.wire.bodies import (
    Cost,
    Temperature,
    Tokens,
    decode,
    has_images,
    last_user_text,
    raw_object,
    refuse_many_parts,
)
from orchestra_core.wire.messages import Message
from orchestra_core.wire.strict import LARGE, refuse_crowd, refuse_many, refuse_odd

T = TypeVar("T")
# More than any answer takes; who wants the model gone sooner says so.
LONGEST_DRAIN = 600.0
LONGEST_TRIP = 86_400.0
PRIORITIES = {"low": -1, "normal": 0, "high": 1}


class _Requirements(msgspec.Struct, forbid_unknown_fields=True):
    speed: Level | None = None
    quality: Level | None = None
    max_tokens: Tokens | None = None
    max_cost: Cost | None = None


class _Selection(msgspec.Struct, forbid_unknown_fields=True):
    task: str
    requirements: _Requirements | None = None
    prompt: str | None = None


class _Route(msgspec.Struct, forbid_unknown_fields=True):
    prompt: str | None = None
    messages: list[Message] | None = None
    task: str | None = None
    max_tokens: Tokens | None = None
    temperature: Temperature | None = None
    requirements: _Requirements | None = None
    model: str | None = None
    stream: bool = False
    priority: Literal["low", "normal", "high"] = "normal"
    deadline_ms: Tokens | None = None
    max_cost: Cost | None = None


class LoadWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of load. `backend` None: the best place for it; `dry_run`: only say what would be done."""

    backend: str | None = None
    dry_run: bool = False


class UnloadWish(LoadWish, frozen=True, forbid_unknown_fields=True):
    """The body of unload. `drain_seconds` and `force` are what a busy model takes: see server.ports.Operate."""

    drain_seconds: Annotated[float, msgspec.Meta(ge=0, le=LONGEST_DRAIN)] | None = None
    force: bool = False


class TripWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of trip. `seconds` None: until reset."""

    reason: str = ""
    seconds: Annotated[float, msgspec.Meta(ge=1, le=LONGEST_TRIP)] | None = None


class RestartWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of restart. What runs may finish for `drain_seconds`; None: it is refused while anything runs."""

    drain_seconds: Annotated[float, msgspec.Meta(ge=0, le=LONGEST_DRAIN)] | None = None


class _Reason(msgspec.Struct, forbid_unknown_fields=True):
    reason: str = ""


_selection = msgspec.json.Decoder(_Selection)
_route = msgspec.json.Decoder(_Route)
_load = msgspec.json.Decoder(LoadWish)
_unload = msgspec.json.Decoder(UnloadWish)
_trip = msgspec.json.Decoder(TripWish)
_restart = msgspec.json.Decoder(RestartWish)
_reason = msgspec.json.Decoder(_Reason)
_NONE = frozenset[str]()
_TEXTS = ("prompt", "messages")


def _requirements(given: _Requirements | None, max_cost: float | None, asked: Requirements) -> Requirements:
    wanted = given or _Requirements()
    return Requirements(
        wanted.speed or asked.speed,
        wanted.quality or asked.quality,
        wanted.max_tokens,
        wanted.max_cost if max_cost is None else max_cost,
    )


def read_selection(body: bytes, call_id: str, now: float) -> Call:
    """POST /api/v1/select-model: a call that is planned and not sent."""
    wanted = decode(_selection, body)
    refuse_odd(body, decode(raw_object, body), _TEXTS)
    task = task_named(wanted.task)
    requirements = _requirements(wanted.requirements, None, Requirements())
    prompt = wanted.prompt or ""
    return Call(
        id=call_id,
        kind=Kind.EMBEDDING if task is Task.EMBEDDING else Kind.CHAT,
        fields={},
        received=now,
        task=task,
        requirements=requirements,
        text=prompt[-2048:],
        characters=len(prompt),
        max_tokens=requirements.max_tokens,
        needs=frozenset({"vision"}) if task is Task.VISION else _NONE,
    )


def read_route(body: bytes, call_id: str, now: float, key: str = "") -> Call:
    """POST /api/v1/route. `now` is monotonic seconds, `key` whom it is counted for."""
    if len(body) > LARGE:
        refuse_crowd(body)
    wanted = decode(_route, body)
    messages = _messages(wanted, body)
    refuse_odd(body, decode(raw_object, body), _TEXTS)
    task = task_named(wanted.task) if wanted.task is not None else None
    if task is Task.EMBEDDING:
        raise InvalidRequest(
            "embeddings are at POST /v1/embeddings; /api/v1/route answers with text", param="task"
        )
    asked = read_model(wanted.model)
    requirements = _requirements(wanted.requirements, wanted.max_cost, asked.requirements)
    fields: dict[str, object] = {"messages": messages}
    limit = wanted.max_tokens or requirements.max_tokens
    if limit is not None:
        fields["max_tokens"] = limit
    if wanted.temperature is not None:
        fields["temperature"] = wanted.temperature
    sees = has_images(wanted.messages) if wanted.messages else False
    return Call(
        id=call_id,
        kind=Kind.CHAT,
        fields=fields,
        received=now,
        key=key,
        model=asked.model,
        task=task or asked.task,
        stream=wanted.stream,
        wants_usage=True,
        text=wanted.prompt[-2048:] if wanted.prompt is not None else last_user_text(wanted.messages or []),
        characters=len(body),
        max_tokens=limit,
        prompt_field="prompt" if wanted.prompt is not None else "messages",
        needs=frozenset({"vision"}) if sees else _NONE,
        requirements=requirements,
        deadline=now + wanted.deadline_ms / 1000 if wanted.deadline_ms is not None else None,
        priority=PRIORITIES[wanted.priority],
        repeatable=wanted.temperature == 0,
    )


def _messages(wanted: _Route, body: bytes) -> object:
    if (wanted.prompt is None) == (wanted.messages is None):
        raise InvalidRequest("send either `prompt` or `messages`", param="prompt")
    if wanted.prompt is not None:
        if not wanted.prompt.strip():
            raise InvalidRequest("field `prompt` must not be empty", param="prompt")
        return [{"role": "user", "content": wanted.prompt}]
    if not wanted.messages:
        raise InvalidRequest("field `messages` must not be empty", param="messages")
    refuse_many("messages", wanted.messages)
    if len(body) > LARGE:
        refuse_many_parts(wanted.messages)
    return decode(raw_object, body)["messages"]


def read_reason(body: bytes) -> str:
    """The optional body of an operator's verb: why; "" where it is not said."""
    return decode(_reason, body).reason[:200] if body.strip() else ""


def read_trip(body: bytes) -> TripWish:
    """The optional body of trip; its reason cut like every one."""
    wish = _wish(_trip, body) if body.strip() else TripWish()
    return msgspec.structs.replace(wish, reason=wish.reason[:200])


def read_restart(body: bytes) -> RestartWish:
    """The optional body of restart."""
    return _wish(_restart, body) if body.strip() else RestartWish()


def read_load(body: bytes) -> LoadWish:
    """The optional body of load."""
    return _wish(_load, body) if body.strip() else LoadWish()


def read_unload(body: bytes) -> UnloadWish:
    """The optional body of unload."""
    return _wish(_unload, body) if body.strip() else UnloadWish()


def _wish(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    wish = decode(decoder, body)
    refuse_odd(body, decode(raw_object, body))
    return wish


class Metrics(msgspec.Struct, frozen=True):
    """`cache` is hit, shared or miss, null where the cache had no part; `saved` what a hit would have cost again."""

    response_time_ms: int
    tokens_generated: int
    tokens_prompt: int
    tokens_cached: int
    tokens_estimated: bool
    time_to_first_token_ms: int | None
    tokens_per_second: float | None
    cost: float | None
    attempts: int
    cache: str | None = None
    age_seconds: int | None = None
    saved: float | None = None


class Answer(msgspec.Struct, frozen=True):
    """The answer of `/route`; also the `done` event of its stream.

    `continued`: the stream of one endpoint died, and another endpoint of the same model went on with the text.
    """

    response: str
    model_used: str
    backend: str
    task: str
    finish_reason: str | None
    metrics: Metrics
    timestamp: str
    request_id: str
    decision_id: str
    reasoning: str
    degraded: bool
    continued: bool = False


def metrics_of(
    outcome: Outcome,
    *,
    seconds: float,
    cost: float | None,
    attempts: int,
    cache: str = "",
    age: int | None = None,
    saved: float | None = None,
) -> Metrics:
    """`seconds` is what the client waited in all; the speed is that of the generation alone."""
    usage = outcome.usage
    first = outcome.first_token
    writing = outcome.seconds - first if first is not None else 0.0
    return Metrics(
        response_time_ms=round(seconds * 1000),
        tokens_generated=usage.completion,
        tokens_prompt=usage.prompt,
        tokens_cached=usage.cached,
        tokens_estimated=usage.estimated,
        time_to_first_token_ms=None if first is None else round((seconds - outcome.seconds + first) * 1000),
        tokens_per_second=round((usage.completion - 1) / writing, 1)
        if writing > 0 and usage.completion > 1
        else None,
        cost=cost,
        attempts=attempts,
        cache=cache or None,
        age_seconds=age,
        saved=saved,
    )


def event(name: str, value: object) -> bytes:
    """One named server-sent event."""
    return b"event: %b\ndata: %b\n\n" % (name.encode("ascii"), msgspec.json.encode(value))
