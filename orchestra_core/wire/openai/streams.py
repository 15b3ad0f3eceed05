"""Streamed answers in OpenAI's format (SSE): decoded, or relayed with as little reading as possible."""

from typing import Final

import msgspec

from orchestra_core.domain.call import Kind
from orchestra_core.domain.fault import Fault, WireError
from orchestra_core.domain.outcome import Verdict
from orchestra_core.domain.reply import Delta, Usage
from orchestra_core.wire.framing import LIMIT, SseSplitter, error_data
from orchestra_core.wire.openai.shapes import (
    Chunk,
    DeltaBody,
    ErrorBody,
    ToolCall,
    UsageBody,
    calls_body,
    chunk_body,
)

DONE: Final = b"[DONE]"
_END: Final = b"data: [DONE]"
_BOM: Final = b"\xef\xbb\xbf"
# Reads one event may take: putting an event together costs its length each time. 256 bytes each at the longest.
_MOST_PIECES: Final = 4096
# What decoding raises: msgspec's own errors are ValueErrors, and so is UnicodeDecodeError.
MALFORMED: Final = (ValueError, RecursionError)


def given(raw: msgspec.Raw) -> bool:
    """Whether a field was there and not null."""
    return bytes(raw) not in (b"", b"null")


def _decode(payload: bytes) -> Chunk:
    try:
        chunk = chunk_body.decode(payload)
    except MALFORMED as error:
        raise WireError(
            Fault(Verdict.FAILED, 200, f"the backend sent an event that is not a chunk: {error}")
        ) from error
    if given(chunk.error):
        raise WireError(Fault(Verdict.FAILED, 200, _error_text(chunk.error)))
    if not chunk.choices and chunk.usage is None and b'"message"' in payload:
        # Not within `error`, as servers do whose event is called so or whose object is.
        raise WireError(Fault(Verdict.FAILED, 200, _error_text(msgspec.Raw(payload))))
    return chunk


def read_calls(fragment: msgspec.Raw) -> list[ToolCall]:
    """The fragments of one increment; WireError if they cannot be joined with others."""
    try:
        return calls_body.decode(fragment)
    except MALFORMED as error:
        raise WireError(
            Fault(Verdict.FAILED, 200, f"the backend sent a tool call that is none: {error}")
        ) from error


def _error_text(raw: msgspec.Raw) -> str:
    try:
        return msgspec.json.decode(raw, type=ErrorBody).message
    except MALFORMED:
        return bytes(raw)[:300].decode("utf-8", "replace")


def usage_of(body: UsageBody) -> Usage:
    details = body.prompt_tokens_details
    return Usage(
        body.prompt_tokens or 0,
        body.completion_tokens or 0,
        0 if details is None else details.cached_tokens or 0,
    )


def _deltas(chunk: Chunk) -> list[Delta]:
    found = []
    for choice in chunk.choices:
        delta = choice.delta or DeltaBody()
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
        if self.done:
            return found
        for payload in self._events.feed(data):
            if payload == DONE:
                self.done = True
                break
            chunk = _decode(payload)
            if chunk.usage is not None:
                self.usage = usage_of(chunk.usage)
            for delta in _deltas(chunk):
                self.finish = delta.finish or self.finish
                if delta.tool_calls is not None:
                    read_calls(delta.tool_calls)
                found.append(delta)
        return found


class Relay:
    """Passes whole events on as the bytes they came in, reading only what accounting and safety need.

    Per piece that is four substring searches; an event is decoded only until the first token, and when it
    carries usage, a finish reason or an error. `started` turns true at the first token. A piece that ends
    inside an event keeps the rest back, so that a cut stream always ends at an event border.
    """

    __slots__ = (
        "_keep_usage",
        "_pieces",
        "_reads",
        "_size",
        "_splitter",
        "done",
        "events",
        "finish",
        "started",
        "usage",
    )

    def __init__(self, *, keep_usage: bool) -> None:
        self._keep_usage = keep_usage
        self._pieces: list[bytes] = []
        self._size = 0
        self._reads = 0
        self._splitter: SseSplitter | None = None
        self.started = False
        self.done = False
        self.events = 0
        self.usage: Usage | None = None
        self.finish: str | None = None

    def feed(self, data: bytes) -> bytes:
        """The bytes to pass on now. Raises WireError on an error event or on what is not SSE of chunks."""
        if self._pieces or not data.endswith(b"\n\n"):
            data = self._whole_events(data)
        if self._splitter is not None or b"\r" in data:
            data = self._unify(data)
        if not data or self.done:
            return b""
        if (
            self.started
            and data.startswith(b"data: {")
            and data.endswith(b"}\n\n")
            and b'"usage":{' not in data
            and b'"finish_reason":"' not in data
            and b"[DONE]" not in data
            and b'"error"' not in data
            and b'": ' not in data[:64]
        ):
            events = data.count(b"\n\n")
            if events == 1 or data.count(b"}\n\ndata: {") == events - 1:
                self.events += events
                return data
        return self._read(data)

    def _whole_events(self, data: bytes) -> bytes:
        """What is complete of the bytes so far; the rest is kept. Lines that end in CR are cut by `_unify`."""
        self._pieces.append(data)
        self._size += len(data)
        if b"\n" in data or b"\r" in data:
            data = b"".join(self._pieces)
            splits = b"\r" in data or self._splitter is not None
            border = len(data) if splits else data.rfind(b"\n\n") + 2
            if splits or border > 1:
                rest = data[border:]
                self._pieces = [rest] if rest else []
                self._size, self._reads = len(rest), 0
                return data[:border]
        self._reads += 1
        if self._size > LIMIT or self._reads > _MOST_PIECES:
            what = f"longer than {LIMIT} bytes" if self._size > LIMIT else f"in over {_MOST_PIECES} pieces"
            raise WireError(Fault(Verdict.FAILED, 200, f"the backend sent an event {what}"))
        return b""

    def _unify(self, data: bytes) -> bytes:
        """Streams with CR line ends are rare: they are split and written anew with LF."""
        if self._splitter is None:
            self._splitter = SseSplitter()
        return b"".join(
            b"data: %b\n\n" % payload.replace(b"\n", b"\ndata: ") for payload in self._splitter.feed(data)
        )

    def _read(self, data: bytes) -> bytes:
        if not self.started:
            data = data.removeprefix(_BOM)
        passed = [event for event in data.split(b"\n\n") if event and self._event(event)]
        if self.done and passed:
            # However it was spelled: whoever holds the end of an answer back knows it by these bytes.
            passed[-1] = _END
        return b"".join([event + b"\n\n" for event in passed])

    def _event(self, event: bytes) -> bool:
        """Whether the client gets this event: nothing after the end, and no comments before the first token."""
        if self.done:
            return False
        payload = b"\n".join(
            line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:")
        )
        if not payload:
            if not event.startswith(b"error:"):
                return self.started
            payload = error_data(event[6:])
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
            self.usage = usage_of(chunk.usage)
            return self._keep_usage or bool(chunk.choices)
        return True
