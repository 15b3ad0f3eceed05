"""The Alerts view: what fires, and saying something to it."""

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widget import Widget

from orchestra_core.domain.alerts import AlertView
from orchestra_tui.asking.alerts import alert
from orchestra_tui.engine import EngineError
from orchestra_tui.present import alerts
from orchestra_tui.present.picture import Picture
from orchestra_tui.present.spans import Line, line, span
from orchestra_tui.screens.dialogs import PickScreen
from orchestra_tui.screens.tabled import TableScreen
from orchestra_tui.screens.view import bindings
from orchestra_tui.widgets.lines import Pane


class AlertsScreen(TableScreen):
    """A table of alerts with the details of the selected one beside it where there is room."""

    VIEW = "alerts"
    BINDINGS: ClassVar[list[BindingType]] = bindings("alerts")

    def __init__(self) -> None:
        super().__init__()
        self._only_firing = False

    def body(self) -> Iterable[Widget]:
        with Horizontal(id="split"):
            yield self.live_table()
            yield Pane(self._detail, "Details", id="detail", focusable=False)

    def action_detail(self) -> None:
        key = self.table.selected
        if key is None:
            self.say(line(span("no alert selected", "warn")))
            return

        def drawn(picture: Picture, cells: int, _rows: int) -> list[Line]:
            view = alerts.alert(picture.snapshot, key)
            return alerts.detail(view, picture, cells) if view else [line(span(f" {key} is gone", "warn"))]

        self.sheet("Alert", drawn)

    # -- saying something to it

    def action_acknowledge(self) -> None:
        view = self._target("ack")
        if view is None:
            return
        if not view.firing:
            self.console.say(f"ack: {view.id} does not fire, it is {view.state}", "warn")
            return
        self._send("ack", view.id, None)

    def action_silence(self) -> None:
        """What is chosen is done to the alert that was selected when the key was pressed."""
        view = self._target("silence")
        if view is None:
            return

        def answered(choice: str | None) -> None:
            wish = alerts.chosen(view, choice or "")
            if wish is None:
                self.console.say("silence cancelled", "muted")
            else:
                self._send(*wish)

        self.app.push_screen(PickScreen(f"Silence {view.id}", alerts.choices(view), "1 hour"), answered)

    def _target(self, verb: str) -> AlertView | None:
        """The selected alert as it is now; says why there is none."""
        fresh, key = self.console.fresh(), self.table.selected
        view = alerts.alert(fresh.snapshot, key)
        if not fresh.link.live:
            state = fresh.link.state.value
            self.console.say(f"{verb}: not connected to the engine ({state}); nothing was sent", "warn")
            return None
        if view is None:
            self.console.say(
                f"{verb}: no alert selected" if key is None else f"{verb}: {key} is gone", "warn"
            )
        return view

    def _send(self, verb: str, name: str, seconds: float | None) -> None:
        self.console.say(f"{verb} {name}: sent …")
        self.console.run_worker(self._ask(verb, name, seconds), group="alerts")

    async def _ask(self, verb: str, name: str, seconds: float | None) -> None:
        try:
            await alert(self.console.engine, verb, name, seconds)
        except EngineError as error:
            self.console.say(f"{verb} {name}: {error.message}", "bad")
        else:
            done = {"ack": "acknowledged", "silence": "silenced"}.get(verb, "no longer silenced")
            self.console.say(f"{name} is {done}")

    # -- what is shown

    def action_only_firing(self) -> None:
        self._only_firing = not self._only_firing
        self.redraw(self.picture)
        self.say(line(span("only what fires" if self._only_firing else "all alerts", "accent")))

    def copied(self) -> str:
        view = alerts.alert(self.picture.snapshot, self.table.selected)
        return f"{view.id}: {view.message}" if view else ""

    def rows(self, picture: Picture, cells: int) -> None:
        views = alerts.matching(picture.snapshot, self._query, only_firing=self._only_firing)
        self.table.show_rows(*alerts.table(views, picture, cells))
        self.table.age(picture.stale and picture.snapshot is not None)
        total = len(picture.snapshot.alerts) if picture.snapshot else 0
        chips = ("firing  " if self._only_firing else "") + (
            f"filter: {self._query}  " if self._query else ""
        )
        self.table.entitle(f"Alerts  {chips}{len(views)}/{total}")

    def _detail(self, picture: Picture, cells: int, _rows: int) -> list[Line]:
        view = alerts.alert(picture.snapshot, self.table.selected)
        if view is None:
            return [line(span(" nothing selected" if picture.snapshot else "", "muted"))]
        return alerts.detail(view, picture, cells)
