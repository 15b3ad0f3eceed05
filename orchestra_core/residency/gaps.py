"""How long a model stays silent between uses: for models that are used rarely, or like clockwork.

A rate knows nothing of a job that runs every hour: right after it the rate is highest, and just before the next
one it is lowest. The gaps themselves tell, in buckets that grow by 15 % (routing.md 4.7: idle-time histogram).
"""

from math import log

# Closer arrivals are one use; the last bucket ends after 2.6 days.
SHORTEST_SECONDS = 10.0
_GROWTH = log(1.15)
_BUCKETS = 72
# Gaps that have not been seen, all of them endless: one gap is chance, two begin to be a habit.
_DOUBT = 2.0
# From here on the older half of what is known counts half.
_ENOUGH = 64.0


class Gaps:
    """Counts of gaps, in seconds. Memory is fixed."""

    __slots__ = ("_upto", "total")

    def __init__(self) -> None:
        # How many were in the buckets before each one: written seldom, read every second.
        self._upto: list[float] = []
        self.total = 0.0

    def add(self, seconds: float) -> None:
        if seconds < SHORTEST_SECONDS:
            return
        upto = self._upto or [0.0] * (_BUCKETS + 1)
        for bucket in range(min(int(_place(seconds)), _BUCKETS - 1) + 1, _BUCKETS + 1):
            upto[bucket] += 1.0
        self._keep(upto)

    def absorb(self, other: "Gaps") -> None:
        """Adds what another one has counted."""
        if other.total:
            own = self._upto or [0.0] * (_BUCKETS + 1)
            self._keep([mine + theirs for mine, theirs in zip(own, other._upto, strict=True)])

    def _keep(self, upto: list[float]) -> None:
        self._upto = [number / 2 for number in upto] if upto[-1] > _ENOUGH else upto
        self.total = self._upto[-1]

    def chance(self, idle: float, horizon: float) -> float:
        """The probability, 0..1, that the silence ends within `horizon` seconds, given that it lasts for `idle`."""
        if not self.total:
            return 0.0
        past = self._until(idle)
        return (self._until(idle + horizon) - past) / (self.total - past + _DOUBT)

    def _until(self, seconds: float) -> float:
        """The number of gaps that were not longer."""
        if seconds <= SHORTEST_SECONDS:
            return 0.0
        place = _place(seconds)
        whole = int(place)
        if whole >= _BUCKETS:
            return self.total
        before = self._upto[whole]
        return before + (self._upto[whole + 1] - before) * (place - whole)


def _place(seconds: float) -> float:
    return log(seconds / SHORTEST_SECONDS) / _GROWTH
