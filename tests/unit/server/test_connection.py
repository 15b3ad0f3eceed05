"""The client side of HTTP/1.1: bytes in, bytes out, no sockets."""

import asyncio
import json

import pytest

from orchestra_core.http1.checks import Limits
from orchestra_core.server.connection import Http1Protocol
from orchestra_core.server.exchange import Exchange, Request
from orchestra_core.server.refusals import plain_refusal
from orchestra_core.server.room import Room
from tests.fakes.transport import FakeTransport
from tests.fakes.turns import settle

GET = b"GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n"


class Server:
    """One connection with a handler that echoes, and what it saw."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.seen: list[Request] = []
        self.hold: asyncio.Event | None = None
        self.cancelled = asyncio.Event()
        self.exchanges: list[Exchange] = []
        self.transport = FakeTransport()
        self.room = Room(limits or Limits(), 100)
        self.open = self.room.connections
        self.protocol = Http1Protocol(
            self.handle, asyncio.get_running_loop(), limits or Limits(), self.room, plain_refusal
        )
        self.protocol.connection_made(self.transport)

    async def handle(self, request: Request, exchange: Exchange) -> None:
        self.seen.append(request)
        self.exchanges.append(exchange)
        try:
            if self.hold is not None:
                await self.hold.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        exchange.send(200, request.body or request.path.encode())

    async def feed(self, data: bytes) -> bytes:
        """The bytes written in answer, once the loop has run everything that is ready."""
        self.protocol.data_received(data)
        await settle(10)
        return self.transport.written


async def test_a_request_is_answered_and_the_connection_kept() -> None:
    """A complete request gets a complete answer and the next one is served on the same connection."""
    server = Server()
    first = await server.feed(GET)

    assert first.startswith(b"HTTP/1.1 200 OK\r\n")
    assert first.endswith(b"content-length: 2\r\n\r\n/a")
    assert (await server.feed(GET)).count(b"HTTP/1.1 200 OK") == 2
    assert not server.transport.closed


@pytest.mark.parametrize("cut", range(1, len(GET)))
async def test_a_request_may_arrive_cut_anywhere(cut: int) -> None:
    """Where the network cuts a request makes no difference."""
    server = Server()
    await server.feed(GET[:cut])

    assert (await server.feed(GET[cut:])).endswith(b"\r\n\r\n/a")
    assert server.seen[0].arguments == {"b": "c"}


async def test_a_chunked_body_is_put_together() -> None:
    """Chunked request bodies arrive whole; trailers are not merged into the headers."""
    server = Server()
    body = b"3\r\nabc\r\n4\r\ndefg\r\n0\r\nauthorization: no\r\n\r\n"
    written = await server.feed(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + body)

    assert written.endswith(b"\r\n\r\nabcdefg")
    assert server.seen[0].header(b"authorization") is None


async def test_pipelined_requests_are_answered_in_order() -> None:
    """Requests sent before their answers wait their turn."""
    server = Server()
    written = await server.feed(b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % n for n in range(5)))

    assert [part[:2] for part in written.split(b"\r\n\r\n")[1:]] == [b"/0", b"/1", b"/2", b"/3", b"/4"]


async def test_a_pipelined_flood_is_refused() -> None:
    """Beyond the limit nothing more is parsed; what arrived before is answered, then the connection ends."""
    server = Server(Limits(pipelined=4))
    server.hold = asyncio.Event()
    await server.feed(GET * 50)
    server.hold.set()
    written = await server.feed(b"")

    assert len(server.seen) == 5
    assert written.count(b"HTTP/1.1 200 OK") == 5
    assert written.partition(b"HTTP/1.1 429 ")[1]
    assert server.transport.eof


async def test_a_client_that_leaves_cancels_its_request() -> None:
    """The handler is cancelled when the connection is lost: that is what reaches the backend."""
    server = Server()
    server.hold = asyncio.Event()
    await server.feed(GET)
    server.protocol.connection_lost(None)
    async with asyncio.timeout(20):
        await server.cancelled.wait()

    assert server.exchanges[0].gone
    assert not server.open


async def test_a_slow_client_pauses_whoever_produces() -> None:
    """Back-pressure of the client reaches the producer, and its end too."""
    server = Server()
    server.hold = asyncio.Event()
    await server.feed(GET)
    flow: list[str] = []
    server.exchanges[0].bind_flow(lambda: flow.append("pause"), lambda: flow.append("resume"))
    server.protocol.pause_writing()
    server.protocol.resume_writing()

    assert flow == ["pause", "resume"]
    server.hold.set()
    await server.feed(b"")


async def test_a_streamed_answer_is_chunked_and_ends_cleanly() -> None:
    """`start`, `write` and `finish` make a chunked body; an HTTP/1.0 client gets it until the connection ends."""
    transport = FakeTransport()
    exchange = Exchange(transport, keep_alive=True, chunked=True, head_only=False)
    exchange.start(200)
    exchange.write(b"data: a\n\n")
    exchange.finish(b"data: b\n\n")

    assert transport.written.endswith(b"\r\n\r\n9\r\ndata: a\n\n\r\n9\r\ndata: b\n\n\r\n0\r\n\r\n")
    old = FakeTransport()
    exchange = Exchange(old, keep_alive=True, chunked=False, head_only=False)
    exchange.start(200)
    exchange.finish(b"x")

    assert b"chunked" not in old.written
    assert old.written.endswith(b"\r\n\r\nx")
    assert not exchange.keep_alive


async def test_a_handler_that_breaks_never_ends_a_stream_cleanly() -> None:
    """A crash before the answer is a 500; in the middle of a stream the connection is cut."""
    transport = FakeTransport()
    exchange = Exchange(transport, keep_alive=True, chunked=True, head_only=False)
    exchange.start(200)
    exchange.crash()

    assert transport.aborted
    fresh = FakeTransport()
    Exchange(fresh, keep_alive=True, chunked=True, head_only=False).crash()

    assert fresh.written.startswith(b"HTTP/1.1 500 ")


async def test_time_ends_what_takes_too_long() -> None:
    """A dripped head gets 408, an idle connection is closed."""
    loop = asyncio.get_running_loop()
    server = Server()
    await server.feed(b"GET / HT")
    server.protocol.expire(loop.time() + 11)

    assert server.transport.written.startswith(b"HTTP/1.1 408 ")
    idle = Server()
    await idle.feed(GET)
    idle.protocol.expire(loop.time() + 76)

    assert idle.transport.closed


@pytest.mark.parametrize("request_id", ["req-1", ""])
async def test_a_crash_is_answered_in_the_shape_of_every_error(request_id: str) -> None:
    """With the request id it has been given, in the header and in the body, to find it in the log by."""
    transport = FakeTransport()
    Exchange(transport, keep_alive=True, chunked=True, head_only=False).crash(request_id)
    head, _, body = transport.written.partition(b"\r\n\r\n")
    error = json.loads(body)["error"]

    assert (b"x-request-id: req-1" in head) is bool(request_id)
    assert (error["type"], error["code"], error["param"]) == ("internal_error", "internal_error", None)
    assert error["request_id"] == (request_id or None)


class Breaking(Server):
    """Its handler names each request, then breaks, or returns without an answer."""

    breaks = True

    async def handle(self, request: Request, exchange: Exchange) -> None:
        self.exchanges.append(exchange)
        request.id = "req-7"
        if self.breaks:
            raise RuntimeError("broken on purpose")


@pytest.mark.parametrize("breaks", [True, False])
async def test_a_handler_that_breaks_is_answered_with_the_id_of_its_request(breaks: bool) -> None:
    """A 500, whether it raised or forgot to answer."""
    server = Breaking()
    server.breaks = breaks
    written = await server.feed(GET)

    assert written.startswith(b"HTTP/1.1 500 ")
    assert b"x-request-id: req-7\r\n" in written
    assert server.exchanges[0].finished
