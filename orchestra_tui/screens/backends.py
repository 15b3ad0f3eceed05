"""The Backends view: breakers as a table, and the backend behind the selected one."""

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Vertical
from textual.widget import Widget

from orchestra_core.domain.snapshot import BreakerView, Snapshot
from orchestra_tui.present import health
from orchestra_tui.present.picture import Picture, backend
from orchestra_tui.present.spans import Line, line, span
from orchestra_tui.screens.tabled import TableScreen
from orchestra_tui.screens.view import bindings
from orchestra_tui.widgets.lines import Pane


class BackendsScreen(TableScreen):
    """Backends above, one row per endpoint's breaker below; enter tells all of the backend."""

    VIEW = "backends"
    BINDINGS: ClassVar[list[BindingType]] = bindings("backends")

    def __init__(self) -> None:
        super().__init__()
        self._height = 0

    def body(self) -> Iterable[Widget]:
        with Vertical(id="stack"):
            yield Pane(_backends, "Backends", id="backends-pane", focusable=False)
            yield self.live_table()

    def draw(self, picture: Picture) -> None:
        number = len(picture.snapshot.backends) if picture.snapshot else 1
        height = min(max(number, 1), max(self.app.size.height // 3, 3)) + 2
        if height != self._height:
            self._height = height
            self.query_one("#backends-pane").styles.height = height
        super().draw(picture)

    def copied(self) -> str:
        return self.table.selected or ""

    def action_detail(self) -> None:
        key = self.table.selected
        name = _backend_of(self.picture.snapshot, key)
        if name is None:
            self.say(line(span("no endpoint selected", "warn")))
            return

        def drawn(picture: Picture, cells: int, _rows: int) -> list[Line]:
            view = backend(picture.snapshot, name)
            if view is None or picture.snapshot is None:
                return [line(span(f" {name} is gone", "warn"))]
            rows = health.backend_detail(view, picture.snapshot.now, cells, picture.glyphs)
            own = [b for b in picture.snapshot.breakers if _backend_of(picture.snapshot, b.endpoint) == name]
            return [*rows, (), *(health.breaker_row(each, cells, picture.glyphs) for each in own)]

        self.sheet("Backend", drawn)

    def rows(self, picture: Picture, cells: int) -> None:
        if picture.snapshot is None:
            return
        shown = [view for view in health.ranked(picture.snapshot) if _matches(view, self._query)]
        rows = [(view.endpoint, health.table_row(view, cells, picture.glyphs)) for view in shown]
        self.table.show_rows(health.table_header(cells), rows)
        self.table.age(picture.stale)
        chip = f"filter: {self._query}  " if self._query else ""
        title = f"Breakers  {chip}{len(shown)}/{len(picture.snapshot.breakers)}"
        self.table.entitle(title)


def _backends(picture: Picture, cells: int, rows: int) -> list[Line]:
    if picture.snapshot is None:
        return []
    drawn = health.backend_rows(picture.snapshot, picture.snapshot.backends[:rows], cells, picture.glyphs)
    return drawn or [line(span(" no backend", "warn"))]


def _backend_of(snapshot: Snapshot | None, endpoint: str | None) -> str | None:
    views = snapshot.models if snapshot else ()
    return next((view.backend for view in views if view.id == endpoint), None)


def _matches(view: BreakerView, query: str) -> bool:
    for term in query.lower().split():
        word = term.removeprefix("state:").removeprefix("backend:")
        negative = word.startswith("!")
        found = word.lstrip("!") in f"{view.endpoint} {view.state}".lower()
        if found == negative and word not in ("", "!"):
            return False
    return True
