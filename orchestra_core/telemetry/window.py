"""Sliding windows: counts per second for plots and rates, quantiles of durations; no samples are kept."""

from collections import deque
from collections.abc import Sequence
from typing import Final

from orchestra_core.domain.snapshot import Throughput
from orchestra_core.telemetry.buckets import counted, merge, quantile


class Series:
    """Counts per second over the last `seconds`. Memory is fixed; seconds are whole and monotonic."""

    def __init__(self, seconds: int = 300) -> None:
        self._size = seconds
        self._requests = [0] * seconds
        self._failures = [0] * seconds
        self._tokens = [0] * seconds
        self._first: int | None = None
        self._last = -1

    def add(self, second: int, *, requests: int = 0, failures: int = 0, tokens: int = 0) -> None:
        """Counts for that second; what is older than the window is dropped."""
        if second != self._last and not self._move(second):
            return
        place = second % self._size
        self._requests[place] += requests
        self._tokens[place] += tokens
        if failures:
            self._failures[place] += failures

    def _move(self, second: int) -> bool:
        """Whether that second is in the window, after moving the window on where it is a new one."""
        if self._first is None:
            self._first = self._last = second
        elif second > self._last:
            self._clear_until(second)
        elif second <= self._last - self._size:
            return False
        self._first = min(self._first, second)
        return True

    def view(self, now_second: int) -> Throughput:
        """One entry a second up to and with `now_second`, oldest first; since the first count at most."""
        if self._first is None:
            return Throughput()
        start = max(self._first, now_second - self._size + 1)
        return Throughput(
            requests=self._between(self._requests, start, now_second),
            failures=self._between(self._failures, start, now_second),
            tokens=self._between(self._tokens, start, now_second),
        )

    def rate_per_minute(self, now_second: int) -> float:
        """Requests of the last 60 seconds, the present one included."""
        return float(sum(self._between(self._requests, now_second - 59, now_second)))

    def _clear_until(self, second: int) -> None:
        for gone in range(max(self._last + 1, second - self._size + 1), second + 1):
            place = gone % self._size
            self._requests[place] = self._failures[place] = self._tokens[place] = 0
        self._last = second

    def _between(self, counts: list[int], start: int, end: int) -> tuple[int, ...]:
        known = range(max(self._last - self._size + 1, 0), self._last + 1)
        return tuple(
            [counts[second % self._size] if second in known else 0 for second in range(start, end + 1)]
        )


_SLICES: Final = 20


class Latencies:
    """Durations of the last `seconds`, which slide in steps of a twentieth (285 to 300 s by default)."""

    def __init__(self, seconds: float = 300.0) -> None:
        self._step = seconds / _SLICES
        self._slices: deque[_Slice] = deque(maxlen=_SLICES)
        self._newest = _Slice(-1)
        self._until = 0.0

    def add(self, now: float, *durations: float) -> None:
        """Durations that ended at `now` (monotonic seconds)."""
        self.take(now, counted(durations), sum(durations))

    def take(self, now: float, buckets: dict[int, int], total: float) -> None:
        """The same, counted already; `total` is their sum."""
        if now >= self._until:
            self._begin(int(now / self._step))
        merge(self._newest.buckets, buckets)
        self._newest.total += total

    def _begin(self, number: int) -> None:
        if number > self._newest.number:
            self._newest = _Slice(number)
            self._slices.append(self._newest)
        self._until = (self._newest.number + 1) * self._step

    def quantiles(self, now: float, shares: Sequence[float]) -> tuple[float | None, ...]:
        """The durations that these shares (0..1) did not exceed, within 2.5 %; None without any."""
        merged: dict[int, int] = {}
        for part in self._live(now):
            merge(merged, part.buckets)
        return tuple(quantile(merged, share) for share in shares)

    def average(self, now: float) -> float | None:
        """The exact mean; None without any."""
        live = self._live(now)
        count = sum(part.count for part in live)
        return sum(part.total for part in live) / count if count else None

    def _live(self, now: float) -> list["_Slice"]:
        oldest = int(now / self._step) - _SLICES
        return [part for part in self._slices if part.number > oldest]


class _Slice:
    __slots__ = ("buckets", "number", "total")

    def __init__(self, number: int) -> None:
        self.number = number
        self.total = 0.0
        self.buckets: dict[int, int] = {}

    @property
    def count(self) -> int:
        return sum(self.buckets.values())
