"""The one way to load and unload: fresh state, risk, confirmation, and the state once more."""

from typing import TYPE_CHECKING

from orchestra_tui.client import EngineError
from orchestra_tui.messages import SnapshotArrived
from orchestra_tui.present.confirm import Question, Refusal, Risk, ask, planned
from orchestra_tui.present.picture import Picture, model
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

    def _open(self, asked: Question) -> None:
        def again(_picture: Picture) -> Question | Refusal:
            return ask(asked.verb, asked.target, self._app.fresh())

        def answered(accepted: Risk | None) -> None:
            if accepted is None:
                self._app.say(f"{asked.verb} cancelled", "muted")
            else:
                self._confirmed(asked.verb, asked.target, accepted)

        self._app.push_screen(ConfirmScreen(asked, again), answered)

    def _confirmed(self, verb: str, target: str, accepted: Risk) -> None:
        """Acts, unless the state has moved on: then it says why not, or asks about the risk that rose."""
        fresh = self._app.fresh()
        asked, view = ask(verb, target, fresh), model(fresh.snapshot, target)
        if isinstance(asked, Refusal) or view is None:
            self._app.say(asked.reason if isinstance(asked, Refusal) else f"{target} is gone", "warn")
        elif asked.risk > accepted:
            self._open(asked)
        else:
            self._app.say(f"{verb} {view.model} on {view.backend}: sent …")
            self._app.run_worker(self._operate(verb, view.model, view.backend), group="operate")

    async def _operate(self, verb: str, name: str, backend: str) -> None:
        try:
            done = await self._app.engine.operate(verb, name, backend)
        except EngineError as error:
            self._app.say(f"{verb} {name} on {backend}: {error.message}", "bad")
            return
        plan = done.plan
        told = planned(plan.needs_bytes, plan.frees_bytes, plan.evicts, plan.expected_seconds)
        self._app.say(f"{verb} {name} on {done.backend or backend}: accepted{told}")
