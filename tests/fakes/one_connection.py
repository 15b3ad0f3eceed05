"""One client connection in memory: the real protocol class, a fake transport, and time in the test's hand."""

import asyncio
import contextlib
import re
from collections.abc import Coroutine, Iterable
from typing import Any

from orchestra_core.http1.checks import Limits
from orchestra_core.server.connection import Http1Protocol
from orchestra_core.server.exchange import Exchange, Request
from orchestra_core.server.refusals import Refusals
from orchestra_core.server.room import Room
from tests.fakes.transport import FakeTransport
from tests.fakes.turns import settle

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


class HandLoop:
    """What a protocol needs of a loop, with a time that moves when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def time(self) -> float:
        return self.now

    def create_task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(work)

    def create_future(self) -> asyncio.Future[None]:
        return asyncio.get_running_loop().create_future()


class Connection:
    """A connection whose handler echoes; `hold` keeps it from answering until it is set.

    `tasks` are those that handled a request; `answers_cancelled`: the handler answers when it is cancelled, too.
    """

    def __init__(
        self, limits: Limits | None = None, room: Room | None = None, peer: str = "10.0.0.1"
    ) -> None:
        self.limits = limits or Limits()
        self.room = room or Room(self.limits, 100)
        self.loop = HandLoop()
        self.transport = FakeTransport((peer, 5000))
        self.requests: list[Request] = []
        self.hold: asyncio.Event | None = None
        self.tasks: list[asyncio.Task[None]] = []
        self.answers_cancelled = False
        self.protocol = Http1Protocol(
            self._handle,
            self.loop,
            self.limits,
            self.room,
            Refusals(lambda: "req-1"),
        )
        self.protocol.connection_made(self.transport)

    async def _handle(self, request: Request, exchange: Exchange) -> None:
        self.requests.append(request)
        if exchange.task is not None and exchange.task not in self.tasks:
            self.tasks.append(exchange.task)
        if self.hold is not None:
            with contextlib.suppress(*([asyncio.CancelledError] if self.answers_cancelled else [])):
                await self.hold.wait()
        exchange.send(200, request.body)

    async def feed(self, pieces: Iterable[bytes]) -> None:
        """Everything that follows from the pieces has happened afterwards."""
        for piece in pieces:
            self.protocol.data_received(piece)
            if self.transport.eof or self.transport.written:
                await settle(2)
        await self.rest()

    def leave(self) -> None:
        self.protocol.connection_lost(None)

    async def rest(self) -> None:
        while True:
            before = len(self.transport.written), len(self.requests)
            await settle(4)
            if (len(self.transport.written), len(self.requests)) == before:
                return

    async def later(self, seconds: float) -> None:
        """Time passes; the listener looks once a second."""
        for _ in range(int(seconds)):
            self.loop.now += 1.0
            if not (self.transport.closed or self.transport.aborted):
                self.protocol.expire(self.loop.now)
        await self.rest()

    @property
    def statuses(self) -> tuple[int, ...]:
        return tuple(int(status) for status in _STATUS.findall(self.transport.written))

    @property
    def ended(self) -> bool:
        """Half-closed, closed or cut."""
        return self.transport.eof or self.transport.closed or self.transport.aborted
