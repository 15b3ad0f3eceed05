"""The ledger on SQLite and on PostgreSQL: what is recorded, grouped, read back, and left out."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from orchestra_core.storage.ledger import Ledger
from orchestra_core.storage.writer import Policy
from tests.integration.storage.ledgers import PATIENCE, attempt, opened, request, stored, values
from tests.integration.storage.ledgers import Place as At


async def test_a_recorded_request_is_read_back_with_its_attempts(place: At) -> None:
    """Every field of a request and of its two attempts survives the way through the file."""
    async with opened(place) as ledger:
        ledger.record(request(1, attempts=2), [attempt(1, 1), attempt(1, 2)])
        assert ledger.flush(PATIENCE)
        found = ledger.request("req-00000001")
        assert found is not None
        row, attempts = found
        assert values(row) == request(1, attempts=2)
        assert [values(each) for each in attempts] == [attempt(1, 1), attempt(1, 2)]
        assert ledger.request("never") is None


async def test_recent_is_newest_first_filtered_and_paged(place: At) -> None:
    """`before` continues where a page ended; model and verdict filter."""
    async with opened(place) as ledger:
        for number in range(10):
            ledger.record(request(number, verdict="failed" if number == 3 else "success"))
        assert ledger.flush(PATIENCE)
        first = ledger.recent(4)
        assert [row.id[-1] for row in first] == ["9", "8", "7", "6"]
        assert [row.id[-1] for row in ledger.recent(4, before=first[-1].at)] == ["5", "4", "3", "2"]
        assert [row.id[-1] for row in ledger.recent(verdict="failed")] == ["3"]
        assert ledger.recent(model="another") == []


async def test_totals_add_up_per_model(place: At) -> None:
    """Requests no model served are left out, unknown prices count as nothing."""
    async with opened(place) as ledger:
        ledger.record(request(1))
        ledger.record(request(2, verdict="failed", cost=None))
        ledger.record(request(3, model_served="other", tokens_out=5))
        ledger.record(request(4, model_served=None))
        assert ledger.flush(PATIENCE)
        stub, other = ledger.totals_by_model()
        assert (stub.model, stub.requests, stub.successful, stub.tokens_in, stub.cost) == (
            "stub-model",
            2,
            1,
            140,
            0.5,
        )
        assert (other.model, other.tokens_out, other.seconds) == ("other", 5, 0.02)


async def test_close_writes_everything_that_waits(place: At) -> None:
    """A window of an hour does not delay the end, and nothing is left behind."""
    policy = Policy(window=3600.0, batch_rows=10_000)
    ledger = Ledger(place.url, policy=policy, journal=place.journal)
    ledger.open()
    for number in range(3000):
        ledger.record(request(number), [attempt(number)])
    await ledger.close()
    assert not list(place.journal.parent.glob("data/*-wal"))
    assert place.count() == 3000
    assert place.count("attempts") == 3000
    assert ledger.stats().pending == 0


async def test_a_batch_is_one_commit(place: At) -> None:
    """Rows wait for the batch to fill: 256 rows within an endless window are one transaction."""
    policy = Policy(window=3600.0)
    async with opened(place, policy) as ledger:
        for number in range(policy.batch_rows):
            ledger.record(request(number))
        assert ledger.wait_settled(policy.batch_rows, PATIENCE)
        assert ledger.stats().commits == 1
        assert place.count() == policy.batch_rows


async def test_a_lonely_row_is_written_when_the_window_ends(place: At) -> None:
    """With the default window nobody has to fill the batch or ask for a flush."""
    async with opened(place, Policy()) as ledger:
        ledger.record(request(1))
        assert ledger.wait_settled(1, PATIENCE)
        assert place.count() == 1


async def test_the_same_id_twice_is_stored_once_and_counted(place: At) -> None:
    """A replay is harmless: the first row stays, the second is a duplicate, not an error."""
    async with opened(place) as ledger:
        ledger.record(request(1), [attempt(1)])
        assert ledger.flush(PATIENCE)
        ledger.record(request(1, verdict="failed"), [attempt(1)])
        assert ledger.flush(PATIENCE)
        assert [row.verdict for row in ledger.recent()] == ["success"]
        assert (ledger.stats().written, ledger.stats().duplicates) == (1, 1)


@pytest.mark.parametrize(
    "bad",
    [
        request(5, error="\ud800"),
        request(5, tokens_in=2**70),
        request(5, surface=None),
        request(5, error=object()),
        request(5)[:-1],
        None,
    ],
)
async def test_one_bad_row_costs_only_itself(place: At, bad: tuple[object, ...]) -> None:
    """What SQLite cannot store is left out and counted; its neighbours in the batch are written."""
    async with opened(place, Policy(window=3600.0)) as ledger:
        ledger.record(request(1), [attempt(1)])
        ledger.record(bad, [attempt(5)])
        ledger.record(request(2), [attempt(2)])
        assert ledger.flush(PATIENCE)
        assert [row.id for row in ledger.recent()] == ["req-00000002", "req-00000001"]
        assert place.count("attempts") == 2
        assert ledger.stats().rejected == 1
        assert "1 malformed rows" in ledger.stats().problem


async def test_rows_of_a_wrong_length_do_not_shift_their_neighbours(place: At) -> None:
    """A short row beside a long one costs the two; the other 62 of the group keep their columns."""
    async with opened(place, Policy(window=3600.0)) as ledger:
        for number in range(64):
            ledger.record(request(number)[:-1] if number == 10 else request(number) + (1,) * (number == 20))
        assert ledger.flush(PATIENCE)
        assert ledger.stats().rejected == 2
        assert {values(row) for row in ledger.recent()} == {
            request(number) for number in range(64) if number not in {10, 20}
        }


async def test_a_bad_attempt_takes_its_request_with_it(place: At) -> None:
    """A request is stored with all its attempts or not at all."""
    async with opened(place, Policy(window=3600.0)) as ledger:
        ledger.record(request(1), [attempt(1), (*attempt(1, 2)[:-1], object())])
        ledger.record(request(2), [attempt(2)])
        assert ledger.flush(PATIENCE)
        assert [row.id for row in ledger.recent()] == ["req-00000002"]
        assert (place.count("attempts"), ledger.stats().rejected) == (1, 1)


async def test_recording_needs_no_database(path: Path) -> None:
    """`record` neither waits nor raises while the file is locked: 1,000 rows are taken at once."""
    policy = Policy(busy_timeout=30.0)
    async with opened(path, policy) as ledger:
        ledger.record(request(0))
        assert ledger.flush(PATIENCE)
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for number in range(1, 1001):
                ledger.record(request(number))
            assert ledger.stats().pending == 1000
        assert ledger.flush(PATIENCE)
        assert stored(path) == 1001
