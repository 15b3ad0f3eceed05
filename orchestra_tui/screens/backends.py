"""The Backends view: breakers as a table, the backend behind the selected one, and what can be done to both."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Vertical
from textual.widget import Widget

from orchestra_core.domain.snapshot import BreakerView, Snapshot
from orchestra_tui.present import health
from orchestra_tui.present.deeds.backends import restart
from orchestra_tui.present.deeds.deed import refused
from orchestra_tui.present.drawn import Drawn
from orchestra_tui.present.menus import Entry, breaking, called, draining, first, rows
from orchestra_tui.present.picture import Picture, backend
from orchestra_tui.present.spans import Line, line, span
from orchestra_tui.present.steady import steady
from orchestra_tui.present.subjects import BREAKERS
from orchestra_tui.screens.dialogs import PickScreen
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
            yield Pane(steady(_backends), "Backends", id="backends-pane")
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
            told = [row for each in own for row in ((), *health.timeline(each, cells, picture.glyphs))]
            return [*rows, *told]

        self.sheet("Backend", drawn, name)

    # -- changing something

    def backends(self) -> Sequence[str]:
        """Those that the chosen endpoints are on, each once."""
        found = (_backend_of(self.console.fresh().snapshot, each) for each in self.chosen())
        return tuple(dict.fromkeys(name for name in found if name is not None))

    def action_drain(self) -> None:
        names = self.backends()
        self._menu("drain", "Drain or resume", names, "backends", draining(names))

    def action_breaker(self) -> None:
        ids = tuple(self.chosen())
        self._menu("breaker", "Breaker of", ids, "endpoints", breaking(ids))

    def action_restart(self) -> None:
        self.console.do(restart(self.backends()))

    def _menu(self, verb: str, title: str, ids: Sequence[str], what: str, entries: Sequence[Entry]) -> None:
        """What is chosen is done to what was selected or marked when the key was pressed."""
        fresh = self.console.fresh()
        if not ids:
            self.console.do(refused(verb, "no endpoint selected"))
            return
        if fresh.read_only:
            self.console.say(f"{verb}: {fresh.read_only}; nothing was sent", "warn")
            return

        def answered(choice: str | None) -> None:
            entry = next((each for each in entries if each.name == choice), None)
            if entry is None:
                self.console.say(f"{verb} cancelled", "muted")
            else:
                self.console.do(entry.deed())

        self.app.push_screen(
            PickScreen(f"{title} {called(ids, what)}", rows(entries, fresh), first(entries, fresh)), answered
        )

    def things(self, picture: Picture) -> Sequence[BreakerView]:
        return health.ranked(picture.snapshot) if picture.snapshot else ()

    def drawn(self, things: Sequence[BreakerView], picture: Picture, cells: int) -> Rows:
        glyphs = picture.glyphs
        rows = Drawn(things, lambda view: view.endpoint, lambda view: health.table_row(view, cells, glyphs))
        return health.table_header(cells), rows

    def extent(self, things: Sequence[BreakerView]) -> tuple[int, int]:
        return health.widest(things)


def _backends(picture: Picture, cells: int, rows: int) -> list[Line]:
    if picture.snapshot is None:
        return []
    views = picture.snapshot.backends[:rows]
    drawn = health.backend_rows(picture.snapshot, views, cells, picture.glyphs, lambda: picture.activity)
    return drawn or [line(span(" no backend", "warn"))]


def _backend_of(snapshot: Snapshot | None, endpoint: str | None) -> str | None:
    views = snapshot.models if snapshot else ()
    return next((view.backend for view in views if view.id == endpoint), None)
