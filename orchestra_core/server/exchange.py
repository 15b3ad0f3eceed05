"""One request and the response side of it, as handlers see them."""

import asyncio
import socket
from collections.abc import Callable
from struct import pack
from typing import Final
from urllib.parse import parse_qsl

import msgspec

from orchestra_core.domain.principal import ANONYMOUS
from orchestra_core.http1.heads import LAST_CHUNK, Headers, chunk, lines, response_head
from orchestra_core.http1.outgoing import Transport
from orchestra_core.server.date import date_header

_DISCARD: Final = pack("ii", 1, 0)
_CRASHED: Final = {
    "type": "internal_error",
    "code": "internal_error",
    "message": "internal error",
    "param": None,
}


def reset(transport: Transport) -> None:
    """Aborts a connection so that its peer sees a reset, not an end."""
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _DISCARD)
    transport.abort()


class Request:
    """A complete request. `path` is the raw path: routes compare it exactly, nothing decodes it twice.

    `fields` are the headers as bytes by lower-case name. The gate sets `principal`, and `extra`: header lines
    of whatever answer this request gets, which begin with `echo`, the line of the client's own id.
    """

    # Defaults of the class, because most requests keep them and setting each would cost on every one.
    extra = ""
    echo = ""
    id = ""

    def __init__(
        self, method: str, path: str, query: str, headers: dict[bytes, bytes], body: bytes, peer: str
    ) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.fields = headers
        self.body = body
        self.peer = peer
        self.principal = ANONYMOUS

    def header(self, name: bytes) -> str | None:
        """The value of a header, by its lower-case name."""
        value = self.fields.get(name)
        return None if value is None else value.decode("latin-1")

    @property
    def headers(self) -> dict[str, str]:
        """All headers by lower-case name; repeated ones joined by a comma (RFC 9110 section 5.3)."""
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in self.fields.items()}

    @property
    def arguments(self) -> dict[str, str]:
        """The query string, decoded; the last of repeated names wins."""
        return dict(parse_qsl(self.query, keep_blank_values=True))


class Exchange:
    """The response side: either one `send`, or `start`, any number of `write`, and `finish`.

    `started` tells whether any byte of the answer left; `gone` that the client did. Writing to a client that
    left is a no-op: its handler is being cancelled. `extra` are header lines of any answer; `status` is that of
    the answer given, 0 before it. `task` is that of the handler.
    """

    task: asyncio.Task[None] | None = None
    _pause: Callable[[], None] | None = None
    _resume: Callable[[], None] | None = None
    _drained: asyncio.Event | None = None
    extra = ""
    status = 0
    started = False
    finished = False
    gone = False
    paused = False

    def __init__(self, transport: Transport, keep_alive: bool, chunked: bool, head_only: bool) -> None:
        self._transport = transport
        self._chunked = chunked
        self._head_only = head_only
        self.keep_alive = keep_alive

    def send(
        self,
        status: int,
        body: bytes,
        headers: Headers = (),
        content_type: str = "application/json",
    ) -> None:
        """The whole answer at once. `headers` are pairs, or lines already rendered."""
        self.started = self.finished = True
        self.status = status
        if self.gone:
            return
        if self.extra:
            headers = lines(headers) + self.extra
        head = response_head(status, headers, content_type, date_header(), len(body), not self.keep_alive)
        self._transport.write(head if self._head_only else head + body)

    def start(self, status: int, headers: Headers = (), content_type: str = "text/event-stream") -> None:
        """The head of a streamed answer. To an HTTP/1.0 client the body ends when the connection does."""
        self.started = True
        self.status = status
        if not self._chunked:
            self.keep_alive = False
        if self.gone:
            return
        head = response_head(
            status,
            lines(headers) + self.extra + "cache-control: no-store\r\n",
            content_type,
            date_header(),
            None,
            not self.keep_alive,
        )
        if not self._chunked:
            head = head.replace(b"transfer-encoding: chunked\r\n", b"")
        self._transport.write(head)

    def write(self, data: bytes) -> None:
        if data and not self.gone and not self._head_only:
            self._transport.write(chunk(data) if self._chunked else data)

    def finish(self, data: bytes = b"") -> None:
        """Ends a streamed answer, with a last piece of it if given: one write instead of two."""
        if self.finished:
            return
        self.finished = True
        if self.gone or self._head_only:
            return
        self._transport.write(chunk(data) + LAST_CHUNK if self._chunked else data)

    def crash(self, request_id: str = "") -> None:
        """The handler failed to answer: 500 if nothing was sent, else a cut connection, never a clean end.

        `request_id` is "" where the request failed before it was given one.
        """
        if self.gone or self.finished:
            return
        if not self.started:
            self.keep_alive = False
            error = {**_CRASHED, "request_id": request_id or None}
            headers = [("x-request-id", request_id)] if request_id else []
            self.send(500, msgspec.json.encode({"error": error}), headers)
        else:
            self._transport.abort()

    def reset(self) -> None:
        """Cuts the connection with a TCP reset, as the peer of a machine that died sees it."""
        if not self.gone:
            reset(self._transport)

    # -- flow control ----------------------------------------------------------------------------------

    def bind_flow(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        """Callbacks of whoever produces the answer: `pause` when the client is slow, `resume` when it caught up."""
        self._pause, self._resume = pause, resume
        if self.paused:
            pause()

    async def drain(self) -> None:
        """Waits while the client is slow."""
        if self.paused:
            self._drained = asyncio.Event()
            await self._drained.wait()

    def pause(self) -> None:
        self.paused = True
        if self._pause is not None:
            self._pause()

    def resume(self) -> None:
        self.paused = False
        if self._resume is not None:
            self._resume()
        if self._drained is not None:
            self._drained.set()

    def lost(self) -> None:
        self.gone = True
        self._pause = self._resume = None
        if self._drained is not None:
            self._drained.set()
