"""A client that does not read, over real sockets: its backend is paused, and memory stays as it was."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from orchestra_core.server.exchange import Exchange, Request
from orchestra_core.server.facades.native import NativeSink
from orchestra_core.server.facades.openai import OpenAISink
from orchestra_core.server.listener import Listener
from orchestra_core.upstream.address import Address
from orchestra_core.upstream.execution import Execution
from tests.fakes.memory_backend import SERVING, STREAM_HEAD, chunked, endpoint, question, token

PIECE = chunked(token("word " * 400) * 5)
# What the kernel may hold on both of the connections, beyond what we do.
KERNEL = 16 << 20


class Endless:
    """A backend that writes tokens for as long as they are taken; `stuck` is set each time they are not."""

    def __init__(self) -> None:
        self.written = 0
        self.stuck = asyncio.Event()
        self.gone = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.set_write_buffer_limits(high=0)
        writer.write(STREAM_HEAD % b"")
        try:
            while True:
                writer.write(PIECE)
                self.written += len(PIECE)
                try:
                    async with asyncio.timeout(0.5):
                        await writer.drain()
                except TimeoutError:
                    self.stuck.set()
                    await writer.drain()
        except ConnectionError:
            self.gone.set()
        finally:
            writer.close()


class Engine:
    """The data plane between a listener and one backend, and the last connection it serves."""

    def __init__(self, port: int, surface: str) -> None:
        address = Address("127.0.0.1", port)
        self.execution = Execution(lambda _: address, lambda _: {})
        self.surface = surface
        self.listener = Listener(self.answer)

    async def answer(self, _: Request, exchange: Exchange) -> None:
        call = question()
        sink = (
            OpenAISink(exchange, call, lambda: 0) if self.surface == "openai" else NativeSink(exchange, call)
        )
        await self.execution(call, endpoint(), sink, SERVING)

    @property
    def held(self) -> int:
        """Bytes that wait to be written to clients."""
        return sum(one.transport.get_write_buffer_size() for one in self.listener.connections)


@pytest.fixture(params=["openai", "native"])
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Endless, Engine, int]]:
    backend = Endless()
    upstream = await asyncio.start_server(backend.serve, "127.0.0.1", 0)
    engine = Engine(upstream.sockets[0].getsockname()[1], request.param)
    yield backend, engine, await engine.listener.tcp("127.0.0.1", 0)
    engine.execution.close()
    await engine.listener.close()
    upstream.close()
    await asyncio.wait_for(backend.gone.wait(), 5)


async def test_a_client_that_does_not_read_pauses_its_backend(stage: tuple[Endless, Engine, int]) -> None:
    """What we hold is bounded; when the client reads on, the backend does too; when it leaves, both are gone."""
    backend, engine, port = stage
    loop = asyncio.get_running_loop()
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    await loop.sock_connect(client, ("127.0.0.1", port))
    await loop.sock_sendall(client, b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n")
    await asyncio.wait_for(backend.stuck.wait(), 10)
    assert backend.written < KERNEL
    assert engine.held <= 192 * 1024

    before = backend.written
    read = 0
    while backend.written <= before:
        async with asyncio.timeout(5):
            read += len(await loop.sock_recv(client, 65536))
    assert read > 0
    client.close()
    await asyncio.wait_for(backend.gone.wait(), 1)
    assert engine.execution.busy == 0
