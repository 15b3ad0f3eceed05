"""One client connection: feeds bytes to the parser, starts the handler, writes what it answers.

Theory of operation. httptools cannot pause, so bytes are fed in slices and a flood of pipelined requests is
refused from inside `on_message_begin` (measured: one 256 KiB read can hold 10,000 requests). One request is
served at a time; the next waits in `_queue`, as HTTP/1.1 answers must go out in order. The handler runs in a
task of its own that is cancelled when the client leaves: that cancellation is what reaches the backend.
Answers are written straight to the transport; a slow client pauses whoever produces (`Exchange.bind_flow`).
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import httptools

from orchestra_core.http1.checks import Limits, Refusal, check_field, check_head
from orchestra_core.http1.heads import CONTINUE
from orchestra_core.http1.known import Known, whole
from orchestra_core.server.exchange import Exchange, Request
from orchestra_core.server.peer import peer_of

log = logging.getLogger(__name__)
Handler = Callable[[Request, Exchange], Awaitable[None]]
Refuse = Callable[[Refusal, Exchange], None]
_SLICE = 65536
_LINGER_BYTES = 262144
_TOO_LARGE = Refusal(431, "head_too_large", "the request head is too large")


class Head(NamedTuple):
    """What a request head said, once it passed every check; shared by all requests with that head."""

    method: str
    target: bytes
    headers: dict[bytes, bytes]
    keep_alive: bool
    chunked: bool


class _Refused(Exception):
    """Raised inside a parser callback to stop parsing at once."""


class Http1Protocol(asyncio.Protocol):
    """The server side of one HTTP/1.1 connection over TCP or a Unix socket."""

    def __init__(
        self,
        handler: Handler,
        loop: asyncio.AbstractEventLoop,
        limits: Limits,
        open_connections: set["Http1Protocol"],
        refuse: Refuse,
        known: Known[Head] | None = None,
    ) -> None:
        self._handler = handler
        self._loop = loop
        self._limits = limits
        self._all = open_connections
        self._refuse = refuse
        self._known: Known[Head] = Known() if known is None else known
        self._key: bytes | None = None
        self._between = True
        self._parser = httptools.HttpRequestParser(self)
        self._queue: deque[tuple[Request, Exchange]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._exchange: Exchange | None = None
        self._head_bytes = 0
        self._in_head = True
        self._lingering = 0
        self._reading = True
        self.since = loop.time()
        self.phase = "idle"
        self.peer = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]  # asyncio types it wider
        self.peer = peer_of(transport)
        self._all.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio names the argument
        self._all.discard(self)
        self.phase = "lost"
        self._queue.clear()
        if self._exchange is not None:
            self._exchange.lost()
        if self._task is not None:
            self._task.cancel()

    def eof_received(self) -> bool:
        """A client that half-closes is taken as gone, as the common servers do; closing cancels its request."""
        return False

    # -- parsing ---------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self.phase == "closing":
            self._lingering += len(data)
            if self._lingering > _LINGER_BYTES:
                self.transport.abort()
            return
        if not (self._between and self.phase == "idle" and self._is_known(data)):
            self._parse(data)

    def _is_known(self, data: bytes) -> bool:
        """Serves a whole request whose head has been parsed before; else notes the key to keep it under."""
        found = whole(data)
        if found is None:
            return False
        key, start = found
        head = self._known.get(key)
        if head is None:
            self._key = key  # for what `_parse` makes of this read, and for nothing after it
            return False
        self._received(head, data[start:])
        return True

    def _parse(self, data: bytes) -> None:
        if self._in_head:
            if self.phase == "idle":
                self.phase, self.since = "head", self._loop.time()
            self._head_bytes += len(data)
        try:
            if len(data) <= _SLICE:
                self._parser.feed_data(data)
            else:
                self._feed_sliced(memoryview(data))
            self._key = None
            if self._in_head and self._head_bytes > self._limits.head + self._limits.request_line:
                self._reject(_TOO_LARGE)
        except httptools.HttpParserUpgrade:
            # The parser drops the body and what follows: nothing after this may be parsed.
            self._reject(Refusal(400, "upgrade", "protocol upgrades are not supported"))
        except httptools.HttpParserError:
            if self.phase != "closing":
                self._reject(Refusal(400, "malformed_request", "the request is not valid HTTP/1.1"))

    def _feed_sliced(self, data: memoryview) -> None:
        for start in range(0, len(data), _SLICE):
            self._parser.feed_data(data[start : start + _SLICE])

    def on_message_begin(self) -> None:
        self._between = False
        if len(self._queue) >= self._limits.pipelined:
            self._stop(Refusal(429, "too_many_pipelined", "too many requests sent before their answers"))
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._fields = 0
        self._body: list[bytes] | None = None
        self._body_size = 0
        self._chunks = 0

    def on_url(self, url: bytes) -> None:
        self._url += url
        if len(self._url) > self._limits.request_line:
            self._stop(
                Refusal(414, "uri_too_long", f"the request line is over {self._limits.request_line} bytes")
            )

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            return  # trailers are discarded, never merged (RFC 9112 section 7.1.2)
        name = name.lower()
        headers = self._headers
        if b"_" in name or name in headers:
            refusal = check_field(name, headers)
            if refusal is not None:
                self._stop(refusal)
            value = headers[name] + b", " + value
        headers[name] = value
        self._fields += 1
        if self._fields > self._limits.fields:
            self._stop(Refusal(431, "too_many_headers", f"more than {self._limits.fields} header fields"))

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self._head_bytes > self._limits.head:
            # The first read may hold body too: the fields themselves decide.
            size = sum(len(name) + len(value) for name, value in self._headers.items())
            if size > self._limits.head:
                self._stop(_TOO_LARGE)
        self._head_bytes = 0
        self.phase = "body"
        self._method = self._parser.get_method().decode("ascii")
        self._version = self._parser.get_http_version()
        refusal = check_head(self._method, self._url, self._version, self._headers)
        if refusal is not None:
            self._stop(refusal)
        # Taken out, because a head that is kept (`Known`) stands for messages of every length.
        length = self._headers.pop(b"content-length", None)
        if length is not None and int(length) > self._limits.body:
            self._stop(
                Refusal(413, "request_too_large", f"bodies over {self._limits.body} bytes are refused")
            )
        if b"expect" in self._headers and self._task is None:
            self.transport.write(CONTINUE)

    def on_body(self, data: bytes) -> None:
        self._body_size += len(data)
        self._chunks += 1
        if self._body_size > self._limits.body:
            self._stop(
                Refusal(413, "request_too_large", f"bodies over {self._limits.body} bytes are refused")
            )
        if self._chunks > 16384 and self._body_size < self._chunks * 64:
            self._stop(Refusal(400, "tiny_chunks", "the body is cut into too many tiny chunks"))
        if self._body is None:
            self._body = [data]
        else:
            self._body.append(data)

    def on_message_complete(self) -> None:
        self._in_head = self._between = True
        body = b"" if self._body is None else self._body[0] if len(self._body) == 1 else b"".join(self._body)
        keep_alive = self._parser.should_keep_alive()
        head = Head(self._method, self._url, self._headers, keep_alive, self._version == "1.1")
        if self._key is not None and b"expect" not in self._headers:
            self._known.keep(self._key, head)
        self._received(head, body)

    def _received(self, head: Head, body: bytes) -> None:
        method, target, headers, keep_alive, chunked = head
        self.phase = "busy"
        request = Request(method, target, headers, body, self.peer)
        exchange = Exchange(
            self.transport, keep_alive=keep_alive, chunked=chunked, head_only=method == "HEAD"
        )
        if self._task is None:
            self._start(request, exchange)
        else:
            self._queue.append((request, exchange))
            if len(self._queue) >= 8 and self._reading:
                self._reading = False
                self.transport.pause_reading()

    # -- serving ---------------------------------------------------------------------------------------

    def _start(self, request: Request, exchange: Exchange) -> None:
        self._exchange = exchange
        # Owned here: `connection_lost` cancels it, `_serve` clears it.
        self._task = self._loop.create_task(self._serve(request, exchange))

    async def _serve(self, request: Request, exchange: Exchange) -> None:
        try:
            await self._handler(request, exchange)
        except Exception:
            log.exception("unhandled error while answering %s %s", request.method, request.path)
            exchange.crash()
        finally:
            self._task = self._exchange = None
            if self.phase != "lost":
                self._next(exchange)

    def _next(self, served: Exchange) -> None:
        if not served.finished:
            served.crash()
        if not served.keep_alive:
            self._linger()
        elif self._queue:
            if not self._reading:
                self._reading = True
                self.transport.resume_reading()
            self._start(*self._queue.popleft())
        elif self.phase == "busy":
            self.phase, self.since = "idle", self._loop.time()

    def _stop(self, refusal: Refusal) -> None:
        self._reject(refusal)
        raise _Refused

    def _reject(self, refusal: Refusal) -> None:
        """Answer once and close; requests already being served finish first, nothing after is parsed."""
        if self._task is not None:
            self._queue.clear()
            assert self._exchange is not None
            self._exchange.keep_alive = False
            self.phase, self.since = "closing", self._loop.time()
            return
        exchange = Exchange(self.transport, keep_alive=False, chunked=False, head_only=False)
        self._refuse(refusal, exchange)
        self._linger()

    def _linger(self) -> None:
        """Half-close and read on for a moment, so that the client sees the answer (RFC 9112 section 9.6)."""
        self.phase, self.since = "closing", self._loop.time()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

    # -- flow control and time -------------------------------------------------------------------------

    def pause_writing(self) -> None:
        self.since = self._loop.time()
        if self._exchange is not None:
            self._exchange.pause()

    def resume_writing(self) -> None:
        if self._exchange is not None:
            self._exchange.resume()

    def close_idle(self) -> None:
        """Closes the connection unless it is in the middle of a request (used while draining)."""
        if self.phase == "idle":
            self.transport.close()
        elif self._exchange is not None:
            self._exchange.keep_alive = False

    def expire(self, now: float) -> None:
        """Called about once a second: ends what has taken too long."""
        age = now - self.since
        limits = self._limits
        if self.phase == "idle" and age > limits.idle_seconds:
            self.transport.close()
        elif self.phase == "head" and age > limits.head_seconds:
            self._reject(
                Refusal(408, "head_timeout", f"no complete request head within {limits.head_seconds:.0f} s")
            )
        elif self.phase == "body" and age > limits.body_seconds:
            self._reject(
                Refusal(408, "body_timeout", f"no complete request body within {limits.body_seconds:.0f} s")
            )
        elif (self.phase == "closing" and age > limits.linger_seconds and self._task is None) or (
            self._exchange is not None and self._exchange.paused and age > limits.stalled_seconds
        ):
            self.transport.abort()
