"""How traffic went, against keeping every request for ever."""

import sys
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra_core.domain.series import MOST_ROWS, WINDOWS, Course
from orchestra_core.telemetry.buckets import counted
from orchestra_core.telemetry.course import LEVELS
from orchestra_core.telemetry.history import History
from orchestra_core.telemetry.ring import Ring

START = 5_000
NOTHING: dict[tuple[str, str], tuple[int, int]] = {}


class Ended(NamedTuple):
    """A request by the second it ended in, counted from the start."""

    second: int
    model: str
    backend: str
    failed: bool
    tokens: int
    cost: float | None
    seconds: float


def add(history: History, one: Ended) -> None:
    history.at(START + one.second, (one.model, one.backend)).add(
        1,
        int(one.failed),
        one.tokens,
        2 * one.tokens,
        one.cost or 0.0,
        int(one.cost is None),
        {} if one.failed else counted([one.seconds]),
        {} if one.failed else counted([one.seconds / 2]),
    )


def stamp(moment: float) -> str:
    return f"{moment:g}"


ENDED = st.builds(
    Ended,
    st.integers(0, 4_000),
    st.sampled_from(["m", "n"]),
    st.sampled_from(["", "box"]),
    st.booleans(),
    st.integers(0, 9),
    st.none() | st.floats(0, 1),
    st.floats(0.001, 100),
)


def stretches(ended: list[Ended], step: int, last: int, size: int) -> list[list[Ended]]:
    """Those of each stretch that is over, the last `size`."""
    end = last // step
    return [
        [one for one in ended if one.second // step == number] for number in range(max(0, end - size), end)
    ]


@settings(deadline=None, max_examples=150)
@given(st.lists(ENDED, max_size=80), st.integers(0, 50), st.sampled_from(sorted(WINDOWS)))
def test_every_window_agrees_with_all_requests(ended: list[Ended], later: int, window: str) -> None:
    """Counts, tokens, money and quantiles of each stretch are those of the requests that ended in it."""
    history = History(START + 0.4)
    last = max((one.second for one in ended), default=0) + 1 + later
    by_second: dict[int, list[Ended]] = {}
    for one in ended:
        by_second.setdefault(one.second, []).append(one)
    for second, there_and_then in sorted(by_second.items()):
        history.tick(START + second + 0.5, NOTHING)
        for one in there_and_then:
            add(history, one)
    history.tick(START + last, NOTHING)

    view = history.view(window, stamp)

    there = min(WINDOWS[window], last)
    assert view.step == next(step for step, size in LEVELS if there <= step * size)
    assert view.until == stamp(START + last // view.step * view.step)
    parts = stretches(ended, view.step, last, -(-there // view.step))
    assert view.whole.requests == tuple(len(part) for part in parts)
    assert view.whole.failures == tuple(sum(one.failed for one in part) for part in parts)
    assert view.whole.tokens_out == tuple(sum(2 * one.tokens for one in part) for part in parts)
    assert view.whole.cost_unknown == tuple(sum(one.cost is None for one in part) for part in parts)
    for money, part in zip(view.whole.cost, parts, strict=True):
        known = [one.cost for one in part if one.cost is not None]
        assert money == (None if part and not known else pytest.approx(sum(known), abs=1e-9))
    assert view.spread_step == max(view.step, 10)
    whole = stretches(ended, view.spread_step, last, -(-there // view.spread_step))
    for told, part in zip(view.whole.latency.p95, whole, strict=True):
        samples = sorted(one.seconds for one in part if not one.failed)
        rank = next((n for n in range(1, len(samples) + 1) if n >= 0.95 * len(samples)), 0)
        assert told == (pytest.approx(samples[rank - 1], rel=0.03) if samples else None)


@settings(deadline=None, max_examples=60)
@given(st.lists(ENDED, max_size=60))
def test_the_parts_make_up_the_whole(ended: list[Ended]) -> None:
    """By model every request is in one row; by backend all but those that went to none."""
    history = History(START)
    for one in sorted(ended, key=lambda one: one.second):
        history.tick(START + one.second, NOTHING)
        add(history, one)
    history.tick(START + 4_001, NOTHING)

    def total(course: Course) -> int:
        return sum(filter(None, course.requests))

    for by in ("model", "backend"):
        view = history.view("6h", stamp, by=by)
        named = [
            one for one in ended if getattr(one, by) and one.second < 4_001 // view.row_step * view.row_step
        ]
        assert sum(total(row) for row in view.rows) == len(named)
        assert view.others is None
        counts = [total(row) for row in view.rows]
        assert counts == sorted(counts, reverse=True)


def test_what_comes_late_is_counted_all_the_same() -> None:
    """A second that is over takes nothing any more: the next one does."""
    history = History(START)
    history.tick(START + 10, NOTHING)
    add(history, Ended(3, "m", "box", False, 1, None, 1.0))
    history.tick(START + 12, NOTHING)

    assert history.view("5m", stamp).whole.requests == (0,) * 10 + (1, 0)


def test_nothing_is_invented_before_the_start() -> None:
    """No stretch begins before the engine did, nor is any shown before it is over."""
    history = History(START + 0.9)
    view = history.view("24h", stamp)
    assert (view.since, view.until, view.whole.requests) == (stamp(START), stamp(START), ())

    history.tick(START + 25.2, NOTHING)
    view = history.view("24h", stamp)
    assert (view.step, len(view.whole.requests), view.until) == (1, 25, stamp(START + 25))
    assert (view.spread_step, view.whole.latency.p50, view.spread_until) == (
        10,
        (None, None),
        stamp(START + 20),
    )


def test_the_most_under_way_is_told_and_what_nobody_saw_is_not() -> None:
    """Of ten seconds the busiest; of a time in which nobody looked nothing is known."""
    history = History(START)
    pair = ("m", "box")
    for second, inflight in enumerate((1, 7, 2), 1):
        history.tick(START + second, {pair: (inflight, inflight - 1), ("n", "box"): (1, 0)})
    add(history, Ended(57, "m", "box", False, 1, 0.0, 1.0))
    history.tick(START + 400, NOTHING)

    whole = history.view("15m", stamp).whole
    assert whole.inflight[0] == 8
    assert whole.waiting[0] == 6
    assert whole.inflight[1:-1] == (None,) * 38
    assert whole.inflight[-1] == 0
    (row,) = history.view("15m", stamp, by="backend").rows
    assert row.inflight[0] == 8


def test_more_names_than_there_is_room_for_are_told_together() -> None:
    """The first ones have rows; those that come later are the others, and nothing of the whole is missing."""
    history = History(START)
    for number in range(MOST_ROWS + 3):
        add(history, Ended(1, f"m{number}", "box", False, 1, 0.0, 1.0))
    history.tick(START + 60, NOTHING)

    view = history.view("5m", stamp, by="model", top=MOST_ROWS)

    assert len(view.rows) == MOST_ROWS
    assert view.others is not None
    assert sum(filter(None, view.others.requests)) == 3
    assert sum(filter(None, view.whole.requests)) == MOST_ROWS + 3


def test_a_name_that_nobody_asks_for_gives_way() -> None:
    """After an hour; of the one that takes its place nothing is said of the time before, which is not known."""
    history = History(START)
    for number in range(MOST_ROWS):
        add(history, Ended(1, f"m{number}", "box", False, 1, 0.0, 1.0))
    for second in range(60, 3_700, 60):
        history.tick(START + second, NOTHING)
        if second > 3_000:
            for number in range(1, MOST_ROWS):
                add(history, Ended(second, f"m{number}", "box", False, 1, 0.0, 1.0))
    add(history, Ended(3_660, "new", "box", False, 1, 0.0, 1.0))
    history.tick(START + 3_720, NOTHING)
    add(history, Ended(3_950, "new", "box", False, 1, 0.0, 1.0))
    history.tick(START + 4_210, NOTHING)

    view = history.view("6h", stamp, by="model", top=MOST_ROWS)

    new = next(row for row in view.rows if row.name == "new")
    assert not any(row.name == "m0" for row in view.rows)
    assert view.row_step == 300
    assert new.requests == (None,) * 13 + (1,)


def test_memory_is_bounded_however_long_it_runs() -> None:
    """Rings never grow: what one course holds is what its numbers take."""
    ring = Ring(300, (0, 0.0))
    before = sum(sys.getsizeof(column) for column in ring._columns)
    for number in range(0, 100_000, 7):
        ring.put(number, (number, 0.5))
    assert sum(sys.getsizeof(column) for column in ring._columns) == before <= 300 * 8 * 2 + 200
    assert ring.columns(99_990, 100_010)[0] == [99_995 if n == 99_995 else 0 for n in range(99_990, 100_010)]


@given(st.lists(st.integers(1, 30), max_size=40), st.integers(1, 12), st.integers(0, 200), st.integers(0, 40))
def test_a_ring_is_the_end_of_an_endless_list(gaps: list[int], size: int, start: int, length: int) -> None:
    """What was put and is not `size` behind is there; everything else is blank."""
    ring, kept, number = Ring(size, (0, -1.0)), dict[int, int](), 0
    for gap in gaps:
        number += gap
        ring.put(number, (number * 3, 0.25))
        kept[number] = number * 3
    wanted = [kept.get(one, 0) if one > number - size else 0 for one in range(start, start + length)]
    whole, rest = ring.columns(start, start + length)
    assert whole == wanted
    assert rest == [0.25 if value else -1.0 for value in wanted]
