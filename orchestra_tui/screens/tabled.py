"""What the views around one table share: its keys, its filter, and the sheet about the selected row."""

from abc import abstractmethod
from collections.abc import Callable, Sequence

from orchestra_tui.messages import FilterChanged, SelectionLost
from orchestra_tui.present.picture import Picture
from orchestra_tui.present.spans import Line, line, span
from orchestra_tui.screens.help import SheetScreen
from orchestra_tui.screens.view import ViewScreen
from orchestra_tui.widgets.lines import Pane
from orchestra_tui.widgets.prompts import CommandLine
from orchestra_tui.widgets.table import LiveTable

# A table that is narrower is not laid out yet.
_NARROWEST = 10


class TableScreen(ViewScreen):
    """Subclasses compose a body with one `LiveTable` and put rows into it."""

    def __init__(self) -> None:
        super().__init__()
        self._query = ""

    @property
    def table(self) -> LiveTable:
        return self.query_one(LiveTable)

    def chosen(self) -> Sequence[str]:
        """The ids of what a key works on."""
        return () if self.table.selected is None else (self.table.selected,)

    @abstractmethod
    def rows(self, picture: Picture, cells: int) -> None:
        """Shows the rows in a table of so many cells."""

    def draw(self, picture: Picture) -> None:
        self.redraw(picture)
        super().draw(picture)

    def redraw(self, picture: Picture) -> None:
        """The table alone, where there is one to draw into."""
        if not self.standing:
            return
        cells = self.table.scrollable_content_region.width
        if cells >= _NARROWEST:
            self.rows(picture, cells)

    def live_table(self) -> LiveTable:
        """The table, which draws itself anew when its size has changed."""
        return LiveTable(id="table", classes="pane", resized=lambda: self.redraw(self.picture))

    def home(self) -> None:
        self.set_focus(self.table)

    def on_mount(self) -> None:
        self.home()

    def moving(self) -> LiveTable:
        return self.table

    def action_move(self, by: int) -> None:
        super().action_move(by)
        self._follow()

    def action_page(self, by: int) -> None:
        super().action_page(by)
        self._follow()

    def action_edge(self, end: int) -> None:
        super().action_edge(end)
        self._follow()

    def _follow(self) -> None:
        """Details stand beside the table where there is room."""
        for pane in self.query("#detail").results(Pane):
            pane.redraw()

    def sheet(self, title: str, drawn: Callable[[Picture, int, int], list[Line]]) -> None:
        """Everything about one row, over the view."""
        sheet = SheetScreen(title, drawn)
        self.app.push_screen(sheet)
        self.call_after_refresh(lambda: sheet.show(self.picture))

    def action_filter(self) -> None:
        self._open(filtering=True, text=self._query)

    def action_back(self) -> None:
        if self._query:
            self._query = ""
            self.redraw(self.picture)

    def on_filter_changed(self, event: FilterChanged) -> None:
        event.stop()
        self._query = event.text
        self.redraw(self.picture)

    def on_selection_lost(self, event: SelectionLost) -> None:
        event.stop()
        if not self.query_one(CommandLine).is_open:
            self.say(line(span(f"{event.key} {self.lost(event.key)}: nothing is selected", "warn")))

    def lost(self, key: str) -> str:  # noqa: ARG002  for views that can tell
        """What has become of a row that was selected."""
        return "is not shown any more"
