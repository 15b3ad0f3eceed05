"""The Alerts view: what fires, and saying something to it."""

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widget import Widget

from orchestra_tui.present import alerts
from orchestra_tui.present.deeds.alerts import acknowledge, silence
from orchestra_tui.present.deeds.deed import Refusal, consider
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
        self.console.do(acknowledge(self.chosen()))

    def action_silence(self) -> None:
        """What is chosen is done to the alert that was selected when the key was pressed."""
        key = self.table.selected
        asked = consider(silence("silence", self.chosen()), self.console.fresh())
        view = alerts.alert(self.console.fresh().snapshot, key)
        if isinstance(asked, Refusal) or view is None:
            reason = asked.reason if isinstance(asked, Refusal) else f"silence: {key} is gone"
            self.console.say(reason, "warn")
            return

        def answered(choice: str | None) -> None:
            wish = alerts.chosen(view, choice or "")
            if wish is None:
                self.console.say("silence cancelled", "muted")
            else:
                verb, name, seconds = wish
                self.console.do(silence(verb, [name], seconds))

        self.app.push_screen(PickScreen(f"Silence {view.id}", alerts.choices(view), "1 hour"), answered)

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
