"""[Alerts]: looks once a second, tells what has changed, and writes down what must outlive the engine."""

import asyncio
from collections.abc import Callable

import msgspec

from orchestra_core.alerting.board import Change, Waiting
from orchestra_core.alerting.facts import Facts
from orchestra_core.alerting.policy import Policy
from orchestra_core.alerting.watch import Watch
from orchestra_core.background.alert_store import AlertStore
from orchestra_core.clock import Clock, rfc3339
from orchestra_core.domain.alerts import AlertView, SilenceView

LOOK_SECONDS = 1.0
_NOTHING = -1


class Alerting:
    """`tell` delivers a change, `say` publishes what operators do and what goes wrong here."""

    def __init__(
        self,
        *,
        clock: Clock,
        policy: Callable[[], Policy],
        facts: Callable[[], Facts],
        tell: Callable[[Change], None],
        say: Callable[[str, str, str, str], None],
        store: AlertStore,
    ) -> None:
        self._clock = clock
        self._policy = policy
        self._facts = facts
        self._tell = tell
        self._say = say
        self._store = store
        self._watch = Watch(rfc3339)
        self._saved = 0
        self._saving = False
        self._changed = asyncio.Event()
        self._problem = ""
        self._inherited = False

    def load(self) -> tuple[Waiting, ...]:
        """Blocking, before the engine serves: what an earlier one had not delivered."""
        memory, problem = self._store.load()
        self._inherited = bool(memory.waiting)
        self._watch.board.restore(memory, self._clock.wall())
        self._complain(problem)
        return memory.waiting

    async def run(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(LOOK_SECONDS)

    def look(self) -> None:
        """One look, and what follows from it."""
        clock = self._clock
        for change in self._watch.look(self._facts(), self._policy(), clock.monotonic(), clock.wall()):
            self._tell(change)
        self._keep()

    # -- what the surfaces ask

    @property
    def views(self) -> tuple[AlertView, ...]:
        return self._watch.board.views

    @property
    def silences(self) -> tuple[SilenceView, ...]:
        return self._watch.board.silences

    def acknowledge(self, name: str, by: str, reason: str) -> AlertView:
        """Raises NotFound, or OperationFailed for one that does not fire."""
        view = self._watch.board.acknowledge(name, by, reason, self._clock.wall())
        self._said("alert.acknowledged", name, f"acknowledged by {by}", reason)
        return view

    def silence(self, name: str, seconds: float, by: str, reason: str) -> SilenceView:
        """Raises NotFound for what no rule can say."""
        view = self._watch.board.silence(name, seconds, by, reason, self._clock.wall())
        self._said("alert.silenced", name, f"silenced by {by} until {view.until}", reason)
        return view

    def unsilence(self, name: str, by: str) -> SilenceView:
        """Raises NotFound where that is not silenced."""
        view = self._watch.board.unsilence(name, self._clock.wall())
        self._said("alert.unsilenced", name, f"no longer silenced, by {by}", "")
        return view

    def _said(self, kind: str, name: str, what: str, reason: str) -> None:
        self._say(kind, name, f"{what}: {reason}" if reason else what, "info")
        self._keep()

    # -- what outlives the engine

    def _keep(self) -> None:
        if self._watch.board.version != self._saved:
            self._changed.set()

    async def keep_writing(self) -> None:
        """For ever, one write after another, each when something has changed."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            board, self._saving = self._watch.board, True
            self._saved = board.version
            problem = await asyncio.to_thread(self._store.save, board.memory(), board.version)
            self._complain(problem)
            if problem:
                self._saved = _NOTHING  # the next look, or the end of the engine, tries again
            self._saving = False

    def flush(self, waiting: tuple[Waiting, ...]) -> None:
        """Writes it down now, with what is not delivered; blocking, for the end of the engine."""
        board = self._watch.board
        if self._saving or self._inherited or waiting or board.version != self._saved:
            self._store.save(msgspec.structs.replace(board.memory(), waiting=waiting), board.version)

    def _complain(self, problem: str) -> None:
        """Once, until it is mended."""
        if problem and problem != self._problem:
            self._say("alert.memory", "alerts", problem, "warning")
        self._problem = problem
