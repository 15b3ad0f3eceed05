"""How traffic went since the engine started, at most a day of it: all of it, by model and by backend.

Memory is fixed: about 140 kB for everything and as much for each of at most 34 names, 5 MB in all. What ended is
added as it is counted (ended.py) and goes into the rings once a second.
"""

from collections.abc import Callable, Iterable, Mapping

from orchestra_core.domain.series import BY, MOST_ROWS, WINDOWS, SeriesView, Spread
from orchestra_core.domain.series import Course as CourseView
from orchestra_core.telemetry.course import LEVELS, Course
from orchestra_core.telemetry.ring import Number
from orchestra_core.telemetry.tally import UNSEEN, Tally

# A name nobody asked for so long gives way to a new one; seconds.
_FORGOTTEN = 3600
# What was under way is seen about once a second; a look says nothing of what was longer ago than this, seconds.
_SEEN_FOR = 3
# Model and backend; "" where there was none.
Pair = tuple[str, str]


class Named:
    """A course for each of the first names that come, and one for all others together."""

    def __init__(self) -> None:
        self._courses: dict[str, Course] = {}
        self.others: Course | None = None
        self._full_until = 0

    def _of(self, name: str, second: int) -> Course | None:
        """None: it is one of the others."""
        found = self._courses.get(name)
        if found is not None:
            return found
        if len(self._courses) >= MOST_ROWS and (second < self._full_until or not self._forget(second)):
            return None
        # What it did before it had a course of its own is among the others.
        course = self._courses[name] = Course(second if self.others is not None else 0, idle=0)
        return course

    def _forget(self, second: int) -> bool:
        name = min(self._courses, key=lambda one: self._courses[one].last)
        if second - self._courses[name].last < _FORGOTTEN:
            self._full_until = self._courses[name].last + _FORGOTTEN
            return False
        del self._courses[name]
        self.others = self.others or Course(second, idle=0)
        return True

    def take(self, second: int, tallies: Mapping[str, Tally]) -> None:
        """All there was in a second that is over, by name."""
        rest, inflight, waiting = Tally(), 0, 0
        for name, tally in tallies.items():
            course = self._of(name, second) if name else None
            if course is not None:
                course.take(second, tally)
            elif name:
                rest.merge(tally)
                inflight += max(tally.inflight, 0)
                waiting += max(tally.waiting, 0)
        if rest.requests or inflight or waiting:
            if self.others is None:
                self.others = Course(idle=0)
            rest.inflight, rest.waiting = inflight, waiting
            self.others.take(second, rest)

    def items(self) -> Iterable[tuple[str, Course]]:
        return self._courses.items()


class History:
    """`started` and every `now` are monotonic seconds; inside, seconds count from the start."""

    def __init__(self, started: float) -> None:
        self._started = int(started)
        self._closed = 0
        self._open: dict[int, dict[Pair, Tally]] = {}
        self._whole = Course()
        self._named = (Named(), Named())

    def at(self, second: int, pair: Pair) -> Tally:
        """Where to count what ended in a second (monotonic) at a model and backend; what is late counts in the next."""
        number = max(second - self._started, self._closed)
        tallies = self._open.get(number)
        if tallies is None:
            tallies = self._open[number] = {}
        tally = tallies.get(pair)
        if tally is None:
            tally = tallies[pair] = Tally()
        return tally

    def tick(self, now: float, under_way: Mapping[Pair, tuple[int, int]]) -> None:
        """About once a second, when all that has ended was counted; requests in flight and waiting by pair."""
        end = int(now) - self._started
        due = {number for number in self._open if number < end} | {
            *range(max(self._closed, end - _SEEN_FOR), end)
        }
        for number in sorted(due):
            self._fold(number, self._open.pop(number, {}), under_way if number >= end - _SEEN_FOR else None)
        self._closed = max(self._closed, end)
        for course in self._courses():
            course.close(self._closed)

    def _fold(
        self, number: int, tallies: Mapping[Pair, Tally], under_way: Mapping[Pair, tuple[int, int]] | None
    ) -> None:
        whole = Tally()
        if under_way is not None:
            whole.saw(*(sum(counts) for counts in zip((0, 0), *under_way.values(), strict=True)))
        for place, named in enumerate(self._named):
            parts: dict[str, Tally] = {}
            for pair, tally in tallies.items():
                parts.setdefault(pair[place], Tally()).merge(tally)
            if place == 0:
                for part in parts.values():
                    whole.merge(part)
            for pair, (inflight, waiting) in (under_way or {}).items():
                if inflight or waiting:
                    part = parts.setdefault(pair[place], Tally())
                    part.inflight = max(part.inflight, 0) + inflight
                    part.waiting = max(part.waiting, 0) + waiting
            named.take(number, parts)
        self._whole.take(number, whole)

    def _courses(self) -> Iterable[Course]:
        yield self._whole
        for named in self._named:
            yield from (course for _, course in named.items())
            if named.others is not None:
                yield named.others

    # -- told ------------------------------------------------------------------------------------------

    def view(
        self, window: str, stamp: Callable[[float], str], *, by: str | None = None, top: int = 8
    ) -> SeriesView:
        """The stretches of a window that are over, in the finest resolution that holds all there is of it.

        `stamp` writes a monotonic second as RFC 3339.
        """
        seconds = WINDOWS[window]
        there = min(seconds, self._closed)
        level = next(at for at, (step, size) in enumerate(LEVELS) if there <= step * size)
        # A second is too short for quantiles, and rows are many.
        spread_level, row_level = max(level, 1), min(level + 1, len(LEVELS) - 1)
        rows, others = self._rows(by, top, row_level, there)

        def until(level: int) -> str:
            step = LEVELS[level][0]
            return stamp(self._started + self._closed // step * step)

        return SeriesView(
            window=window,
            seconds=seconds,
            since=stamp(self._started),
            until=until(level),
            step=LEVELS[level][0],
            spread_until=until(spread_level),
            spread_step=LEVELS[spread_level][0],
            row_until=until(row_level),
            row_step=LEVELS[row_level][0],
            whole=self._told("", self._whole, level, there),
            by=by,
            rows=rows,
            others=others,
        )

    def _rows(
        self, by: str | None, top: int, level: int, there: int
    ) -> tuple[tuple[CourseView, ...], CourseView | None]:
        """The busiest first. Where there are more, those left out are not among the others."""
        if by is None:
            return (), None
        named = self._named[BY.index(by)]
        told = [self._told(name, course, level, there) for name, course in named.items()]
        busy = [(sum(filter(None, row.requests)), row) for row in told]
        busy.sort(key=lambda pair: (-pair[0], pair[1].name))
        others = None if named.others is None else self._told("", named.others, level, there)
        return tuple(row for number, row in busy[:top] if number), others

    def _told(self, name: str, course: Course, level: int, there: int) -> CourseView:
        start, end = self._rows_of(level, there)
        known = max(0, -(-course.begin // LEVELS[level][0]) - start)
        requests, failures, read, written, unknown, cost, inflight, waiting = (
            [None] * min(known, len(column)) + column[known:] for column in course.counts(level, start, end)
        )
        spread_level = max(level, 1)
        spreads = [
            tuple(_known(value) for value in column)
            for column in course.spreads(spread_level, *self._rows_of(spread_level, there))
        ]
        return CourseView(
            name=name,
            requests=_whole(requests),
            failures=_whole(failures),
            tokens_in=_whole(read),
            tokens_out=_whole(written),
            cost=tuple(
                None if money is None or (asked and asked == untold) else round(money, 9)
                for money, asked, untold in zip(cost, requests, unknown, strict=True)
            ),
            cost_unknown=_whole(unknown),
            inflight=_whole(inflight),
            waiting=_whole(waiting),
            first_token=Spread(*spreads[3:]),
            latency=Spread(*spreads[:3]),
        )

    def _rows_of(self, level: int, there: int) -> tuple[int, int]:
        """From which stretch to before which; those that have ended."""
        step, size = LEVELS[level]
        end = self._closed // step
        return max(0, end - min(-(-there // step), size)), end


def _whole(column: Iterable[Number | None]) -> tuple[int | None, ...]:
    return tuple([None if value is None or value == UNSEEN else int(value) for value in column])


def _known(value: Number) -> float | None:
    """NaN is what nobody knows."""
    return value if value == value else None  # noqa: PLR0124  false for NaN alone
