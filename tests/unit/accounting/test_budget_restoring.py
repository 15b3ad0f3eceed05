"""What budgets have spent survives the engine: as the journal's state and the rows after it."""

from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from orchestra_core.accounting.account import BILLION
from orchestra_core.accounting.budget import Book
from orchestra_core.accounting.reservation import Hold, Reservation, Who
from orchestra_core.accounting.restoring import restore, state_of
from orchestra_core.domain.budgets import Budget, Period

NOW = 1_800_000_000.0
ANN = Who("ann", "creative", "big")
BUDGETS = (Budget("team", 100.0), Budget("each", 50.0, Period.DAY, per_key=True))


def known(*budgets: Budget) -> Book:
    book = Book(budgets, UTC, "USD", NOW)
    for budget in budgets:
        book.recall(budget.name, NOW)
    return book


def settled(book: Book, now: float = NOW) -> dict[tuple[str, str], float]:
    return {(one.budget.name, one.owner): one.settled / BILLION for one in book.accounts(now)}


def taken(book: Book, worst: int, hold: Hold) -> Reservation:
    reservation = book.reserve(ANN, worst * BILLION, NOW, hold)
    assert isinstance(reservation, Reservation)
    return reservation


def test_state_holds_what_has_ended_and_nothing_that_is_under_way() -> None:
    """A first attempt that failed has cost something already, but the row that says so is still to come."""
    book, done, running = known(*BUDGETS), Hold(), Hold()
    book.settle(taken(book, 10, done), 4.0, NOW)
    book.close(done)
    book.settle(taken(book, 10, running), 3.0, NOW)
    second = taken(book, 10, running)
    after = Book(BUDGETS, UTC, "USD", NOW)
    restore(after, state_of(book, NOW), NOW)
    assert not after.unknown
    assert settled(after) == {("team", ""): 4.0, ("each", "ann"): 4.0}
    # The row of the request, which the journal holds after the state.
    book.settle(second, 2.0, NOW)
    after.spend(ANN, 5.0, at=NOW, now=NOW)
    assert settled(after) == settled(book) == {("team", ""): 9.0, ("each", "ann"): 9.0}


def test_a_period_that_has_ended_meanwhile_is_over() -> None:
    """The money of yesterday is not missing today; that of the month is."""
    book = known(*BUDGETS)
    book.spend(ANN, 7.0, at=NOW, now=NOW)
    tomorrow = NOW + 86_400
    after = Book(BUDGETS, UTC, "USD", tomorrow)
    restore(after, state_of(book, NOW), tomorrow)
    after.spend(ANN, 1.0, at=NOW, now=tomorrow)
    assert settled(after, tomorrow) == {("team", ""): 8.0, ("each", "ann"): 0.0}
    assert not after.unknown


@pytest.mark.parametrize(
    "other",
    [Budget("team", 9.0, Period.WEEK), Budget("team", 9.0, model="big"), Budget("other", 9.0)],
    ids=["period", "scope", "name"],
)
def test_what_counts_something_else_is_not_known(other: Budget) -> None:
    """It has to be read from the ledger; another limit alone changes nothing of what was spent."""
    book = known(*BUDGETS)
    book.spend(ANN, 7.0, at=NOW, now=NOW)
    state = state_of(book, NOW)
    changed = Book((other,), UTC, "USD", NOW)
    restore(changed, state, NOW)
    assert [one.name for one in changed.unknown] == [other.name]
    limited = Book((Budget("team", 9.0),), UTC, "USD", NOW)
    restore(limited, state, NOW)
    assert settled(limited) == {("team", ""): 7.0}
    moved = Book(BUDGETS[:1], ZoneInfo("Europe/Berlin"), "USD", NOW)
    restore(moved, state, NOW)
    assert moved.unknown == BUDGETS[:1]


@pytest.mark.parametrize("state", [None, b"", b"nonsense", b"\x93\x01\x02\x03"])
def test_without_a_state_nothing_is_known(state: bytes | None) -> None:
    """Nor is a journal that somebody wrote into a reason to fail."""
    book = Book(BUDGETS, UTC, "USD", NOW)
    restore(book, state, NOW)
    assert book.unknown == BUDGETS
    empty = Book(BUDGETS, UTC, "USD", NOW)
    restore(empty, state_of(book, NOW), NOW)
    assert empty.unknown == BUDGETS


def test_what_is_presumed_stays_when_the_ledger_is_read() -> None:
    """The ledger has no cost for what was interrupted; what was settled while it was read counts once."""
    book = Book(BUDGETS[:1], UTC, "USD", NOW)
    book.spend(ANN, 2.0, at=NOW, now=NOW)
    book.spend(ANN, 6.0, at=NOW, now=NOW, presumed=True)
    marks = book.marks("team", NOW)
    book.spend(ANN, 1.0, at=NOW, now=NOW)
    book.learn("team", {"": 20.0}, marks, NOW)
    assert settled(book) == {("team", ""): 27.0}


def test_keys_that_ask_for_nothing_any_more_are_forgotten() -> None:
    """Addresses are without end; what was spent in the present period is kept, and what is under way settles."""
    book, hold = known(Budget("each", 50.0, Period.DAY, per_key=True)), Hold()
    running = taken(book, 10, hold)
    for number in range(1200):
        book.spend(Who(f"address {number}", "creative", "big"), 1.0, at=NOW, now=NOW)
    assert len(list(book.accounts(NOW))) == 1201
    tomorrow = NOW + 86_400
    for number in range(1200):
        book.spend(Who(f"other {number}", "creative", "big"), 1.0, at=tomorrow, now=tomorrow)
    assert len(list(book.accounts(tomorrow))) < 2048
    assert settled(book, tomorrow)["each", "other 0"] == 1.0
    book.settle(running, 3.0, tomorrow)
    assert book.find("each", "ann", tomorrow) is not None
