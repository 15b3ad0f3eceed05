"""Pages of requests, on both databases: filters, and places that hold while rows arrive."""

import asyncio
import contextlib

from orchestra_core.accounting.listing import Page, Place, Wanted
from orchestra_core.storage.ledger import Ledger
from orchestra_core.storage.listing import page
from orchestra_core.storage.opening import store_at
from orchestra_core.storage.queries import Queries
from tests.integration.storage.ledgers import PATIENCE, opened, request
from tests.integration.storage.ledgers import Place as At


def ids(found: Page) -> list[str]:
    return [str(row["id"]) for row in found.rows]


async def kept(ledger: Ledger, *rows: tuple[object, ...]) -> None:
    for row in rows:
        ledger.record(row)
    assert await asyncio.to_thread(ledger.flush, PATIENCE)


async def test_pages_neither_repeat_nor_skip_while_rows_arrive(place: At) -> None:
    """Two requests of one moment are told apart; what comes in meanwhile, newer or older, moves nothing."""
    async with opened(place) as ledger:
        await kept(ledger, *(request(n, at=100.0 + n // 2) for n in range(10)))
        seen, wanted = list[str](), Wanted(limit=3)
        for turn in range(4):
            found = await asyncio.to_thread(ledger.queries.page, wanted)
            seen += ids(found)
            assert (found.after is None) == (turn == 3)
            wanted = Wanted(limit=3, after=found.after)
            await kept(ledger, request(100 + turn, at=500.0))
        assert seen == [f"req-{n:08d}" for n in reversed(range(10))]


async def test_each_filter_finds_what_it_names(place: At) -> None:
    """Every filter alone, with one row that passes it and one that does not."""
    plain = request(1, cache="", model_served="m")
    async with opened(place) as ledger:
        await kept(
            ledger,
            plain,
            request(2, model_served="n"),
            request(3, backend="other", model_served="m"),
            request(4, key="k", model_served="m"),
            request(5, task="vision", model_served="m"),
            request(6, verdict="timeout", model_served="m"),
            request(7, degraded=True, model_served="m"),
            request(8, cache="hit", model_served="m"),
            request(9, verdict="cancelled", model_served="m"),
        )
        for wanted, numbers in (
            (Wanted(model="n"), [2]),
            (Wanted(backend="other"), [3]),
            (Wanted(key="k"), [4]),
            (Wanted(task="vision"), [5]),
            (Wanted(verdict="timeout"), [6]),
            (Wanted(failed=True), [6]),
            (Wanted(failed=False, backend="stub"), [9, 8, 7, 5, 4, 2, 1]),
            (Wanted(degraded=True), [7]),
            (Wanted(degraded=False, task="vision"), [5]),
            (Wanted(cache=True), [8]),
            (Wanted(cache=False, key="k"), [4]),
            (Wanted(since=1_700_000_008.0), [9, 8]),
            (Wanted(until=1_700_000_002.0), [1]),
            (Wanted(model="nobody"), []),
        ):
            found = await asyncio.to_thread(ledger.queries.page, wanted)
            assert ids(found) == [f"req-{n:08d}" for n in numbers], wanted
            assert found.after is None


async def test_a_row_is_told_with_its_types(place: At) -> None:
    """Truth values are truth values on both databases, and what is not known stays unknown."""
    async with opened(place) as ledger:
        await kept(ledger, request(1, cost=None, streamed=True))
        (row,) = (await asyncio.to_thread(ledger.queries.page, Wanted())).rows
        assert row == dict(zip(row, request(1, cost=None, streamed=True), strict=True))
        assert row["streamed"] is True
        assert row["continued"] is False


async def test_a_filter_that_finds_little_searches_in_bounded_steps(place: At) -> None:
    """A page ends after so many rows, with the place where the search goes on, and finds the rest there."""
    async with opened(place) as ledger:
        await kept(ledger, *(request(n, model_served="rare" if n in (1, 8) else "m") for n in range(1, 10)))
        with contextlib.closing(store_at(place.url).reader) as reader, reader.reading() as connection:
            first = page(connection, Wanted(model="rare"), searched=4)
            assert ids(first) == ["req-00000008"]
            assert first.after == Place(1_700_000_006.0, 6)
            second = page(connection, Wanted(model="rare", after=first.after), searched=4)
            assert (ids(second), second.after) == ([], Place(1_700_000_002.0, 2))
            third = page(connection, Wanted(model="rare", after=second.after), searched=4)
            assert (ids(third), third.after) == (["req-00000001"], None)


async def test_a_ledger_without_anything_has_an_empty_page(place: At) -> None:
    """Before the first request there is no table yet; that is no error."""
    with contextlib.closing(store_at(place.url).reader) as reader:
        assert await asyncio.to_thread(Queries(reader).page, Wanted()) == Page((), None)
