"""Where one message of a stream ends: SSE events (WHATWG HTML, 9.2) and newline-delimited JSON.

Both splitters take the bytes in whatever pieces the network delivers them and give back whole payloads.
A payload not yet ended when the stream ends is never given back: what may be half is not an answer.
After a `WireError` a splitter must not be fed again.
"""

from typing import Final

from orchestra_core.domain.fault import Fault, WireError
from orchestra_core.domain.outcome import Verdict

# An increment is some hundred bytes: a backend that sends this much without an end speaks another format.
LIMIT: Final = 1 << 20
_BOM: Final = b"\xef\xbb\xbf"


def _too_long(what: str, limit: int) -> WireError:
    message = f"the backend sent {what} longer than {limit} bytes"
    return WireError(Fault(Verdict.FAILED, 200, message))


class _Lines:
    """Cuts bytes into lines without their end, in time linear in the bytes however they arrive."""

    __slots__ = ("_limit", "_partial", "_size", "_what")

    def __init__(self, what: str, limit: int) -> None:
        self._what = what
        self._limit = limit
        self._partial: list[bytes] = []
        self._size = 0

    def cut(self, data: bytes) -> list[bytes]:
        """The lines `data` completes; a line over the limit raises as soon as that is known."""
        lines = data.split(b"\n")
        rest = lines.pop()
        if lines and self._partial:
            lines[0] = b"".join((*self._partial, lines[0]))
            self._partial.clear()
            self._size = 0
        if rest:
            self._partial.append(rest)
            self._size += len(rest)
        if self._size > self._limit or any(len(line) > self._limit for line in lines):
            raise _too_long(self._what, self._limit)
        return lines


class NdjsonSplitter:
    """One payload per line that is not blank."""

    __slots__ = ("_lines",)

    def __init__(self, limit: int = LIMIT) -> None:
        self._lines = _Lines("a line", limit)

    def feed(self, data: bytes) -> list[bytes]:
        return [line for raw in self._lines.cut(data) if (line := raw.strip())]


def error_data(value: bytes) -> bytes:
    """The `data` that stands for a field `error`: many builds of llama.cpp write one where a stream fails, and then its
    usual end.
    """
    return b'{"error":%b}' % value


class SseSplitter:
    """The `data` of each event that a blank line has ended; comments and other fields but `error` are skipped.

    Lines end in LF, CRLF or CR. Several `data` lines of one event are joined by LF, and together they may
    be as long as the limit. An event with an empty `data` line yields an empty payload.
    """

    __slots__ = ("_after_cr", "_data", "_first", "_limit", "_lines", "_size")

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._lines = _Lines("an event", limit)
        self._data: list[bytes] = []
        self._size = 0
        self._first = True
        self._after_cr = False

    def feed(self, data: bytes) -> list[bytes]:
        if self._after_cr or b"\r" in data:
            data = self._with_line_feeds(data)
        payloads: list[bytes] = []
        lines = self._lines.cut(data)
        if self._first and lines:
            self._first = False
            lines[0] = lines[0].removeprefix(_BOM)
        for line in lines:
            if line:
                self._field(line)
            elif self._data:
                payloads.append(b"\n".join(self._data) if len(self._data) > 1 else self._data[0])
                self._data.clear()
                self._size = 0
        return payloads

    def _with_line_feeds(self, data: bytes) -> bytes:
        """A CR at the end of one piece may be half of a CRLF, so the LF that follows it is dropped."""
        if self._after_cr and data:
            data = data.removeprefix(b"\n")
            self._after_cr = False
        if data:
            self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name == b"error":
            value = error_data(value)
        elif name != b"data":
            return
        value = value.removeprefix(b" ")
        self._size += len(value) + 1
        if self._size > self._limit + 1:
            raise _too_long("an event", self._limit)
        self._data.append(value)
