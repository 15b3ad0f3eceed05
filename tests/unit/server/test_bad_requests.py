"""Every bad request on the real protocol class, whole, cut in two anywhere, and byte by byte."""

import asyncio
import re
from collections.abc import Iterable

import pytest

from orchestra_core.http1.checks import Limits
from orchestra_core.server.connection import Http1Protocol
from orchestra_core.server.exchange import Exchange, Request
from orchestra_core.server.refusals import plain_refusal
from orchestra_core.server.room import Room
from tests.fakes.bad_requests import ROWS, Row
from tests.fakes.transport import FakeTransport
from tests.fakes.turns import settle

# Longer ones are cut at some places only; byte by byte is for what a second of test can carry.
_EVERY_CUT = 400
_EVERY_BYTE = 50_000
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


async def handle(request: Request, exchange: Exchange) -> None:
    exchange.send(200, b"")


class Seen:
    """What came of feeding pieces to one connection."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.transport = FakeTransport()
        self.room = Room(Limits(), 100)
        self.protocol = Http1Protocol(
            self._handle, asyncio.get_running_loop(), Limits(), self.room, plain_refusal
        )
        self.protocol.connection_made(self.transport)

    async def _handle(self, request: Request, exchange: Exchange) -> None:
        self.requests.append(request)
        exchange.send(200, b"")

    async def feed(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            self.protocol.data_received(piece)
            if self.transport.eof or self.transport.written:
                await settle(2)
        for _ in range(50):
            before = len(self.transport.written)
            await settle(4)
            if len(self.transport.written) == before:
                break

    @property
    def statuses(self) -> tuple[int, ...]:
        return tuple(int(status) for status in _STATUS.findall(self.transport.written))


def cuts(row: Row) -> Iterable[list[bytes]]:
    """The bytes whole, in two parts, and byte by byte."""
    data = row.data
    yield [data]
    places = (
        range(1, len(data))
        if len(data) <= _EVERY_CUT
        else [*range(1, 40), *range(40, len(data), len(data) // 16)]
    )
    for place in places:
        yield [data[:place], data[place:]]
    if len(data) <= _EVERY_BYTE:
        yield [data[place : place + 1] for place in range(len(data))]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_a_bad_request_is_answered_the_same_however_it_is_cut(row: Row) -> None:
    """The listed statuses, no request but the listed ones, closed where listed; nothing escapes a callback."""
    escaped: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: escaped.append(context))
    for pieces in cuts(row):
        seen = Seen()
        await seen.feed(pieces)
        where = f"cut at {len(pieces[0])}" if len(pieces) < 3 else "byte by byte"

        assert (seen.statuses, len(seen.requests)) == (row.statuses, row.handled), where
        assert seen.transport.eof == row.closes, where
        assert b"next" not in b"".join(request.path.encode() for request in seen.requests), where
        assert seen.room.held == 0, where
    assert escaped == []
