"""The Backends view: breakers as a table, and the backend behind the selected one."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Vertical
from textual.widget import Widget

from orchestra_core.domain.snapshot import BreakerView, Snapshot
from orchestra_tui.present import health
from orchestra_tui.present.picture import Picture, backend
from orchestra_tui.present.spans import Line, line, span
from orchestra_tui.present.subjects import BREAKERS
from orchestra_tui.screens.tabled import Rows, TableScreen
from orchestra_tui.screens.view import bindings
from orchestra_tui.widgets.lines import Pane


class BackendsScreen(TableScreen):
    """Backends above, one row per endpoint's breaker below; enter tells all of the backend."""

    VIEW = "backends"
    SUBJECT = BREAKERS
    BINDINGS: ClassVar[list[BindingType]] = bindings("backends")

    def __init__(self) -> None:
        super().__init__()
        self._height = 0

    def body(self) -> Iterable[Widget]:
        with Vertical(id="stack"):
            yield Pane(_backends, "Backends", id="backends-pane")
            yield self.live_table()

    def draw(self, picture: Picture) -> None:
        number = len(picture.snapshot.backends) if picture.snapshot else 1
        height = min(max(number, 1), max(self.app.size.height // 3, 3)) + 2
        if height != self._height:
            self._height = height
            self.query_one("#backends-pane").styles.height = height
        super().draw(picture)

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

    def things(self, picture: Picture) -> Sequence[BreakerView]:
        return health.ranked(picture.snapshot) if picture.snapshot else ()

    def drawn(self, things: Sequence[BreakerView], picture: Picture, cells: int) -> Rows:
        rows = [(view.endpoint, health.table_row(view, cells, picture.glyphs)) for view in things]
        return health.table_header(cells), rows

    def extent(self, things: Sequence[BreakerView]) -> tuple[int, int]:
        return health.widest(things)


def _backends(picture: Picture, cells: int, rows: int) -> list[Line]:
    if picture.snapshot is None:
        return []
    drawn = health.backend_rows(picture.snapshot, picture.snapshot.backends[:rows], cells, picture.glyphs)
    return drawn or [line(span(" no backend", "warn"))]


def _backend_of(snapshot: Snapshot | None, endpoint: str | None) -> str | None:
    views = snapshot.models if snapshot else ()
    return next((view.backend for view in views if view.id == endpoint), None)
