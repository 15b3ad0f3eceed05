"""Fault drills from the key to the report: a fault, its form, the gate, and what came of it in a sheet."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
from textual.widgets import Input, TextArea

from orchestra_core.domain.drills import DrillReport
from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.asking.drills import Drills, drills, planned
from orchestra_tui.engine import EngineError
from orchestra_tui.present.deeds.deed import Answer, Refusal, consider
from orchestra_tui.present.deeds.drill import begun, drill, stop
from orchestra_tui.present.drills import choices, fields, report, rows, running, usual, wish
from orchestra_tui.present.picture import Picture
from orchestra_tui.present.spans import Line, line, span
from orchestra_tui.screens.dialogs import PickScreen
from orchestra_tui.screens.form import FormScreen
from orchestra_tui.screens.help import SheetScreen
from orchestra_tui.screens.view import ViewScreen

if TYPE_CHECKING:
    from orchestra_tui.app import Orchestra


class Drilling:
    """One of them for the console. What is typed for a fault stands there the next time."""

    def __init__(self, app: "Orchestra") -> None:
        self._app = app
        self._typed: dict[str, dict[str, str]] = {}
        self._wished: set[str] = set()
        self._ours: set[str] = set()
        self._reports: dict[str, DrillReport] = {}
        self._open: tuple[str, SheetScreen] | None = None
        self._asking = False

    # -- beginning and ending

    def begin(self, endpoint: str) -> None:
        """Asks for a fault on an endpoint; where one is injected already, ends it."""
        fresh = self._app.fresh()
        now = running(fresh.snapshot, endpoint) if endpoint else []
        if now:
            self._app.do(stop(now[0]))
            return
        asked = consider(drill(endpoint, {}), fresh)
        if isinstance(asked, Refusal):
            self._app.say(asked.reason, "warn")
            return

        def chosen(fault: str | None) -> None:
            if fault:
                self._form(endpoint, fault)
            else:
                self._app.say("drill cancelled", "muted")

        title = f"Fault drill on {endpoint}"
        self._app.push_screen(PickScreen(title, choices(fresh.glyphs), "errors"), chosen)

    def _form(self, endpoint: str, fault: str) -> None:
        def given(typed: dict[str, str] | None) -> None:
            if typed is None:
                self._app.say("drill cancelled", "muted")
                return
            self._typed[fault] = typed
            self._app.say(f"drill on {endpoint}: asking the engine …", "muted")
            self._app.run_worker(self._plan(endpoint, wish(endpoint, fault, typed)), group="drill")

        before = self._typed.get(fault, usual(fault))
        self._app.push_screen(FormScreen(f"{fault} on {endpoint}", fields(fault), before), given)

    async def _plan(self, endpoint: str, body: Mapping[str, object]) -> None:
        try:
            plan = await planned(self._app.engine, body)
        except EngineError as error:
            self._app.say(f"drill: {error.message}", "bad")
            return
        deed = drill(endpoint, body, plan)
        self._app.do(msgspec.structs.replace(deed, heard=self._begun))

    def _begun(self, answers: Sequence[Answer]) -> str:
        """Its report will come up here."""
        self._wished.update(str(answer.get("id", "")) for answer in answers)
        return begun(answers)

    # -- what came of it

    def list(self) -> None:
        """Opens the list of those that run and of the last reports."""
        self._app.run_worker(self._list(), group="list of drills", exclusive=True)

    async def _list(self) -> None:
        found = await self._ask()
        if found is None:
            return
        if not found.every:
            self._app.say("no drills since the engine started; F on a model begins one")
            return
        fresh = self._app.fresh()
        listed = rows(fresh.snapshot, found.every, min(self._app.size.width - 14, 100), fresh.glyphs)

        def chosen(id: str | None) -> None:
            if id:
                self._show(id)

        self._app.push_screen(PickScreen("Fault drills", listed, listed[0][0]), chosen)

    async def _ask(self) -> Drills | None:
        self._asking = True
        try:
            found = await drills(self._app.engine)
        except EngineError as error:
            self._app.say(f"drills: {error.message}", "warn")
            return None
        finally:
            self._asking = False
        self._reports = {one.id: one for one in found.every}
        return found

    def _show(self, id: str) -> None:
        def drawn(picture: Picture, cells: int, _rows: int) -> list[Line]:
            found = self._reports.get(id)
            if found is None:
                return [line(span(f" {id} is gone", "warn"))]
            return report(found, cells, picture.glyphs)

        endpoint = self._reports[id].endpoint if id in self._reports else ""
        sheet = SheetScreen("Fault drill", drawn, [part for part in ("Fault drill", id, endpoint) if part])
        self._open = id, sheet
        self._app.push_screen(sheet)
        self._app.call_after_refresh(lambda: sheet.show(self._app.picture()))

    # -- following

    def arrived(self, snapshot: Snapshot) -> None:
        """Opens the report of a drill that was begun here when it is done, and keeps the one that is open new."""
        known = {view.id for view in snapshot.drills}
        # A snapshot may be older than the answer: what was never seen has not ended.
        self._ours |= self._wished & known
        self._wished -= known
        done = self._ours - known
        self._ours -= done
        if done:
            self._app.run_worker(self._done(sorted(done)), group="drills")
        elif self._watched() and not self._asking:
            self._app.run_worker(self._ask(), group="drills")

    def _watched(self) -> bool:
        """Whether a report is open of which there will be more."""
        if self._open is None:
            return False
        id, sheet = self._open
        if not sheet.is_attached:
            self._open = None
            return False
        return id in self._reports and self._reports[id].state != "done"

    async def _done(self, ids: Sequence[str]) -> None:
        if await self._ask() is None:
            return
        for id in ids:
            found = self._reports.get(id)
            if found is None:
                continue
            grade = f"grade {found.grade}" if found.grade else "nothing to grade"
            self._app.say(f"drill {id} on {found.endpoint}: {grade}; see :drills")
            if self._idle():
                self._show(id)

    def _idle(self) -> bool:
        """Nothing is open over the view, and nobody types: a report may come up by itself."""
        screen = self._app.screen
        return isinstance(screen, ViewScreen) and not isinstance(screen.focused, Input | TextArea)
