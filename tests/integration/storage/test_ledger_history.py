"""What the ledger tells of who used which model: just now from memory, and in the last days from the file."""

from pathlib import Path

import pytest

from orchestra_core.domain.history import History, Hour, Use
from orchestra_core.storage.failures import StoreError
from orchestra_core.storage.ledger import Ledger
from orchestra_core.storage.writer import Policy
from tests.fakes.clock import ManualClock
from tests.integration.storage.ledgers import PATIENCE, opened, request

NOW = 1_800_000_000.0


def at_that_time(path: Path) -> Ledger:
    """A ledger that takes that for the present; it is not opened."""
    return Ledger(f"sqlite:///{path}", ManualClock(wall=NOW))


async def test_who_used_what_is_told_once_and_in_order(path: Path) -> None:
    """Key and model of each request that somebody served; what is no row is left out."""
    async with opened(path, Policy(window=3600.0)) as ledger:
        ledger.record(request(1, key="ann", model_served="plan"))
        ledger.record(request(2, key="ben", model_served=""))
        ledger.record(None)  # as a fault of ours might
        ledger.record(request(3, key="ann", model_served="code"))
        assert ledger.flush(PATIENCE)
        assert ledger.passed() == [("ann", "plan"), ("ann", "code")]
        assert ledger.passed() == []


async def test_of_very_many_the_latest_are_told(path: Path) -> None:
    """Nobody asks for hours: it stays at 512, and they are the last."""
    async with opened(path) as ledger:
        for number in range(2000):
            ledger.record(request(number, key=str(number)))
        assert ledger.flush(PATIENCE)
        told = ledger.passed()
        assert [key for key, _ in told] == [str(number) for number in range(1488, 2000)]


async def test_the_history_has_counts_by_hour_and_the_latest_uses(path: Path) -> None:
    """Those of the last week that somebody served, the single ones oldest first."""
    async with opened(path) as ledger:
        rows = [
            request(1, at=NOW - 8 * 86_400, model_served="forgotten"),
            request(2, at=NOW - 2 * 86_400, model_served="a", key="ann"),
            request(3, at=NOW - 60, model_served="b", key="ben"),
            request(4, at=NOW - 50, model_served=None),
            request(5, at=NOW - 40, model_served=""),
            request(6, at=NOW - 30, model_served="b", key="ann"),
        ]
        for row in rows:
            ledger.record(row)
        assert ledger.flush(PATIENCE)
        found = at_that_time(path).history()
    hour = int(NOW // 3600)
    assert set(found.hours) == {Hour("a", hour - 48, 1), Hour("b", int((NOW - 60) // 3600), 2)}
    assert found.uses == (
        Use(NOW - 2 * 86_400, "ann", "a"),
        Use(NOW - 60, "ben", "b"),
        Use(NOW - 30, "ann", "b"),
    )


@pytest.mark.parametrize("there", [True, False])
def test_a_ledger_that_was_never_written_has_no_history(path: Path, there: bool) -> None:
    """The first start of all is no trouble worth a word."""
    path.parent.mkdir()
    if there:
        path.touch()
    assert at_that_time(path).history() == History()


def test_a_ledger_that_cannot_be_read_says_so(path: Path) -> None:
    """Damaged: one error of ours that names the file."""
    path.parent.mkdir()
    path.write_bytes(b"this is not a database, and long enough to be sure of it" * 20)
    with pytest.raises(StoreError, match=str(path)):
        at_that_time(path).history()
