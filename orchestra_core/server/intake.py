"""Bytes into requests: feeds the parser and holds every bound on what a client may send.

Theory of operation. A whole request whose head was seen before is not parsed again (`Known`). httptools cannot
pause, so bytes are fed in pieces, and what breaks a bound raises from inside a callback, which ends parsing at
once (measured: one 256 KiB read can hold 10,000 requests). Pieces are cut so that no head can be longer than its
limit without being seen, however the bytes came. Where a message begins in the middle of a piece (pipelining), its
raw count starts with the next piece: at most 64 KiB late, and its request line is not checked for blanks.
"""

import asyncio
import logging
from abc import abstractmethod
from typing import Final, NamedTuple

import httptools

from orchestra_core.http1.checks import (
    Limits,
    Refusal,
    check_field,
    check_head,
    check_overhead,
    check_start,
    origin_form,
    too_large,
)
from orchestra_core.http1.known import Key, Known, Seen, again, whole
from orchestra_core.http1.outgoing import Outgoing
from orchestra_core.server.exchange import Request
from orchestra_core.server.room import Room

log = logging.getLogger(__name__)
_SLICE: Final = 65536
_NO_HEADERS: Final[dict[bytes, bytes]] = {}
_HEAD_TOO_LARGE: Final = Refusal(431, "head_too_large", "the request head is too large")
_TRAILERS_TOO_LARGE: Final = Refusal(431, "trailers_too_large", "the trailer section is too large")
_ENDLESS: Final = Refusal(400, "chunk_overhead", "a chunk-size line or a trailer does not end")
_TINY_CHUNKS: Final = Refusal(400, "tiny_chunks", "the body is cut into too many chunks")
_MALFORMED: Final = Refusal(400, "malformed_request", "the request is not valid HTTP/1.1")
_INTERNAL: Final = Refusal(500, "internal_error", "internal error")


class Head(NamedTuple):
    """What a request head said, once it passed every check; shared by all requests with that head."""

    method: str
    path: str
    query: str
    headers: dict[bytes, bytes]
    keep_alive: bool
    chunked: bool


class _Refused(Exception):
    """Raised inside a parser callback to stop parsing at once."""


class Intake(asyncio.Protocol):
    """The reading half of a connection.

    `phase`: fresh (no byte yet), idle (between requests), head, body, closing (nothing more is parsed), lost.
    `since` is when the phase began, in loop seconds.
    """

    __slots__ = (
        "_at_start",
        "_begun",
        "_body",
        "_body_raw",
        "_body_size",
        "_chunks",
        "_extra",
        "_full",
        "_head_raw",
        "_headers",
        "_held",
        "_key",
        "_known",
        "_last",
        "_limits",
        "_loop",
        "_method",
        "_parser",
        "_quiet",
        "_room",
        "_seen",
        "_start",
        "_task",
        "_trailer_size",
        "_url",
        "_version",
        "_wide",
        "peer",
        "phase",
        "since",
        "transport",
    )
    transport: Outgoing

    def __init__(
        self, loop: asyncio.AbstractEventLoop, limits: Limits, room: Room, known: Known[Head]
    ) -> None:
        self._loop = loop
        self._limits = limits
        self._room = room
        self._known = known
        self._key: Key | None = None
        self._seen: Seen[Head] | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._task: asyncio.Task[None] | None = None
        self.phase = "fresh"
        self.since = self._last = loop.time()
        self.peer = ""
        self._url = self._start = b""
        self._method = self._version = ""
        self._headers = _NO_HEADERS
        self._body: bytes | bytearray | None = None
        # Bytes and events of the message at hand; `_held` is its share of the room's bytes.
        self._begun = self._extra = self._head_raw = self._quiet = 0
        self._body_raw = self._body_size = self._chunks = self._trailer_size = self._held = 0
        self._at_start = True
        self._wide = self._full = False

    @abstractmethod
    def _arrived(self, head: Head, body: bytes) -> None:
        """A complete request; answers go out in the order of arrival."""

    @abstractmethod
    def _drain(self, size: int) -> None:
        """Bytes after the end of what is parsed."""

    @abstractmethod
    def _reject(self, refusal: Refusal) -> None:
        """Answers once, after what arrived before, and closes; sets the phase to closing."""

    @abstractmethod
    def _last_of_connection(self) -> None:
        """The newest request is the last one."""

    @abstractmethod
    def _invite_body(self) -> bool:
        """The client waits for 100 Continue before it sends its body. False: it is answered without one."""

    # -- bytes -----------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self.phase in ("closing", "lost"):
            self._drain(len(data))
            return
        try:
            if self._at_start and self._task is None and not self._start and self._is_known(data):
                return
            self._feed(data)
            self._key = None
        except httptools.HttpParserUpgrade:
            # What follows is in a protocol we do not speak: the request is answered, the rest never parsed.
            self._last_of_connection()
        except httptools.HttpParserError as error:
            self._broken(error)
        except _Refused:
            pass

    def _is_known(self, data: bytes) -> bool:
        """Serves a whole request whose head has been parsed before; else notes the key to keep it under."""
        seen = self._seen
        start = again(data, seen[0], seen[1]) if seen is not None else 0
        if not start:
            found = whole(data)
            if found is None:
                return False
            key, start = found
            seen = self._seen = self._known.get(key)
            if seen is None:
                self._key = key
                return False
        assert seen is not None
        head = seen[2]
        body = data[start:]
        if len(body) > self._limits.small_body:
            self._hold(len(body))
            self._held = 0
        self.phase = "idle" if head.keep_alive else "closing"
        self._arrived(head, body)
        return True

    def forget_head(self) -> None:
        """The one it would know its next request by."""
        self._seen = None

    def _broken(self, error: httptools.HttpParserError) -> None:
        if self.phase == "closing":
            return  # our own refusal, or bytes after the last request
        if isinstance(error, httptools.HttpParserCallbackError):
            log.error("error while reading a request", exc_info=error.__context__)
            self._reject(_INTERNAL)
        else:
            self._reject(_MALFORMED)

    def _feed(self, data: bytes) -> None:
        at, end = 0, len(data)
        view: bytes | memoryview = data
        while at < end and self.phase != "closing":
            if self._at_start:
                self._check_start(data[at : at + self._limits.request_line])
            room = _SLICE if self.phase == "body" else self._limits.head
            if self.phase == "head":
                room -= self._head_raw
            if end - at > room and isinstance(view, bytes):
                view = memoryview(data)
            self._feed_piece(view if end <= room and not at else view[at : at + room])
            at += room

    def _feed_piece(self, piece: bytes | memoryview) -> None:
        was_body, began = self.phase == "body", 0 if self.phase in ("head", "body") else 1
        self._begun = 0
        self._wide = self._head_raw + len(piece) > self._limits.field
        self._parser.feed_data(piece)
        if self.phase == "head":
            if self._begun == began:
                self._count_head(len(piece))
        elif self.phase == "body":
            self._last = self._loop.time()
            if not was_body or self._begun:
                self.since = self._last
            else:
                self._count_body(len(piece))

    def _count_head(self, size: int) -> None:
        self._head_raw += size
        if self._head_raw >= self._limits.head:
            self._stop(_HEAD_TOO_LARGE)

    def _count_body(self, size: int) -> None:
        if b"transfer-encoding" not in self._headers:
            return
        self._body_raw += size
        self._quiet += size
        if self._quiet > self._limits.field + _SLICE:
            self._stop(_ENDLESS)
        refusal = check_overhead(self._body_raw, self._body_size, self._limits)
        if refusal is not None:
            self._stop(refusal)

    def _check_start(self, data: bytes) -> None:
        self._start += data
        verdict = check_start(self._start, self._limits)
        if verdict is False:
            return
        self._at_start, self._start = False, b""
        if isinstance(verdict, Refusal):
            self._stop(verdict)

    def _stop(self, refusal: Refusal) -> None:
        self._reject(refusal)
        raise _Refused

    # -- what the parser finds -------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._full:
            self._stop(Refusal(429, "too_many_pipelined", "too many requests sent before their answers"))
        if not self._start:
            self._at_start = False
        self._begun += 1
        self._head_raw = 0
        self._headers = {}
        self.phase, self.since = "head", self._loop.time()

    def on_url(self, url: bytes) -> None:
        self._url += url
        if len(self._url) > self._limits.request_line:
            self._stop(
                Refusal(414, "uri_too_long", f"the request line is over {self._limits.request_line} bytes")
            )

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.phase == "body":
            self._on_trailer(len(name) + len(value))
            return
        name = name.lower()
        headers = self._headers
        if b"_" in name or name in headers:
            refusal = check_field(name, headers)
            if refusal is not None:
                self._stop(refusal)
            self._extra += 1
            value = headers[name] + b", " + value
        headers[name] = value

    def _on_trailer(self, size: int) -> None:
        """Trailers are discarded, never merged (RFC 9112 section 7.1.2), and cost what headers cost."""
        self._quiet = 0
        self._extra += 1
        self._trailer_size += size + 4
        if self._extra > self._limits.fields or self._trailer_size > self._limits.head:
            self._stop(_TRAILERS_TOO_LARGE)

    def on_headers_complete(self) -> None:
        self.phase = "body"
        headers = self._headers
        if self._wide or len(headers) + self._extra > self._limits.fields:
            self._check_size()
        self._method = self._parser.get_method().decode("ascii")
        self._version = self._parser.get_http_version()
        refusal = check_head(self._method, self._url, self._version, headers)
        if refusal is not None:
            self._stop(refusal)
        if not self._url.startswith(b"/"):
            self._use_origin_form()
        # Taken out, because a head that is kept (`Known`) stands for messages of every length.
        length = headers.pop(b"content-length", None)
        if length is not None:
            self._check_length(int(length))
        if b"expect" in headers and self._version == "1.1" and not self._invite_body():
            raise _Refused

    def _check_length(self, size: int) -> None:
        """Whether a body that long may come: what would not fit is not even read."""
        if size > self._limits.body:
            self._stop(too_large(self._limits))
        if size > self._limits.small_body:
            refusal = self._room.refuses(self.peer, size)
            if refusal is not None:
                self._stop(refusal)

    def _check_size(self) -> None:
        limits = self._limits
        self._wide = False
        if len(self._headers) + self._extra > limits.fields:
            self._stop(Refusal(431, "too_many_headers", f"more than {limits.fields} header fields"))
        self._extra = 0
        if any(len(name) + len(value) > limits.field for name, value in self._headers.items()):
            self._stop(Refusal(431, "field_too_large", f"a header field is over {limits.field} bytes"))

    def _use_origin_form(self) -> None:
        target = origin_form(self._method, self._url, self._headers.get(b"host", b""))
        if isinstance(target, Refusal):
            self._stop(target)
        else:
            self._url = target

    def on_chunk_header(self) -> None:
        self._quiet = 0
        self._chunks += 1
        if self._chunks > self._limits.chunks:
            self._stop(_TINY_CHUNKS)

    def on_body(self, data: bytes) -> None:
        self._quiet = 0
        size = self._body_size = self._body_size + len(data)
        if size > self._limits.body:
            self._stop(too_large(self._limits))
        if size > self._limits.small_body:
            self._hold(size)
        if self._body is None:
            self._body = data
        elif isinstance(self._body, bytearray):
            self._body += data
        else:
            self._body = bytearray(self._body) + data

    def _hold(self, size: int) -> None:
        grown = size - self._held
        refusal = self._room.refuses(self.peer, grown)
        if refusal is not None:
            self._stop(refusal)
        self._room.hold(self.peer, grown)
        self._held = size

    def _release(self) -> None:
        if self._held:
            self._room.hold(self.peer, -self._held)
            self._held = 0

    def released(self, request: Request) -> None:
        """A request is over: its body no longer counts."""
        if len(request.body) > self._limits.small_body:
            self._room.hold(self.peer, -len(request.body))

    def on_message_complete(self) -> None:
        body = b"" if self._body is None else bytes(self._body)
        if body or self._chunks:
            # What an idle connection keeps is bounded: nothing of the last request.
            self._body = None
            self._body_size = self._body_raw = self._chunks = self._trailer_size = self._held = 0
        keep_alive = self._parser.should_keep_alive()
        path, _, query = self._url.decode("latin-1").partition("?")
        head = Head(self._method, path, query, self._headers, keep_alive, self._version == "1.1")
        if self._key is not None and b"expect" not in self._headers:
            self._known.keep(self._key, head)
        self._url, self._headers, self._extra = b"", _NO_HEADERS, 0
        self._at_start = True
        self.phase = "idle" if keep_alive else "closing"
        self._arrived(head, body)
