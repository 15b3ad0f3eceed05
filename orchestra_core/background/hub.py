"""Events to whoever listens; the engine never waits for a listener."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable

from orchestra_core.clock import Clock, rfc3339
from orchestra_core.domain.events import Event
from orchestra_core.domain.snapshot import Snapshot
from orchestra_core.domain.text import safe_text

log = logging.getLogger("orchestra")
_LEVELS = {"debug": logging.DEBUG, "warning": logging.WARNING, "error": logging.ERROR}
_KEPT = 100
_QUEUE = 256


class _Listener:
    """One subscription: what it has not taken yet, and what wakes it."""

    __slots__ = ("queue", "wake")

    def __init__(self) -> None:
        self.queue: deque[Event] = deque(maxlen=_QUEUE)
        self.wake = asyncio.Event()


class Hub:
    """Keeps the last events and hands new ones to subscribers; a slow one loses its oldest."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._recent: deque[Event] = deque(maxlen=_KEPT)
        self._listeners: set[_Listener] = set()
        self._loop = asyncio.get_running_loop()
        self.published = 0
        self.closing = False

    @property
    def recent(self) -> tuple[Event, ...]:
        return tuple(self._recent)

    @property
    def subscribers(self) -> int:
        return len(self._listeners)

    def publish(self, kind: str, subject: str, message: str, level: str = "info") -> None:
        """Call on the event loop. What came from outside is sanitised here."""
        event = Event(rfc3339(self._clock.wall()), kind, safe_text(subject), safe_text(message), level)
        log.log(_LEVELS.get(level, logging.INFO), "%s %s: %s", kind, event.subject, event.message)
        self._recent.append(event)
        self.published += 1
        for listener in self._listeners:
            listener.queue.append(event)
            listener.wake.set()

    def close(self) -> None:
        """Ends every subscription."""
        self.closing = True
        for listener in self._listeners:
            listener.wake.set()

    async def subscribe(
        self, interval: float, snapshot: Callable[[], Snapshot]
    ) -> AsyncGenerator[Snapshot | Event, None]:
        """Events as they happen; if `interval` is above 0, first the whole state and then again so often."""
        listener = _Listener()
        queue, wake = listener.queue, listener.wake
        self._listeners.add(listener)
        due = self._loop.time()
        try:
            while not self.closing:
                if interval and self._loop.time() >= due:
                    due = max(due + interval, self._loop.time())
                    yield snapshot()
                while queue:
                    yield queue.popleft()
                wake.clear()
                if not queue:
                    await self._sleep(wake, due - self._loop.time() if interval else None)
        finally:
            self._listeners.discard(listener)

    @staticmethod
    async def _sleep(wake: asyncio.Event, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await wake.wait()
        except TimeoutError:
            return
