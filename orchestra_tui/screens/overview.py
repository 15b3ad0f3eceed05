"""The Overview: health, memory, throughput, problems, work and events at a glance."""

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Container
from textual.widget import Widget

from orchestra_tui.present import health, overview, problems
from orchestra_tui.present.happenings.latest import latest
from orchestra_tui.present.picture import Picture
from orchestra_tui.present.steady import steady
from orchestra_tui.screens.view import ViewScreen, bindings
from orchestra_tui.widgets.lines import Pane
from orchestra_tui.widgets.plot import PlotPane

_FRAME_ROWS = 4
_PANES = ("notices", "health", "problems", "memory", "traffic", "events")


class OverviewScreen(ViewScreen):
    """Panes in two columns; on a narrow terminal the same panes one below the other, each as high as it needs."""

    VIEW = "overview"
    BINDINGS: ClassVar[list[BindingType]] = bindings("overview")

    def __init__(self) -> None:
        super().__init__()
        self._heights: dict[str, int | None] = {}
        self._rows = ""
        self._shares = steady(overview.shares)
        # Where it is wide the models are as wide as both columns, below the problems.
        self._models_last = self.has_class("-wide")

    def body(self) -> Iterable[Widget]:
        yield Pane(lambda picture, cells, _: overview.notices(picture, cells), id="notices", focusable=False)
        with Container(id="grid"):
            yield Pane(
                steady(health.strip),
                "Backends and breakers",
                id="health",
                view="backends",
                count=lambda snapshot: len(snapshot.backends),
            )
            yield PlotPane(
                steady(overview.traffic_lines),
                overview.traffic_row,
                self.console.now,
                id="traffic",
                classes="traffic",
            )
            yield Pane(
                steady(overview.memory),
                "Memory",
                id="memory",
                view="models",
                count=lambda snapshot: len(snapshot.pools) + len(overview.pools_of(snapshot)),
            )
            yield from self._below(models_last=self._models_last)
            yield Pane(steady(latest), "Events", id="events", view="events")

    @staticmethod
    def _below(*, models_last: bool) -> Iterable[Widget]:
        work = Pane(
            steady(overview.work),
            "Models",
            id="work",
            view="models",
            count=lambda snapshot: len(snapshot.models),
        )
        wrong = Pane(
            steady(
                lambda picture, cells, rows: problems.lines(picture.snapshot, cells, rows, picture.glyphs)
            ),
            "Problems",
            id="problems",
            view="backends",
            count=lambda snapshot: len(problems.problems(snapshot)),
        )
        return (wrong, work) if models_last else (work, wrong)

    def on_mount(self) -> None:
        self.home()

    def news(self) -> None:
        """The events have a pane of their own here."""
        return

    def draw(self, picture: Picture) -> None:
        self._arrange(picture)
        super().draw(picture)

    def action_zoom(self) -> None:
        """The focused pane fills the view, or gives the room back."""
        grid = self.query_one("#grid")
        if grid.has_class("-zoomed"):
            self._unzoom()
        elif isinstance(self.focused, Pane):
            self.focused.add_class("-zoom")
            grid.add_class("-zoomed")
        self._arrange(self.picture)

    def action_back(self) -> None:
        if self.query_one("#grid").has_class("-zoomed"):
            self._unzoom()
            self._arrange(self.picture)

    def action_open(self) -> None:
        view = self.focused.view if isinstance(self.focused, Pane) else ""
        if view:
            self.console.action_view(view)
        else:
            self.action_zoom()

    def _unzoom(self) -> None:
        self.query_one("#grid").remove_class("-zoomed")
        for pane in self.query(Pane):
            pane.remove_class("-zoom")

    def _arrange(self, picture: Picture) -> None:
        """Heights of the stacked panes; in the grid the style sheet decides."""
        cells, rows = self.app.size
        narrow = cells < 100
        heights: dict[str, int | None] = dict.fromkeys(_PANES)
        if narrow:
            shares = overview.heights(picture, rows - _FRAME_ROWS, cells)
            heights |= {name: share + 1 for name, share in shares.items()}
            heights["notices"] = shares["notices"]
        else:
            heights["notices"] = min(len(overview.notices(picture, cells - 2)), 8)
        self._grid(picture, rows - _FRAME_ROWS - (heights["notices"] or 0), cells)
        zoomed = self.query_one("#grid").has_class("-zoomed")
        for name, height in heights.items():
            self._resize(name, height if name == "notices" or not zoomed else None)

    def _grid(self, picture: Picture, rows: int, cells: int) -> None:
        """The rows of two columns; where it is wide or narrow the style sheet and the heights decide."""
        grid, wide = self.query_one("#grid"), self.has_class("-wide")
        if wide != self._models_last and grid.children:
            self._models_last = wide
            last, first = ("#work", "#problems") if wide else ("#problems", "#work")
            grid.move_child(grid.query_one(last), after=grid.query_one(first))
        wanted = ""
        if not wide and cells >= 100:
            share = self._shares(picture, rows, cells)
            wanted = f"{share.health} {share.memory} {share.problems} 1fr"
        if wanted == self._rows:
            return
        self._rows = wanted
        if wanted:
            grid.styles.grid_rows = wanted
        else:
            grid.styles.clear_rule("grid_rows")

    def _resize(self, name: str, height: int | None) -> None:
        """Sets a height only where it differs: setting one lays the whole screen out again."""
        if self._heights.get(name, -1) == height:
            return
        self._heights[name] = height
        pane = self.query_one(f"#{name}")
        pane.styles.height = height
        if name == "notices":
            pane.display = bool(height)
