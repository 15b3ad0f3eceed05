"""Bad and costly clients over real sockets, TCP and Unix, on both event loops the engine may run on."""

import asyncio
import gc
import re
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import psutil
import pytest
import uvloop

from orchestra_core.http1.checks import Limits
from orchestra_core.server.exchange import Exchange, Request
from orchestra_core.server.listener import Listener
from tests.fakes.bad_requests import ROWS, Row
from tests.fakes.outside import until_outside
from tests.fakes.turns import one_turn, settle

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Server:
    """A listener on both kinds of sockets, and what its handler saw."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen: list[str] = []
        self.escaped: list[object] = []
        self.endless = 0

    async def open(self, limits: Limits | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: self.escaped.append(context))
        self.listener = Listener(self.handle, limits=limits)
        self.port = await self.listener.tcp("127.0.0.1", 0)
        await self.listener.unix(self.path)

    async def handle(self, request: Request, exchange: Exchange) -> None:
        self.seen.append(request.path)
        if request.path != "/endless":
            exchange.send(200, request.body)
            return
        exchange.start(200)
        while True:
            exchange.write(b"a" * 16384)
            self.endless += 16384
            await exchange.drain()
            await one_turn()

    async def connect(self, kind: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if kind == "tcp":
            return await asyncio.open_connection("127.0.0.1", self.port)
        return await asyncio.open_unix_connection(str(self.path))


Run = Callable[..., None]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Run]:
    """Runs a story against a server on one of the event loops."""
    factory = uvloop.new_event_loop if request.param == "uvloop" else None

    def told(story: Callable[[Server], Awaitable[None]], limits: Limits | None = None) -> None:
        async def whole() -> None:
            server = Server(tmp_path / "run" / "s.sock")
            await server.open(limits)
            try:
                async with asyncio.timeout(60):
                    await story(server)
            finally:
                await server.listener.close()
                await one_turn()
            assert server.escaped == []

        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(whole())

    yield told
    gc.collect()


async def answered(reader: asyncio.StreamReader, row: Row) -> bytes:
    """What the server says until it closes; of a connection it keeps, until the last expected answer."""
    data = b""
    while row.closes or len(_STATUS.findall(data)) < len(row.statuses):
        piece = await reader.read(65536)
        if not piece:
            break
        data += piece
    return data


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_bad_request_is_answered_over_a_socket(run: Run, kind: str) -> None:
    """The client reads the listed statuses and then the end, though it is still sending what is too much."""

    async def story(server: Server) -> None:
        for row in ROWS:
            server.seen.clear()
            reader, writer = await server.connect(kind)
            writer.write(row.data)
            data = await answered(reader, row)
            writer.close()

            assert tuple(map(int, _STATUS.findall(data))) == row.statuses, row.name
            assert len(server.seen) == row.handled, row.name
            assert data.count(b"x-request-id") == sum(status >= 400 for status in row.statuses), row.name
            assert reader.at_eof() == row.closes, row.name

    run(story)


def send_all_then_read(port: int, pieces: Iterator[bytes]) -> bytes:
    """What a simple blocking client sees: it reads only after it has sent everything, or cannot."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
        try:
            for piece in pieces:
                sock.sendall(piece)
        except OSError:
            pass
        data = b""
        while piece := sock.recv(65536):
            data += piece
        return data


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_client_sees_that_its_body_is_too_large(run: Run, framing: str) -> None:
    """413 reaches a client that sends all of 8 MiB before it reads, where 1 MiB is allowed."""

    def pieces() -> Iterator[bytes]:
        if framing == "length":
            yield b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8388608\r\n\r\n"
        else:
            yield b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        for _ in range(128):
            yield b"a" * 65536 if framing == "length" else b"10000\r\n" + b"a" * 65536 + b"\r\n"

    async def story(server: Server) -> None:
        data = await asyncio.to_thread(send_all_then_read, server.port, pieces())
        assert data.startswith(b"HTTP/1.1 413 ")
        assert server.seen == []

    run(story, Limits(body=1024 * 1024))


def test_a_connection_too_many_is_told_and_the_unix_socket_still_serves(run: Run) -> None:
    """Over TCP there is an end; the console on the Unix socket has a reserve."""

    async def story(server: Server) -> None:
        open_ones = [await server.connect("tcp") for _ in range(12)]
        reader, writer = await server.connect("tcp")
        assert (await reader.read(65536)).startswith(b"HTTP/1.1 503 ")
        assert await reader.read() == b""
        writer.close()
        reader, writer = await server.connect("unix")
        writer.write(GET)
        assert (await reader.read(65536)).startswith(b"HTTP/1.1 200 ")
        writer.close()
        for _, each in open_ones:
            each.close()

    run(story, Limits(connections=16))


def test_who_connects_and_resets_leaves_nothing(run: Run) -> None:
    """A flood of connections that are reset at once ends with no connection counted."""

    async def story(server: Server) -> None:
        for _ in range(200):
            sock = socket.create_connection(("127.0.0.1", server.port))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.close()
            await one_turn()
        # The kernel tells of each reset in its own time.
        await until_outside(lambda: not server.listener.connections, "end of the connections")

    run(story)


def test_a_slow_reader_does_not_make_the_buffer_grow(run: Run) -> None:
    """An endless answer to a client that reads nothing stops at the high-water mark and the kernel's buffers."""

    async def story(server: Server) -> None:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", server.port))
        sock.sendall(GET.replace(b"/", b"/endless", 1))
        before = -1
        while not server.endless or server.endless != before:
            before = server.endless
            await settle(300)
        (connection,) = server.listener.connections
        # Above the mark by one piece of 16 KiB, and one that waits for the end of the turn.
        assert connection.transport.get_write_buffer_size() <= 65536 + 2 * (16384 + 16)
        sock.close()
        # The kernel tells of it in its own time.
        await until_outside(lambda: not server.listener.connections, "end of the connection")

    run(story)


def test_an_idle_connection_costs_little(run: Run) -> None:
    """At most 32 KiB of the process for a connection that has been served and is kept."""

    async def story(server: Server) -> None:
        loop = asyncio.get_running_loop()

        async def served() -> socket.socket:
            sock = socket.socket()
            sock.setblocking(False)
            await loop.sock_connect(sock, ("127.0.0.1", server.port))
            await loop.sock_sendall(sock, GET)
            await loop.sock_recv(sock, 4096)
            return sock

        kept = [await served() for _ in range(50)]
        gc.collect()
        before = psutil.Process().memory_info().rss
        kept += [await served() for _ in range(400)]
        gc.collect()
        grown = psutil.Process().memory_info().rss - before
        for sock in kept:
            sock.close()
        assert grown / 400 <= 32 * 1024

    run(story)
