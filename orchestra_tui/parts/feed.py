"""The one feed from the engine: what came of it, how fresh it is, and the engine this console may start."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from textual.app import App

from orchestra_core.domain.events import Event
from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.activity import Activity
from orchestra_tui.engine import Engine, EngineError
from orchestra_tui.history import History
from orchestra_tui.launch import Launcher
from orchestra_tui.messages import EventArrived, LinkLost, SnapshotArrived
from orchestra_tui.present.connection import Connection, Lost
from orchestra_tui.present.picture import Launch, Link
from orchestra_tui.readings import Readings

INTERVALS = (0.5, 1.0, 2.0, 5.0, 10.0)
SLOW_INTERVAL = 2.0
Say = Callable[[str, str], None]


class Feed:
    """Holds the newest state. `now` is the monotonic clock in seconds."""

    def __init__(
        self, app: App[Any], engine: Engine, launcher: Launcher | None, now: Callable[[], float], say: Say
    ) -> None:
        self.engine = engine
        self.launcher = launcher
        self.snapshot: Snapshot | None = None
        self.latest: Event | None = None
        self.chosen = 1.0
        self.slow = False
        self.history = History()
        self.activity = Activity()
        self.readings = Readings()
        self._app = app
        self._now = now
        self._say = say
        self._connection = Connection()
        self._launched: float | None = None
        self._asking = False

    # -- what is known

    @property
    def interval(self) -> float:
        """Seconds between snapshots: as the user chose, but not often where the line to the terminal is slow."""
        return max(self.chosen, SLOW_INTERVAL) if self.slow else self.chosen

    def link(self) -> Link:
        starting = self.launcher is not None and self.launcher.alive
        return self._connection.link(self._now(), self.interval, starting=starting)

    def launch(self) -> Launch | None:
        """How the engine we started is doing, as long as that matters."""
        ours = self.launcher
        if ours is None or self._launched is None or self.link().live:
            return None
        if ours.code is None and self.snapshot is not None:
            return None
        return Launch(ours.pid, self._now() - self._launched, ours.log, ours.tail(6), ours.code)

    def can_start(self) -> bool:
        """Whether an engine could be started now: we know how, ours is not running, and nothing listens."""
        return self.launcher is not None and not self.launcher.alive and self._connection.absent

    # -- asking

    def follow(self) -> None:
        """Opens the stream, anew if there is one."""
        self._app.run_worker(self._feed(), group="feed", exclusive=True)

    async def _feed(self) -> None:
        async for update in self.engine.watch(self.interval):
            if isinstance(update, Snapshot):
                self._app.post_message(SnapshotArrived(update))
            elif isinstance(update, Lost):
                self._app.post_message(LinkLost(update))
            else:
                self._app.post_message(EventArrived(update))

    def ask_for_news(self) -> None:
        """Fetches the state a change led to, so that keys never act on the second before it."""
        if not self._asking:
            self._asking = True
            self._app.run_worker(self._news(), group="news")

    async def _news(self) -> None:
        with contextlib.suppress(EngineError):
            self._app.post_message(SnapshotArrived(await self.engine.fetch()))
        self._asking = False

    def renew(self, renewed: Callable[[Snapshot], None]) -> None:
        """Asks now, and tries again now where the engine is lost; starts it where that is ours to do."""
        if self.can_start():
            self.start_engine()
        self.engine.retry_now()
        self._app.run_worker(self._renew(renewed), group="renew", exclusive=True)

    async def _renew(self, renewed: Callable[[Snapshot], None]) -> None:
        try:
            renewed(await self.engine.fetch())
        except EngineError as error:
            self._say(f"refresh: {error.message}", "warn")

    def change_interval(self, by: int) -> None:
        """The next longer or shorter one of the usual intervals; the present one may be any."""
        shorter = [each for each in INTERVALS if each < self.chosen]
        longer = [each for each in INTERVALS if each > self.chosen]
        if shorter if by < 0 else longer:
            self.chosen = shorter[-1] if by < 0 else longer[0]
            later = (
                f" when the line is quick again; now {self.interval:g} s"
                if self.interval != self.chosen
                else ""
            )
            self._say(f"updates every {self.chosen:g} s{later}", "accent")
            self.follow()
        else:
            self._say(f"{self.chosen:g} s is the {'shortest' if by < 0 else 'longest'} interval", "warn")

    def spare(self, slow: bool) -> None:
        """The line to the terminal is slow, or quick again."""
        before, self.slow = self.interval, slow
        if slow:
            self._say(f"slow link: updates every {self.interval:g} s", "warn")
        else:
            self._say(f"the link is quick again: updates every {self.interval:g} s", "accent")
        if self.interval != before:
            self.follow()

    # -- what came

    def arrived(self, snapshot: Snapshot) -> None:
        before, self.snapshot = self.snapshot, snapshot
        self.history.add(self._now(), snapshot)
        self.activity.add(snapshot)
        self.readings.add(snapshot)
        self._connection.arrived(self._now())
        if before is not None and (before.pid, before.started) != (snapshot.pid, snapshot.started):
            self._say("the engine was restarted; connected again", "warn")
        if before is None and self._launched is None and self.launcher is not None and self.launcher.wishes:
            words = f"attached to the running engine: {self.launcher.wishes} change nothing there"
            self._say(words, "warn")
        if snapshot.events and self.latest is None:
            self.latest = max(snapshot.events, key=lambda each: each.at)

    def happened(self, event: Event) -> None:
        self.latest = event
        self.history.happened(self._now(), event)

    def lost(self, lost: Lost) -> None:
        self._connection.failed(self._now(), lost)
        if lost.absent and self._launched is None and self.snapshot is None:
            self.start_engine()

    # -- an engine of our own

    def start_engine(self) -> None:
        if self.launcher is None:
            return
        self._launched = self._now()
        try:
            self.launcher.start()
        except OSError as error:
            self._say(f"the engine cannot be started: {error}", "bad")
            self._launched = None
            self.launcher = None


def loop_time() -> float:
    """The monotonic clock of the loop that is running."""
    return asyncio.get_running_loop().time()
