"""The column at the right of a wide terminal, the same in every view."""

from textual.app import ComposeResult
from textual.containers import Vertical

from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.present import rail
from orchestra_tui.present.alerts import firing
from orchestra_tui.present.happenings.latest import latest
from orchestra_tui.present.steady import steady
from orchestra_tui.widgets.lines import Pane


class Rail(Vertical):
    """Alerts, events and budgets. Nothing in it takes the focus: it is for looking at."""

    def __init__(self) -> None:
        super().__init__()
        self._heights: dict[str, int] = {}

    def compose(self) -> ComposeResult:
        yield Pane(
            rail.alerts, "Alerts firing", id="rail-alerts", focusable=False, count=lambda s: len(firing(s))
        )
        yield Pane(steady(latest), "Events", id="rail-events", focusable=False)
        yield Pane(steady(rail.budgets), "Budgets", id="rail-budgets", focusable=False)

    def give_room(self, snapshot: Snapshot | None) -> None:
        """Alerts and budgets have the rows they need, up to a third each; the events have the rest."""
        # A terminal that has just become wide: its panes come a moment later than it does.
        if snapshot is None or not self.children:
            return
        third = self.app.size.height // 3
        heights = {"rail-alerts": 2 * len(snapshot.alerts), "rail-budgets": len(snapshot.budgets)}
        for name, rows in heights.items():
            height = min(max(rows, 1) + 2, third)
            if self._heights.get(name) != height:
                self._heights[name] = height
                self.query_one(f"#{name}").styles.height = height
