"""What was measured of a pool in the last minute."""

from collections import deque
from collections.abc import Callable

FOREIGN_SECONDS = 60.0
# A backend may say that a model is gone some seconds after its memory came back: the fall is looked for that far back.
_LOOKBACK_SECONDS = 10.0


class Past:
    """Foreign use counts with its maximum: whoever took memory a moment ago may take it again."""

    __slots__ = ("_foreign", "_used")

    def __init__(self) -> None:
        self._foreign: deque[tuple[float, int]] = deque()  # falling, so the first is the largest
        self._used: deque[tuple[float, int]] = deque()

    def note(self, used: int, now: float) -> None:
        self._used.append((now, used))
        while self._used[0][0] < now - _LOOKBACK_SECONDS:
            self._used.popleft()

    def peak(self, used: int) -> int:
        """The most that was in use lately."""
        return max((before for _, before in self._used), default=used)

    def lower(self, left: Callable[[int], int]) -> None:
        """Takes out of the recent use what has come back since."""
        self._used = deque((at, left(used)) for at, used in self._used)

    def sample(self, foreign: int, now: float) -> None:
        while self._foreign and self._foreign[-1][1] <= foreign:
            self._foreign.pop()
        self._foreign.append((now, foreign))
        self._forget(now)

    def foreign(self, now: float) -> int:
        """The maximum of the last minute; the last sample never gets too old to count."""
        self._forget(now)
        return self._foreign[0][1] if self._foreign else 0

    def disown(self, size: int, foreign: int) -> None:
        """`size` bytes were ours all the time; now `foreign` are not."""
        before = list(self._foreign)
        self._foreign.clear()
        for at, seen in before:
            self.sample(max(foreign, seen - size), at)

    def _forget(self, now: float) -> None:
        while len(self._foreign) > 1 and self._foreign[0][0] < now - FOREIGN_SECONDS:
            self._foreign.popleft()
