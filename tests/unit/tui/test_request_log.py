"""The log of requests: what runs on top, the ledger below it, newest first, each once, in a bounded window."""

import random
from itertools import pairwise

from orchestra_tui.present.requests.log import WINDOW, Log
from tests.fakes.request_log import ENDED, LIVE, ended, live, page, running


def filled(*rows: int, after: str | None = None) -> Log:
    log = Log()
    log.newest(page(*map(ended, rows), after=after))
    return log


def ids(log: Log) -> list[int]:
    return [int(entry.id.rpartition("-")[2], 16) for entry in log.entries()]


def test_what_runs_is_above_what_has_ended_and_the_newest_of_each_is_first() -> None:
    """A request that is told as running and is in the ledger by now has ended."""
    log = Log()
    log.runs(live(*LIVE, running(1230)))
    log.newest(page(*ENDED))
    assert ids(log) == [2470, 2465, 2460, 1230, 1225, 1220, 1215, 1210, 1205, 1200]
    assert log.entry(ENDED[-1].id) == ENDED[-1]
    assert log.entry("req-of-another-time") is None


def test_one_that_took_long_appears_where_its_request_came() -> None:
    """In the middle, not on top: the order is that of the ledger."""
    log = filled(10, 20, 30)
    log.newest(page(ended(15), ended(20), ended(30)))
    assert ids(log) == [30, 20, 15, 10]


def test_pages_that_do_not_meet_leave_no_hole() -> None:
    """Where so much ended meanwhile that nothing of the new page is known, what is older is asked for anew."""
    log = filled(1, 2, 3, after="old")
    log.newest(page(ended(8), ended(9), after="new"))
    assert (ids(log), log.cursor) == ([9, 8], "new")
    log.older(page(ended(6), ended(7), after=None))
    assert (ids(log), log.cursor) == ([9, 8, 7, 6], None)


def test_the_window_is_bounded_and_keeps_the_newest() -> None:
    """However many pages are read; a second look at the same rows changes nothing."""
    log = filled(*range(400), after="x")
    log.newest(page(*map(ended, range(300, 800)), after="y"))
    assert len(log.ended) == WINDOW
    assert log.full
    assert ids(log)[0] == 799
    before = log.ended
    log.newest(page(*map(ended, range(700, 800)), after="y"))
    assert log.ended is before


def test_a_request_that_ran_and_is_in_no_page_is_missed() -> None:
    """So that the whole window is looked at once; what is not in it either is older than that."""
    log = filled(50, 51, after="x")
    log.runs(live(running(7), running(8)))
    log.newest(page(ended(51), ended(52), after="x"))
    assert not log.missing
    log.runs(live(running(8)))
    log.newest(page(ended(52), ended(53), after="x"))
    assert log.missing
    log.newest(page(*map(ended, (7, 50, 51, 52, 53)), after="x"))
    assert (log.missing, ids(log)[-1]) == (False, 7)
    log.runs(live())
    log.newest(page(*map(ended, range(1000, 1000 + WINDOW)), after="x"))
    assert not log.missing


def test_what_has_ended_is_shown_until_a_page_has_it() -> None:
    """A selection never loses its request between the two answers, and none is shown twice."""
    log = filled(1, 2, after="x")
    log.runs(live(running(9), running(8)))
    log.runs(live(running(8)))
    assert sorted(ids(log)) == [1, 2, 8, 9]
    assert log.entry(running(9).id) is not None
    log.runs(live(running(9), running(8)))
    assert sorted(ids(log)) == [1, 2, 8, 9]
    log.runs(live(running(8)))
    log.newest(page(ended(2), ended(9), after="x"))
    assert sorted(ids(log)) == [1, 2, 8, 9]
    assert not log.missing


def test_other_rows_are_forgotten() -> None:
    """What runs stays: it was not asked for with them."""
    log = filled(1, 2, after="x")
    log.runs(live(running(9)))
    log.forget()
    assert (ids(log), log.known, log.cursor) == ([9], False, None)


def test_where_time_goes_back_nothing_of_the_future_stays() -> None:
    """As in a recording that is stepped through; an emptied ledger shows nothing either."""
    log = filled(10, 20, 30)
    log.newest(page(ended(10), ended(20)))
    assert ids(log) == [20, 10]
    log.newest(page())
    assert ids(log) == []
    log.newest(page(ended(10)))
    assert ids(log) == [10]


def test_whatever_order_answers_come_in_the_newest_are_shown_in_theirs() -> None:
    """Against a ledger of which any page may be read at any time."""
    rng = random.Random(6)
    for _ in range(50):
        log, known = Log(), set[int]()
        last = 0
        for _ in range(rng.randrange(1, 12)):
            last += rng.randrange(0, 40)
            size = rng.choice((5, 100))
            told = list(range(max(0, last - size), last))
            log.newest(page(*map(ended, told), after="x" if told and told[0] else None))
            known |= set(told)
            shown = ids(log)
            assert shown == sorted(shown, reverse=True)
            assert shown[: len(told)] == told[::-1]
            # No hole: the rows of the ledger follow each other.
            assert all(above - below == 1 for above, below in pairwise(shown))
            assert set(shown) <= known
