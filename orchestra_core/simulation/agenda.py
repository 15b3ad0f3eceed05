"""Actions due at given times, in order; equal times in the order they were set."""

from collections.abc import Callable
from heapq import heappop, heappush
from math import inf

Action = Callable[[float], None]


class Agenda:
    """A heap of timers. None is ever removed: an action checks for itself whether it still applies."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Action]] = []
        self._sequence = 0

    def add(self, at: float, action: Action) -> None:
        self._sequence += 1
        heappush(self._heap, (at, self._sequence, action))

    def next_time(self) -> float:
        return self._heap[0][0] if self._heap else inf

    def fire(self) -> None:
        """Runs the earliest action, with its own time."""
        at, _, action = heappop(self._heap)
        action(at)
