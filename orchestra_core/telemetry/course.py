"""How something went over a day: the last minutes by the second, what is longer ago in longer stretches."""

from collections.abc import Sequence

from orchestra_core.telemetry.buckets import quantile
from orchestra_core.telemetry.ring import Number, Ring
from orchestra_core.telemetry.tally import UNSEEN, Tally

# Seconds of a stretch, and how many are kept: 5 minutes, an hour, 6 hours, a day.
LEVELS = ((1, 300), (10, 360), (60, 360), (300, 288))
_SHARES = (0.5, 0.95, 0.99)
_NAN = float("nan")
_COUNTS: tuple[Number, ...] = (0, 0, 0, 0, 0, 0.0)
_SPREADS = (_NAN,) * (2 * len(_SHARES))


class Course:
    """Seconds are whole, rise, and count from the start of the engine; `begin` is the first that counts here.

    Durations are told of stretches of ten seconds and longer: a quantile of what ended in one second says nothing.
    `idle` is what is taken to be under way where nobody said anything, UNSEEN or 0.
    """

    __slots__ = ("_open", "_rings", "begin", "last")

    def __init__(self, begin: int = 0, idle: int = UNSEEN) -> None:
        self.begin = begin
        self.last = begin
        counts = (*_COUNTS, idle, idle)
        blanks = [counts if level == 0 else (*counts, *_SPREADS) for level in range(len(LEVELS))]
        self._rings = [Ring(size, row) for (_, size), row in zip(LEVELS, blanks, strict=True)]
        # Of each level but the first: the stretch that has not ended, and what is known of it.
        self._open: list[tuple[int, Tally]] = [(0, Tally()) for _ in LEVELS]

    def take(self, second: int, tally: Tally) -> None:
        """All there was in a second that is over."""
        self.last = second
        self._rings[0].put(second, _counts(tally))
        self._pass_on(1, second, tally)

    def close(self, second: int) -> None:
        """Nothing from before `second` will be taken any more."""
        for level in range(1, len(LEVELS)):
            number, tally = self._open[level]
            step = LEVELS[level][0]
            if (number + 1) * step <= second:
                self._shut(level, number, tally)
                self._open[level] = (second // step, Tally())

    def _pass_on(self, level: int, second: int, tally: Tally) -> None:
        if level == len(LEVELS):
            return
        number = second // LEVELS[level][0]
        before, held = self._open[level]
        if before != number:
            self._shut(level, before, held)
            held = Tally()
            self._open[level] = (number, held)
        held.merge(tally)

    def _shut(self, level: int, number: int, tally: Tally) -> None:
        if tally.requests or tally.inflight != UNSEEN:
            self._rings[level].put(number, (*_counts(tally), *_spreads(tally)))
            self._pass_on(level + 1, number * LEVELS[level][0], tally)

    def counts(self, level: int, start: int, end: int) -> list[list[Number]]:
        """Of stretches number `start` to before `end`: the columns requests to waiting."""
        return self._rings[level].columns(start, end)[: len(_COUNTS) + 2]

    def spreads(self, level: int, start: int, end: int) -> list[list[Number]]:
        """The three quantiles of whole answers, then those of first tokens; NaN where nothing ended well."""
        return self._rings[level].columns(start, end)[len(_COUNTS) + 2 :]


def _counts(tally: Tally) -> tuple[Number, ...]:
    return (
        tally.requests,
        tally.failures,
        tally.tokens_in,
        tally.tokens_out,
        tally.cost_unknown,
        tally.cost,
        tally.inflight,
        tally.waiting,
    )


def _spreads(tally: Tally) -> Sequence[Number]:
    found = [quantile(buckets, share) for buckets in (tally.waited, tally.first) for share in _SHARES]
    # Four digits are more than the buckets know, and short to send.
    return [_NAN if one is None else float(f"{one:.4g}") for one in found]
