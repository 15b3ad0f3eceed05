"""How long a model stays silent between uses: for models that are used rarely, or like clockwork.

A rate knows nothing of a job that runs every hour: right after it the rate is highest, and just before the next
one it is lowest. The gaps themselves tell (routing.md 4.7: idle-time histogram). The latest are kept as they are
instead of in buckets: a job that runs every hour does so to the second, and a bucket of minutes would blur that.
"""

from bisect import bisect_right, insort

# Closer requests are one use, and the rate says all about them.
SHORTEST_SECONDS = 30.0
KEPT = 64
# Gaps that have not been seen, all of them endless: one gap is chance, two begin to be a habit.
_DOUBT = 2.0
# By this share of its length a silence may be longer than it was before.
_LATE = 0.05


class Gaps:
    """The latest gaps, in seconds."""

    __slots__ = ("_latest", "_sorted")

    def __init__(self) -> None:
        self._latest: list[float] = []
        self._sorted: list[float] = []

    def __bool__(self) -> bool:
        return bool(self._latest)

    def add(self, seconds: float) -> None:
        if seconds < SHORTEST_SECONDS:
            return
        self._latest.append(seconds)
        insort(self._sorted, seconds)
        if len(self._latest) > KEPT:
            oldest = self._latest.pop(0)
            del self._sorted[bisect_right(self._sorted, oldest) - 1]

    def absorb(self, earlier: "Gaps") -> None:
        """Puts those of another one before its own."""
        self._latest = (earlier._latest + self._latest)[-KEPT:]
        self._sorted = sorted(self._latest)

    def chance(self, idle: float, horizon: float) -> float:
        """The probability, 0..1, that the silence ends within `horizon` seconds, given that it lasts for `idle`."""
        past = bisect_right(self._sorted, idle * (1.0 - _LATE))
        ending = bisect_right(self._sorted, idle + horizon) - past
        return ending / (len(self._sorted) - past + _DOUBT)
