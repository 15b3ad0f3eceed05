"""The one way to load and unload: fresh state, the engine's plan, confirmation, and both once more."""

from typing import TYPE_CHECKING

from orchestra_core.domain.snapshot import ModelView
from orchestra_tui.asking.models import operate, plan
from orchestra_tui.engine import EngineError
from orchestra_tui.messages import SnapshotArrived
from orchestra_tui.present.confirm import DRAIN_SECONDS, Planned, Question, Refusal, ask
from orchestra_tui.present.picture import Picture, model
from orchestra_tui.present.plans import accepted
from orchestra_tui.screens.dialogs import ConfirmScreen

if TYPE_CHECKING:
    from orchestra_tui.app import Orchestra


class Gate:
    """Asks about an endpoint that is held by its id from the key press to the request."""

    def __init__(self, app: "Orchestra") -> None:
        self._app = app

    def ask(self, verb: str, target: str | None) -> None:
        """Asks, or says why not; before it says so on live data it looks whether that has changed."""
        asked = ask(verb, target, self._app.fresh())
        if isinstance(asked, Question):
            self._open(asked)
        elif target is not None and self._app.fresh().link.live:
            self._app.run_worker(self._again(verb, target), group="gate", exclusive=True)
        else:
            self._app.say(asked.reason, "warn")

    async def _again(self, verb: str, target: str) -> None:
        fresh = self._app.fresh()
        try:
            snapshot = await self._app.engine.fetch()
        except EngineError as error:
            self._app.say(f"{verb}: {error.message}", "warn")
            return
        self._app.post_message(SnapshotArrived(snapshot))
        asked = ask(verb, target, Picture(snapshot=snapshot, link=fresh.link, glyphs=fresh.glyphs))
        if isinstance(asked, Question):
            self._open(asked)
        else:
            self._app.say(asked.reason, "warn")

    def _open(self, asked: Question, planned: Planned | None = None) -> None:
        Asking(self._app, self, asked, planned).begin()

    def confirmed(self, agreed: Question, planned: Planned | None) -> None:
        """Acts, unless the state has moved on: then it says why not, or asks about what is more than was agreed."""
        fresh = self._app.fresh()
        asked = ask(agreed.verb, agreed.target, fresh, planned)
        view = model(fresh.snapshot, agreed.target)
        if isinstance(asked, Refusal) or view is None:
            self._app.say(asked.reason if isinstance(asked, Refusal) else f"{agreed.target} is gone", "warn")
        elif asked.beyond(agreed):
            self._open(asked, planned)
        else:
            self._app.say(f"{agreed.verb} {view.model} on {view.backend}: sent …")
            self._app.run_worker(self._act(agreed, view), group="operate")

    async def _act(self, agreed: Question, view: ModelView) -> None:
        """A load is planned once more: what is done is what was agreed to."""
        if agreed.verb == "load":
            planned = await self.planned(view)
            asked = ask("load", view.id, self._app.fresh(), planned)
            if isinstance(asked, Question) and (asked.beyond(agreed) or not asked.open):
                self._app.say(
                    f"load {view.model} on {view.backend}: the plan has changed, nothing was sent", "warn"
                )
                self._open(asked, planned)
                return
        where = f"{agreed.verb} {view.model} on {view.backend}"
        drain = DRAIN_SECONDS if agreed.typed else None
        try:
            done = await operate(self._app.engine, agreed.verb, view.model, view.backend, drain)
        except EngineError as error:
            self._app.say(f"{where}: {error.message}", "bad")
        else:
            self._app.say(f"{where}: accepted{accepted(done.plan)}")

    async def planned(self, view: ModelView) -> Planned:
        """The engine's plan of a load as things are now, or its refusal."""
        try:
            return Planned((await plan(self._app.engine, "load", view.model, view.backend)).plan)
        except EngineError as error:
            return Planned(refusal=error.message)


class Asking:
    """One dialog from its opening to its answer; the plan of a load is put in when it is there, and renewed."""

    def __init__(self, app: "Orchestra", gate: Gate, asked: Question, planned: Planned | None) -> None:
        self._app = app
        self._gate = gate
        self._first = asked
        self._planned = planned
        self._planning = False
        self._screen = ConfirmScreen(asked, self._follow, app.fresh().glyphs)

    def begin(self) -> None:
        self._app.push_screen(self._screen, self._answered)
        self._renew()

    def _follow(self, _picture: Picture) -> Question | Refusal:
        self._renew()
        return self._now()

    def _now(self) -> Question | Refusal:
        return ask(self._first.verb, self._first.target, self._app.fresh(), self._planned)

    def _renew(self) -> None:
        if self._first.verb == "load" and not self._planning:
            self._planning = True
            self._app.run_worker(self._plan(), group="plan")

    async def _plan(self) -> None:
        view = model(self._app.fresh().snapshot, self._first.target)
        if view is not None:
            self._planned = await self._gate.planned(view)
        self._planning = False
        asked = self._now()
        if self._screen.is_current and isinstance(asked, Question):
            self._screen.put(asked)

    def _answered(self, agreed: Question | None) -> None:
        if agreed is None:
            self._app.say(f"{self._first.verb} cancelled", "muted")
        else:
            self._gate.confirmed(agreed, self._planned)
