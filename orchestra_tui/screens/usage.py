"""The Usage view: who used what, what it cost, what routing saved, and what could be better."""

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Vertical
from textual.widget import Widget

from orchestra_tui.asking import usage as asking
from orchestra_tui.engine import EngineError
from orchestra_tui.messages import SelectionLost
from orchestra_tui.present import usage
from orchestra_tui.present.picture import Picture
from orchestra_tui.present.spans import Line, line, span
from orchestra_tui.screens.tabled import TableScreen
from orchestra_tui.screens.view import bindings
from orchestra_tui.widgets.lines import Pane

# Sums change slowly, and asking for them costs the engine some milliseconds.
_SECONDS = 5.0


class UsageScreen(TableScreen):
    """A table by one column over some days, savings and suggestions below. It asks the engine only while it is seen."""

    VIEW = "usage"
    BINDINGS: ClassVar[list[BindingType]] = bindings("usage")

    def __init__(self) -> None:
        super().__init__()
        self._by = usage.GROUPS[0]
        self._window = 1
        self._report: usage.Report | None = None
        self._error = ""

    def body(self) -> Iterable[Widget]:
        with Vertical(id="stack"):
            yield self.live_table()
            yield Pane(self._below, "Savings and suggestions", id="savings")

    def on_mount(self) -> None:
        self.set_interval(_SECONDS, self._renew)

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        self._ask()

    def copied(self) -> str:
        return self.table.selected or ""

    # -- what is asked

    def action_group(self) -> None:
        self._by = usage.GROUPS[(usage.GROUPS.index(self._by) + 1) % len(usage.GROUPS)]
        self._anew()

    def action_window(self, by: int) -> None:
        place = self._window + by
        if not 0 <= place < len(usage.WINDOWS):
            self.say(line(span(f"{usage.WINDOWS[self._window][0]} is all there is", "warn")))
            return
        self._window = place
        self._anew()

    def _anew(self) -> None:
        """Other rows: what was shown is not what is asked for any more."""
        self._report, self._error = None, ""
        self.draw(self.picture)
        self._ask()

    def _renew(self) -> None:
        if self.is_current and not self.picture.paused and self.picture.link.live:
            self._ask()

    def _ask(self) -> None:
        # Not a coroutine but what makes one: of two asked for at once the first never runs.
        self.run_worker(self._asked, group="usage", exclusive=True)  # type: ignore[arg-type]  # textual infers no result

    async def _asked(self) -> None:
        since = usage.WINDOWS[self._window][1]
        try:
            self._report, self._error = await asking.usage(self.console.engine, self._by, since), ""
        except EngineError as error:
            self._error = error.message
        self.draw(self.picture)

    # -- what is shown

    def action_detail(self) -> None:
        key, by = self.table.selected, self._by
        if key is None:
            self.say(line(span("no row selected", "warn")))
            return

        def drawn(picture: Picture, cells: int, _rows: int) -> list[Line]:
            rows = self._report.rows if self._report else ()
            row = next((one for one in rows if (one.name(by) or "") == key), None)
            if row is None or self._report is None:
                return [line(span(f" {key} is gone", "warn"))]
            return usage.detail(row, by, self._report.currency, cells, picture.glyphs)

        self.sheet("Usage", drawn)

    def on_selection_lost(self, event: SelectionLost) -> None:
        event.stop()

    def rows(self, picture: Picture, cells: int) -> None:
        rows = self._report.rows if self._report else ()
        self.table.show_rows(*usage.table(rows, self._by, cells, picture.glyphs))
        self.table.age(picture.stale and self._report is not None)
        more = f"+{self._report.rows_left_out}" if self._report and self._report.rows_left_out else ""
        self.table.entitle(f"Usage by {self._by}, {usage.WINDOWS[self._window][0]}  {len(rows)}{more}")

    def _below(self, picture: Picture, cells: int, _rows: int) -> list[Line]:
        if self._report is None or self._error:
            return usage.nothing(picture.link.live, self._error)
        return usage.below(self._report, cells, picture.glyphs)
