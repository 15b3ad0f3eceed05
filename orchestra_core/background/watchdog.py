"""Notices when the event loop was blocked: everything waits then, timeouts and probes included.

A timer ten times a second costs some 20 µs each; how late it comes is the lag.
"""

import asyncio
from collections.abc import Callable

from orchestra_core.clock import Clock

EVERY_SECONDS = 0.1
LAG_SECONDS = 0.25
# Blocked again and again, it is said this often; the counter has them all.
SAY_SECONDS = 10.0
_WINDOW_SECONDS = 30.0


class Watchdog:
    """`lag` is the worst of the last 30 to 60 seconds, `stalls` how often it was above 250 ms."""

    def __init__(self, clock: Clock, say: Callable[[str, str, str, str], None]) -> None:
        self._clock = clock
        self._say = say
        self._loop = asyncio.get_running_loop()
        self._worst = [0.0, 0.0]
        self._said_at = float("-inf")
        self.stalls = 0
        self._due = self._window_ends = clock.monotonic()
        self._next()

    @property
    def lag(self) -> float:
        return max(self._worst)

    def beat(self) -> None:
        """The timer calls it."""
        now = self._clock.monotonic()
        if now >= self._window_ends:
            self._worst = [self._worst[1], 0.0]
            self._window_ends = now + _WINDOW_SECONDS
        lag = max(0.0, now - self._due)
        self._worst[1] = max(self._worst[1], lag)
        if lag > LAG_SECONDS:
            self._stalled(lag, now)
        self._next()

    def _stalled(self, lag: float, now: float) -> None:
        self.stalls += 1
        if now - self._said_at >= SAY_SECONDS:
            self._said_at = now
            lost = f"blocked for {lag * 1000:.0f} ms: nothing was served in that time"
            self._say(
                "engine.stalled", "event loop", f"{lost} (number {self.stalls} since the start)", "warning"
            )

    def _next(self) -> None:
        self._due = self._clock.monotonic() + EVERY_SECONDS
        self._timer = self._loop.call_later(EVERY_SECONDS, self.beat)

    def close(self) -> None:
        self._timer.cancel()
