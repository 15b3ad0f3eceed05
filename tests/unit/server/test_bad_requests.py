"""Every bad request on the real protocol class, whole, cut in two anywhere, and byte by byte."""

import asyncio
from collections.abc import Iterable

import pytest

from tests.fakes.bad_requests import ROWS, Row
from tests.fakes.one_connection import Connection

# Longer ones are cut at some places only; byte by byte is for what a second of test can carry.
_EVERY_CUT = 400
_EVERY_BYTE = 50_000


def cuts(row: Row) -> Iterable[list[bytes]]:
    """The bytes whole, in two parts, and byte by byte."""
    data = row.data
    yield [data]
    few = [*range(1, 40), *range(40, len(data), len(data) // 16)]
    for place in range(1, len(data)) if len(data) <= _EVERY_CUT else few:
        yield [data[:place], data[place:]]
    if len(data) <= _EVERY_BYTE:
        yield [data[place : place + 1] for place in range(len(data))]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_a_bad_request_is_answered_the_same_however_it_is_cut(row: Row) -> None:
    """The listed statuses, no request but the listed ones, closed where listed; nothing escapes a callback."""
    escaped: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: escaped.append(context))
    for pieces in cuts(row):
        seen = Connection()
        await seen.feed(pieces)
        where = f"cut at {len(pieces[0])}" if len(pieces) < 3 else "byte by byte"

        assert (seen.statuses, len(seen.requests)) == (row.statuses, row.handled), where
        assert seen.ended == row.closes, where
        assert "/next" not in [request.path for request in seen.requests], where
        assert seen.room.held == 0, where
        seen.leave()
    assert escaped == []
