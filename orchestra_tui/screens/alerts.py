"""The Alerts view: what fires, and saying something to it."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widget import Widget

from orchestra_core.domain.alerts import AlertView
from orchestra_tui.present import alerts
from orchestra_tui.present.copies import Copy
from orchestra_tui.present.deeds.alerts import acknowledge, silence
from orchestra_tui.present.deeds.deed import Refusal, consider
from orchestra_tui.present.picture import Picture
from orchestra_tui.present.spans import Line, line, span
from orchestra_tui.present.subjects import ALERTS
from orchestra_tui.screens.dialogs import PickScreen
from orchestra_tui.screens.tabled import Rows, TableScreen
from orchestra_tui.screens.view import bindings
from orchestra_tui.widgets.lines import Pane


class AlertsScreen(TableScreen):
    """A table of alerts with the details of the selected one beside it where there is room."""

    VIEW = "alerts"
    SUBJECT = ALERTS
    BINDINGS: ClassVar[list[BindingType]] = bindings("alerts")

    def body(self) -> Iterable[Widget]:
        with Horizontal(id="split"):
            yield self.live_table()
            yield Pane(self._detail, "Details", id="detail")

    def action_detail(self) -> None:
        key = self.table.selected
        if key is None:
            self.say(line(span("no alert selected", "warn")))
            return

        def drawn(picture: Picture, cells: int, _rows: int) -> list[Line]:
            view = alerts.alert(picture.snapshot, key)
            return alerts.detail(view, picture, cells) if view else [line(span(f" {key} is gone", "warn"))]

        self.sheet("Alert", drawn, key)

    # -- saying something to it

    def action_acknowledge(self) -> None:
        self.console.do(acknowledge(self.chosen()))

    def action_silence(self) -> None:
        """What is chosen is done to the alerts that were marked or selected when the key was pressed."""
        ids, fresh = self.chosen(), self.console.fresh()
        asked = consider(silence("silence", ids), fresh)
        found = [alerts.alert(fresh.snapshot, key) for key in ids]
        views = [view for view in found if view is not None]
        if isinstance(asked, Refusal) or not views:
            reason = asked.reason if isinstance(asked, Refusal) else f"silence: {ids[0]} is gone"
            self.console.say(reason, "warn")
            return

        def answered(choice: str | None) -> None:
            wish = alerts.chosen(views, choice or "")
            if wish is None:
                self.console.say("silence cancelled", "muted")
            else:
                self.console.do(silence(*wish))

        title = f"Silence {views[0].id if len(views) == 1 else f'{len(views)} alerts'}"
        self.app.push_screen(PickScreen(title, alerts.choices(views), "1 hour"), answered)

    # -- what is shown

    def own_copies(self, things: Sequence[AlertView]) -> Sequence[Copy]:
        return (Copy("m", "id and message", "\n".join(f"{view.id}: {view.message}" for view in things)),)

    def things(self, picture: Picture) -> Sequence[AlertView]:
        return alerts.ordered(picture.snapshot)

    def drawn(self, things: Sequence[AlertView], picture: Picture, cells: int) -> Rows:
        return alerts.table(things, picture, cells)

    def extent(self, things: Sequence[AlertView]) -> tuple[int, int]:
        return alerts.widest(things)

    def _detail(self, picture: Picture, cells: int, _rows: int) -> list[Line]:
        view = alerts.alert(picture.snapshot, self.table.selected)
        if view is None:
            return [line(span(" nothing selected" if picture.snapshot else "", "muted"))]
        return alerts.detail(view, picture, cells)
