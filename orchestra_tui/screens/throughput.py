"""The Throughput view: requests, tokens, latency and first tokens over the last minutes or hours."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar

import msgspec
from textual import events
from textual.binding import BindingType
from textual.containers import Container, Vertical
from textual.widget import Widget
from textual.worker import Worker

from orchestra_core.domain.series import WINDOWS, SeriesView
from orchestra_tui.asking import series as asking
from orchestra_tui.engine import EngineError
from orchestra_tui.messages import SelectionLost
from orchestra_tui.present import throughput
from orchestra_tui.present.curves import Chart
from orchestra_tui.present.picture import Picture
from orchestra_tui.present.spans import Line, cut_line, line, span
from orchestra_tui.screens.view import ViewScreen, bindings
from orchestra_tui.widgets.curves import ChartPane
from orchestra_tui.widgets.lines import Lines, Pane
from orchestra_tui.widgets.table import LiveTable

# Half as often as stretches of a second close; longer ones are asked for as they do.
_SECONDS = 2.0
_NAMES = tuple(WINDOWS)


class ThroughputScreen(ViewScreen):
    """Charts where there is room for them, rows with sparklines where not, and the busiest models or backends.

    It asks the engine only while it is seen and a stretch of time has ended, and draws charts beside the event loop.
    """

    VIEW = "throughput"
    BINDINGS: ClassVar[list[BindingType]] = bindings("throughput")

    def __init__(self) -> None:
        super().__init__()
        self._window = _NAMES[0]
        self._by = throughput.BY[0]
        self._scope = ""
        self._large = ""
        self._view: SeriesView | None = None
        self._charts: tuple[Chart, ...] = ()
        self._error = ""
        self._asked_at = float("-inf")
        self._asking: Worker[None] | None = None

    def body(self) -> Iterable[Widget]:
        with Vertical(id="stack"):
            yield Pane(self._top, id="windows", focusable=False)
            with Container(id="charts"):
                for key in throughput.KEYS:
                    yield ChartPane(key, id=f"chart-{key}")
            yield ChartPane("", id="large", numbers=True)
            yield LiveTable(id="metrics", classes="pane", resized=self._rows)
            yield LiveTable(id="parts", classes="pane", resized=self._rows)

    def on_mount(self) -> None:
        self.set_interval(_SECONDS, self._renew)
        self.call_after_refresh(self.home)

    async def on_screen_resume(self) -> None:
        self._ask()

    def on_resize(self) -> None:
        self.call_after_refresh(self._resized)

    def _resized(self) -> None:
        """What had the focus may have no room any more."""
        if self.focused is None or not self.focused.region.area:
            self.home()
        self._draw()

    def home(self) -> None:
        rows = self.has_class("-narrow") or self.has_class("-low")
        self.set_focus(self.query_one("#large" if self._large else "#metrics" if rows else "#chart-requests"))

    def kept(self) -> dict[str, str]:
        return {"window": self._window, "by": self._by}

    def recall(self, kept: Mapping[str, str]) -> None:
        self._window = kept["window"] if kept.get("window") in WINDOWS else self._window
        self._by = kept["by"] if kept.get("by") in throughput.BY else self._by

    # -- what is asked

    def action_window(self, by: int) -> None:
        place = _NAMES.index(self._window) + by
        if 0 <= place < len(_NAMES):
            self.action_show_window(_NAMES[place])
        else:
            self.console.say(f"{self._window} is the {'longest' if by > 0 else 'shortest'} window", "warn")

    def action_show_window(self, window: str) -> None:
        self._window = window
        self._anew()

    def action_group(self) -> None:
        """Rows by the other thing; one that is shown alone is not among them."""
        self._scope = ""
        self._by = throughput.BY[(throughput.BY.index(self._by) + 1) % len(throughput.BY)]
        self._anew()

    def _anew(self) -> None:
        self._error = ""
        self.draw(self.picture)
        self._ask()

    def _renew(self) -> None:
        """Asks when a stretch has ended since it was asked last."""
        step = self._view.step if self._view else 0
        due = self.console.now() - self._asked_at >= max(_SECONDS, step) - 0.5
        # What is under way is waited for: over a slow line it would never come else.
        slow = self._asking is not None and not self._asking.is_finished
        if due and not slow and self.is_current and not self.picture.paused and self.picture.link.live:
            self._ask()

    def _ask(self) -> None:
        # Not a coroutine but what makes one: of two asked for at once the first never runs.
        self._asking = self.run_worker(self._asked, group="series", exclusive=True)

    async def _asked(self) -> None:
        self._asked_at = self.console.now()
        try:
            self._view = await asking.series(self.console.engine, self._window, self._by)
            self._error = ""
        except EngineError as error:
            self._error = error.message
        await self._show_all()

    # -- what is shown

    def _draw(self) -> None:
        """Everything anew from what is known, as after another size."""
        self.run_worker(self._show_all, group="charts", exclusive=True)  # type: ignore[arg-type]  # as above

    async def _show_all(self) -> None:
        if not self.standing:
            return
        view = self._view
        self._charts = throughput.charts(view, self._scope) if view else ()
        if view is not None and self._scope and not self._charts:
            self.console.say(f"{self._scope} is not among the busiest any more", "warn")
            self._scope, self._charts = "", throughput.charts(view)
        self.draw(self.picture)
        by_key = {chart.key: chart for chart in self._charts}
        for pane in self.query(ChartPane):
            if pane.display:
                key = self._large if pane.id == "large" else pane.key
                await pane.build(by_key.get(key), self.picture.glyphs)

    def draw(self, picture: Picture) -> None:
        super().draw(picture)
        self._rows()

    def _rows(self) -> None:
        if not self.standing:
            return
        glyphs, old = self.picture.glyphs, self.picture.stale and self._view is not None
        for name in ("metrics", "parts"):
            table = self.query_one(f"#{name}", LiveTable)
            table.age(old)
            cells = table.scrollable_content_region.width
            if self._view is None or not table.display or cells < 10:
                continue
            if name == "metrics":
                table.show_rows(*throughput.metrics(self._charts, cells, glyphs))
            else:
                table.show_rows(*throughput.parts(self._view, cells, glyphs))
                table.entitle(f"By {self._view.by}, {self._window}  {len(self._view.rows)} busiest")

    def _top(self, picture: Picture, cells: int, _rows: int) -> list[Line]:
        if self._error:
            return [cut_line(line(span(f" {self._error}", "warn")), cells)]
        if self._view is None:
            words = "asking the engine …" if picture.link.live else "not connected"
            return [line(span(f" {words}", "muted"))]
        view = self._view if self._view.window == self._window else None
        return [throughput.windows(view, self._window, self._by, self._scope, cells, picture.glyphs)]

    # -- drilling in and out

    def action_detail(self) -> None:
        """A chart large with its numbers; a model or backend alone."""
        focused = self.focused
        if isinstance(focused, LiveTable) and focused.selected is None:
            self.console.say("no row selected", "warn")
        elif isinstance(focused, LiveTable) and focused.id == "parts":
            self._scope = focused.selected or ""
            self.home()
            self._draw()
        elif isinstance(focused, LiveTable):
            self._enlarge((focused.selected or "").partition("/")[0])
        elif isinstance(focused, ChartPane) and focused.id == "large":
            self.action_back()
        elif isinstance(focused, ChartPane):
            self._enlarge(focused.key)

    def _enlarge(self, key: str) -> None:
        self._large = key
        self.set_class(bool(key), "-large")
        self.home()
        self.call_after_refresh(self._draw)

    def action_back(self) -> None:
        if self._large:
            self._enlarge("")
        elif self._scope:
            self._scope = ""
            self._draw()

    def moving(self) -> Lines | None:
        focused = super().moving()
        return focused if focused is not None and focused.display else self.query_one("#parts", LiveTable)

    def stops(self) -> Sequence[Widget]:
        return [pane for pane in super().stops() if pane.id != "windows"]

    def copied(self) -> str:
        focused = self.focused
        return (focused.selected or focused.text) if isinstance(focused, LiveTable) else super().copied()

    def exports(self) -> Mapping[str, tuple[str, str, Callable[[], str]]]:
        view = self._view
        if view is None:
            return super().exports()
        whole = f"JSON of {self._window} with {len(view.rows)} {view.by}s"
        return {"j": (whole, ".json", lambda: msgspec.json.encode(view).decode() + "\n"), **super().exports()}

    def on_selection_lost(self, event: SelectionLost) -> None:
        event.stop()

    def on_click(self, event: events.Click) -> None:
        """A click on a chart makes it the one that keys work on."""
        if event.chain == 2:
            self.action_detail()
