"""Processor sharing by virtual time: what makes thousands of requests cost a heap and no scanning.

Every running request progresses at the same rate, 1 / s(b) with s(b) = 1 + alpha (b - 1). So one shared
virtual clock advances at that rate, and a request's milestones are fixed points on it from the start; when b
changes only the rate of the clock does. The virtual clock is re-anchored at such changes alone: reading it
more or less often therefore changes no result, not even in the last bit.
"""

from heapq import heappop, heappush
from math import inf


class SharedTime:
    """The virtual clock of one device and the milestones on it."""

    def __init__(self, alpha: float, now: float) -> None:
        self._alpha = alpha
        self._anchor = now
        self._virtual = 0.0
        self._speed = 1.0
        self._heap: list[tuple[float, int, str]] = []
        self._sequence = 0
        self._live: dict[str, int] = {}
        self.running = 0
        self.served = 0.0

    @property
    def slowdown(self) -> float:
        """How many times longer than alone a request takes now; inf while nothing moves."""
        shared = 1.0 + self._alpha * max(0, self.running - 1)
        return shared / self._speed if self._speed else inf

    def position(self, now: float) -> float:
        slowdown = self.slowdown
        return self._virtual + (now - self._anchor) / slowdown

    def _reanchor(self, now: float) -> None:
        position = self.position(now)
        self.served += self.running * (position - self._virtual)
        self._virtual, self._anchor = position, now

    def join(self, now: float) -> float:
        """One more request runs; returns its starting point on the virtual clock."""
        self._reanchor(now)
        self.running += 1
        return self._virtual

    def leave(self, id: str, now: float) -> None:
        self._reanchor(now)
        self.running -= 1
        self._live.pop(id, None)

    def set_speed(self, speed: float, now: float) -> None:
        """1 is normal, 0.1 ten times slower, 0 stands still."""
        self._reanchor(now)
        self._speed = speed

    def schedule(self, id: str, point: float) -> None:
        """The one next milestone of a running request; replaces the one before."""
        self._sequence += 1
        self._live[id] = self._sequence
        heappush(self._heap, (point, self._sequence, id))

    def next_time(self) -> float:
        """When the next milestone is reached at today's rate; inf if none."""
        while self._heap and self._live.get(self._heap[0][2]) != self._heap[0][1]:
            heappop(self._heap)
        if not self._heap:
            return inf
        slowdown = self.slowdown
        if slowdown == inf:
            return inf
        # Rounding may put a milestone a last bit before the anchor; time must not run back.
        return self._anchor + max(0.0, self._heap[0][0] - self._virtual) * slowdown

    def pop(self) -> str:
        """Takes the milestone `next_time` spoke of; call that first."""
        return heappop(self._heap)[2]

    def clear(self, now: float) -> None:
        """Everything that ran is lost."""
        self._reanchor(now)
        self.running = 0
        self._heap.clear()
        self._live.clear()
