"""How the event loop tells the writer thread that there is something to do, without a lock and without waiting.

`_trigger` is the count at which the writer wants to be woken, and is out of reach while the writer is busy. The
writer sets `_trigger` before it looks at the count, the producer counts before it looks at `_trigger`, so one of
them always sees the other.
"""

import sys
from threading import Event
from typing import Final

_NEVER: Final = sys.maxsize


class Bell:
    """One producer, one consumer. `count` is how often it rang, `heard` how much of that the consumer knows."""

    def __init__(self, batch: int, window: float) -> None:
        self._batch = batch
        self._window = window
        self._trigger = _NEVER
        self._wake = Event()
        self._hurry = False
        self.closing = False
        self.count = 0
        self.heard = 0

    def ring(self) -> None:
        """O(1), never waits."""
        self.count = count = self.count + 1
        if count >= self._trigger:
            self._trigger = _NEVER
            self._wake.set()

    def listen(self, timeout: float | None = None) -> None:
        """Waits for a first ring, at most `timeout` seconds, then until there is a batch, the window (seconds) is
        over, or haste. What rang before it returns is `heard`.
        """
        self._wait(1, timeout)
        if self.count > self.heard:
            self._wait(self._batch, self._window)
        # Cleared before it is counted: haste asked for from here on is for what comes after.
        self._hurry = False
        self.heard = self.count

    def _wait(self, level: int, timeout: float | None) -> None:
        self._wake.clear()
        self._trigger = self.heard + level
        if self.count < self._trigger and not (self._hurry or self.closing):
            self._wake.wait(timeout)
        self._trigger = _NEVER

    def hurry(self) -> None:
        """Ends the current or the next wait at once. From any thread."""
        self._hurry = True
        self._wake.set()

    def close(self) -> None:
        """No more waiting from here on. From any thread."""
        self.closing = True
        self._wake.set()
