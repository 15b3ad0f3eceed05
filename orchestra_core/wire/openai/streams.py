"""Streamed answers in OpenAI's format (SSE): decoded, or relayed with as little reading as possible."""

import msgspec

from orchestra_core.domain.call import Kind
from orchestra_core.domain.fault import Fault, WireError
from orchestra_core.domain.outcome import Verdict
from orchestra_core.domain.reply import Delta, Usage
from orchestra_core.wire.framing import LIMIT, SseSplitter

DONE = b"[DONE]"
# A Raw field takes any JSON only when it is no union, so that absence is empty bytes, not None.
NOTHING = msgspec.Raw(b"")


class UsageBody(msgspec.Struct):
    class Details(msgspec.Struct):
        cached_tokens: int | None = None

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: Details | None = None

    def usage(self) -> Usage:
        details = self.prompt_tokens_details
        return Usage(
            self.prompt_tokens or 0,
            self.completion_tokens or 0,
            (details.cached_tokens or 0) if details else 0,
        )


class _Delta(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: msgspec.Raw = NOTHING


class _Choice(msgspec.Struct):
    index: int = 0
    delta: _Delta | None = None
    text: str | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] = []
    usage: UsageBody | None = None
    error: msgspec.Raw = NOTHING


class _ErrorBody(msgspec.Struct):
    message: str = ""


_chunk = msgspec.json.Decoder(_Chunk)


def given(raw: msgspec.Raw) -> bool:
    """Whether a field was there and not null."""
    return bytes(raw) not in (b"", b"null")


def _decode(payload: bytes) -> _Chunk:
    try:
        chunk = _chunk.decode(payload)
    except (msgspec.DecodeError, RecursionError) as error:
        raise WireError(
            Fault(Verdict.FAILED, 200, f"the backend sent an event that is not a chunk: {error}")
        ) from error
    if given(chunk.error):
        raise WireError(Fault(Verdict.FAILED, 200, _error_text(chunk.error)))
    return chunk


def _error_text(raw: msgspec.Raw) -> str:
    try:
        return msgspec.json.decode(raw, type=_ErrorBody).message
    except msgspec.DecodeError:
        return bytes(raw)[:300].decode("utf-8", "replace")


def _deltas(chunk: _Chunk) -> list[Delta]:
    found = []
    for choice in chunk.choices:
        delta = choice.delta or _Delta()
        calls = delta.tool_calls if given(delta.tool_calls) else None
        text = delta.content or choice.text or ""
        reasoning = delta.reasoning_content or delta.reasoning or ""
        if text or reasoning or calls is not None or choice.finish_reason:
            found.append(Delta(text, reasoning, calls, choice.finish_reason, choice.index))
    return found


class StreamReader:
    """Decodes every event; `done` tells that `[DONE]` was seen."""

    __slots__ = ("_events", "done", "finish", "usage")

    def __init__(self, kind: Kind) -> None:  # noqa: ARG002  one signature for all formats; chunks tell by themselves
        self._events = SseSplitter()
        self.done = False
        self.usage: Usage | None = None
        self.finish: str | None = None

    def feed(self, data: bytes) -> list[Delta]:
        found: list[Delta] = []
        for payload in self._events.feed(data):
            if payload == DONE:
                self.done = True
                continue
            chunk = _decode(payload)
            if chunk.usage is not None:
                self.usage = chunk.usage.usage()
            for delta in _deltas(chunk):
                self.finish = delta.finish or self.finish
                found.append(delta)
        return found


class Relay:
    """Passes whole events on as the bytes they came in, reading only what accounting and safety need.

    Per piece that is four substring searches; an event is decoded only until the first token, and when it
    carries usage, a finish reason or an error. `started` turns true at the first token. A piece that ends
    inside an event keeps the rest back, so that a cut stream always ends at an event border.
    """

    __slots__ = ("_keep_usage", "_rest", "_splitter", "done", "events", "finish", "started", "usage")

    def __init__(self, *, keep_usage: bool) -> None:
        self._keep_usage = keep_usage
        self._rest = b""
        self._splitter: SseSplitter | None = None
        self.started = False
        self.done = False
        self.events = 0
        self.usage: Usage | None = None
        self.finish: str | None = None

    def feed(self, data: bytes) -> bytes:
        """The bytes to pass on now. Raises WireError on an error event or on what is not SSE of chunks."""
        if self._rest:
            data = self._rest + data
            self._rest = b""
        if self._splitter is not None or b"\r" in data:
            data = self._unify(data)
        elif not data.endswith(b"\n\n"):
            border = data.rfind(b"\n\n") + 2
            data, self._rest = (data[:border], data[border:]) if border > 1 else (b"", data)
            if len(self._rest) > LIMIT:
                raise WireError(
                    Fault(Verdict.FAILED, 200, f"the backend sent an event longer than {LIMIT} bytes")
                )
        if not data:
            return data
        if (
            self.started
            and b'"usage":{' not in data
            and b'"finish_reason":"' not in data
            and b"[DONE]" not in data
            and b'"error"' not in data
            and b'": ' not in data[:64]
        ):
            self.events += data.count(b"\n\n")
            return data
        return self._read(data)

    def _unify(self, data: bytes) -> bytes:
        """Streams with CR line ends are rare: they are split and written anew with LF."""
        if self._splitter is None:
            self._splitter = SseSplitter()
        return b"".join(b"data: %b\n\n" % payload for payload in self._splitter.feed(data))

    def _read(self, data: bytes) -> bytes:
        return b"".join([event + b"\n\n" for event in data.split(b"\n\n") if event and self._event(event)])

    def _event(self, event: bytes) -> bool:
        """Whether the client gets this event."""
        payload = b"\n".join(
            line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:")
        )
        if not payload:
            return True
        if payload == DONE:
            self.done = True
            return True
        chunk = _decode(payload)
        deltas = _deltas(chunk)
        if deltas:
            self.started = True
            self.events += 1
            self.finish = deltas[-1].finish or self.finish
        if chunk.usage is not None:
            self.usage = chunk.usage.usage()
            return self._keep_usage or bool(chunk.choices)
        return True
