"""The line between this console and its terminal: asked how quick it is, and spared where it is slow."""

from collections.abc import Callable
from queue import Queue
from typing import Any

from textual.app import App

from orchestra_tui.present.pace import Pace

# Where is the cursor? Four bytes there and ten back, past all that was written before.
QUESTION = "\x1b[6n"
PERIOD = 2.0


class Pacing:
    """Asks now and then; `changed` is called with whether the line is slow when that is news."""

    def __init__(self, app: App[Any], now: Callable[[], float], changed: Callable[[bool], None]) -> None:
        self.pace = Pace()
        self.forced: bool | None = None
        self._app = app
        self._now = now
        self._changed = changed
        self._at = 0.0

    @property
    def slow(self) -> bool:
        """As the user said, else as it was measured."""
        return self.pace.slow if self.forced is None else self.forced

    def force(self, slow: bool | None) -> None:
        """The user knows better; None: no longer."""
        before, self.forced = self.slow, slow
        self._tell(before)

    def tick(self) -> None:
        before = self.slow
        self.pace.look(self._now(), self._queued())
        if not self.pace.waiting and self._now() - self._at >= PERIOD:
            self._ask()
        self._tell(before)

    def answered(self) -> None:
        before = self.slow
        self.pace.answered(self._now())
        self._tell(before)

    def _queued(self) -> int:
        """Writes that wait; Textual has no other way to ask for them."""
        queue = getattr(getattr(self._app._driver, "_writer_thread", None), "_queue", None)
        return queue.qsize() if isinstance(queue, Queue) else 0

    def _ask(self) -> None:
        driver = self._app._driver
        if driver is not None and not self._app.is_headless:
            self._at = self._now()
            self.pace.asked(self._at)
            driver.write(QUESTION)

    def _tell(self, before: bool) -> None:
        if before is not self.slow:
            self._changed(self.slow)
