"""The bounded hand-over from the event loop to the writer thread.

The producer never waits and normally touches no lock: `_trigger` is the length at which the writer wants to
be woken, and is out of reach while the writer is busy. The writer sets `_trigger` before it looks at the
queue, the producer appends before it looks at `_trigger`, so one of them always sees the other.
"""

import sys
from collections import deque
from threading import Event
from typing import Generic, TypeVar

T = TypeVar("T")
_NEVER = sys.maxsize


class Backlog(Generic[T]):
    """One producer, one consumer. `held` counts what the consumer took and has not settled yet."""

    def __init__(self, capacity: int, batch: int, window: float) -> None:
        self._queue: deque[T] = deque()
        self._capacity = capacity
        self._batch = batch
        self._window = window
        self._trigger = _NEVER
        self._wake = Event()
        self._hurry = False
        self.closing = False
        self.held = 0

    def __len__(self) -> int:
        return len(self._queue) + self.held

    def put(self, entry: T) -> bool:
        """O(1), never waits; False when full."""
        queue = self._queue
        waiting = len(queue)
        if waiting + self.held >= self._capacity:
            return False
        queue.append(entry)
        if waiting + 1 >= self._trigger:
            self._trigger = _NEVER
            self._wake.set()
        return True

    def gather(self) -> None:
        """Waits for a first entry, then until there is a batch, the window (seconds) is over, or haste."""
        self._wait(1, None)
        self._wait(self._batch, self._window)

    def _wait(self, level: int, timeout: float | None) -> None:
        self._wake.clear()
        self._trigger = level
        if len(self._queue) < level and not (self._hurry or self.closing):
            self._wake.wait(timeout)
        self._trigger = _NEVER

    def take(self, limit: int) -> list[T]:
        """Moves up to `limit` entries to the consumer, which sets `held` to 0 when they are settled."""
        queue = self._queue
        # Cleared before anything leaves the queue: haste asked for from here on is for what comes after.
        self._hurry = False
        # Counted as held before they leave the queue, so that the sum never falls below the truth.
        self.held = min(limit, len(queue))
        taken = [queue.popleft() for _ in range(self.held)]
        if len(taken) == limit:
            # Catching up: what is left has waited long enough.
            self._hurry = True
        return taken

    def hurry(self) -> None:
        """Ends the current or the next window at once. From any thread."""
        self._hurry = True
        self._wake.set()

    def close(self) -> None:
        """No more waiting from here on. From any thread."""
        self.closing = True
        self._wake.set()

    def refuse(self) -> int:
        """Takes nothing any more and forgets what is left; the number of entries forgotten."""
        self._capacity = 0
        left = len(self)
        self._queue.clear()
        self.held = 0
        return left
