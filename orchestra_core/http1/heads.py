"""Rendering of message heads; both roles, no I/O.

Values are checked for CR, LF and NUL where they enter (configuration, header allow-lists), because a check
on every head would cost more than rendering it.
"""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

_REASONS: Final = {status.value: status.phrase for status in HTTPStatus} | {499: "Client Closed Request"}
_STATUS_LINES: Final = {code: f"HTTP/1.1 {code} {phrase}\r\n" for code, phrase in _REASONS.items()}
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK: Final = b"0\r\n\r\n"
# Events of a stream are shorter: to look their size lines up takes two thirds of rendering the whole chunk.
_USUAL: Final = 1024
_SIZES: Final = tuple(b"%x\r\n" % size for size in range(_USUAL))

Pair = tuple[str, str]
# Header fields, or the lines of them already rendered: what is the same for many answers is rendered once.
Headers = Iterable[Pair] | str
_CLOSE: Final = ("", "connection: close\r\n")


def lines(headers: Headers) -> str:
    """Header lines, each with its end."""
    if isinstance(headers, str):
        return headers
    return "".join([f"{name}: {value}\r\n" for name, value in headers])


def response_head(
    status: int, headers: Headers, content_type: str, date: str, length: int | None, close: bool
) -> bytes:
    """A response head up to and including the blank line. `length` None means a chunked body."""
    framing = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
    if not isinstance(headers, str):
        headers = lines(headers)
    first = _STATUS_LINES.get(status) or f"HTTP/1.1 {status} Unknown\r\n"
    head = f"{first}{date}{headers}content-type: {content_type}\r\n{framing}\r\n{_CLOSE[close]}\r\n"
    return head.encode("latin-1")


def request_start(method: str, target: str, fixed: bytes) -> bytes:
    """A request head up to the digits of its Content-Length; `fixed` are the lines that do not change for a backend."""
    return b"%b%bcontent-length: " % (f"{method} {target} HTTP/1.1\r\n".encode("ascii"), fixed)


def fixed_headers(host: str, headers: Iterable[Pair]) -> bytes:
    """The constant header lines of requests to one backend, each ended, ready for `request_start`.

    Accept-Encoding identity: a compressed answer could not be scanned or bounded (reliability: zip bombs).
    """
    fields = [("host", host), ("accept-encoding", "identity"), ("content-type", "application/json"), *headers]
    for name, value in fields:
        if any(ord(char) < 32 or ord(char) == 127 for char in name + value):
            raise ValueError(f"header {name!r} has a control character")
    return lines(fields).encode("latin-1")


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body; empty data would end the body, so it renders as nothing."""
    size = len(data)
    if not size:
        return b""
    return (_SIZES[size] if size < _USUAL else b"%x\r\n" % size) + data + b"\r\n"
