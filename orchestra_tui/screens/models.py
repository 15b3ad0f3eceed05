"""The Models view: what is where, and loading and unloading it."""

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widget import Widget

from orchestra_core.domain.snapshot import ModelView
from orchestra_tui.messages import FilterChanged, SelectionLost
from orchestra_tui.present import models
from orchestra_tui.present.picture import Picture, model
from orchestra_tui.present.spans import Line, line, span
from orchestra_tui.screens.help import SheetScreen
from orchestra_tui.screens.view import ViewScreen, bindings
from orchestra_tui.widgets.lines import Pane
from orchestra_tui.widgets.prompts import CommandLine
from orchestra_tui.widgets.table import LiveTable


class ModelsScreen(ViewScreen):
    """A table of endpoints with the details of the selected one beside it where there is room."""

    VIEW = "models"
    BINDINGS: ClassVar[list[BindingType]] = bindings("models")

    def __init__(self) -> None:
        super().__init__()
        self._query = ""

    def body(self) -> Iterable[Widget]:
        with Horizontal(id="split"):
            yield LiveTable(id="table", classes="pane", resized=lambda: self._rows(self.picture))
            yield Pane(self._detail, "Details", id="detail", focusable=False)

    @property
    def table(self) -> LiveTable:
        return self.query_one(LiveTable)

    @property
    def selected(self) -> ModelView | None:
        return model(self.picture.snapshot, self.table.selected)

    def draw(self, picture: Picture) -> None:
        self._rows(picture)
        super().draw(picture)

    def home(self) -> None:
        self.set_focus(self.table)

    def on_mount(self) -> None:
        self.home()

    def moving(self) -> LiveTable:
        return self.table

    def action_move(self, by: int) -> None:
        super().action_move(by)
        self.query_one("#detail", Pane).redraw()

    def action_page(self, by: int) -> None:
        super().action_page(by)
        self.query_one("#detail", Pane).redraw()

    def action_edge(self, end: int) -> None:
        super().action_edge(end)
        self.query_one("#detail", Pane).redraw()

    def action_detail(self) -> None:
        key = self.table.selected
        if key is None:
            self.say(line(span("no model selected", "warn")))
            return

        def drawn(picture: Picture, cells: int, _rows: int) -> list[Line]:
            view = model(picture.snapshot, key)
            return models.detail(view, picture, cells) if view else [line(span(f" {key} is gone", "warn"))]

        sheet = SheetScreen("Model", drawn)
        self.app.push_screen(sheet)
        self.call_after_refresh(lambda: sheet.show(self.picture))

    def action_load(self) -> None:
        self.console.ask("load", self.table.selected)

    def action_unload(self) -> None:
        self.console.ask("unload", self.table.selected)

    def action_filter(self) -> None:
        self._open(filtering=True, text=self._query)

    def action_back(self) -> None:
        if self.has_class("-zoomed"):
            self.remove_class("-zoomed")
        elif self._query:
            self._query = ""
            self._rows(self.picture)

    def action_zoom(self) -> None:
        self.toggle_class("-zoomed")

    def copied(self) -> str:
        view = self.selected
        return view.model if view else ""

    def on_filter_changed(self, event: FilterChanged) -> None:
        event.stop()
        self._query = event.text
        self._rows(self.picture)

    def on_selection_lost(self, event: SelectionLost) -> None:
        event.stop()
        if self.query_one(CommandLine).is_open:
            return
        shown = model(self.picture.snapshot, event.key) is not None
        text = "is filtered out" if shown else "is gone"
        self.say(line(span(f"{event.key} {text}: nothing is selected", "warn")))

    def _rows(self, picture: Picture) -> None:
        if not self.standing:
            return
        cells = self.table.scrollable_content_region.width
        if cells < 10:
            return
        views = models.matching(picture.snapshot, self._query)
        self.table.show_rows(*models.table(views, picture, cells))
        self.table.age(picture.stale and picture.snapshot is not None)
        total = len(picture.snapshot.models) if picture.snapshot else 0
        chip = f"filter: {self._query}  " if self._query else ""
        self.table.entitle(f"Models  {chip}{len(views)}/{total}")
        if self.query_one(CommandLine).is_open and self.table.selected is None and views:
            self.table.select(views[0].id)

    def _detail(self, picture: Picture, cells: int, _rows: int) -> list[Line]:
        view = model(picture.snapshot, self.table.selected)
        if view is None:
            return [line(span(" nothing selected" if picture.snapshot else "", "muted"))]
        return models.detail(view, picture, cells)
