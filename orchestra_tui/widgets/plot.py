"""The Overview's plot, drawn at most every two seconds, with numbers below it."""

import asyncio
from collections.abc import Callable, Sequence

from orchestra_core.domain.snapshot import Throughput
from orchestra_tui.present.curves import Chart, Curve
from orchestra_tui.present.picture import Picture
from orchestra_tui.present.spans import Line
from orchestra_tui.widgets.curves import TALLEST, drawn
from orchestra_tui.widgets.figure import fetch, fetched
from orchestra_tui.widgets.lines import Draw, Pane

PERIOD = 2.0


class PlotPane(Pane):
    """Requests a second over the last five minutes as an area, failures as crosses, numbers below it."""

    def __init__(
        self, below: Draw, narrow: Callable[[Picture, int], Line], now: Callable[[], float], **kwargs: str
    ) -> None:
        super().__init__(self._all, "Throughput", id=kwargs.get("id"), classes=kwargs.get("classes", ""))
        self._below = below
        self._narrow = narrow
        self._now = now
        self._plot: list[Line] = []
        self._drawn: tuple[object, ...] = ()
        self._drawn_at = 0.0
        self._shown: Throughput | None = None

    def on_mount(self) -> None:
        if self.app.is_headless:
            fetch()
        else:
            self.call_after_refresh(self.run_worker, self._fetch())

    async def _fetch(self) -> None:
        await asyncio.to_thread(fetch)
        self.redraw()

    def _all(self, picture: Picture, cells: int, rows: int) -> Sequence[Line]:
        if picture.snapshot is None:
            return ()
        if rows < 7 or cells < 30 or not fetched() or not picture.plots:
            return [self._narrow(picture, cells), *self._below(picture, cells, rows - 1)]
        numbers = 1 if rows < 11 else 2 if rows < 15 else 4
        height = min(rows - numbers, TALLEST)
        wanted, series = (cells, height, picture.glyphs), picture.snapshot.throughput
        if wanted != self._drawn or (self._now() - self._drawn_at >= PERIOD and series != self._shown):
            self._plot = drawn(_chart(series), cells, height, picture.glyphs)
            self._drawn, self._drawn_at, self._shown = wanted, self._now(), series
        return [*self._plot, *self._below(picture, cells, rows - height)]


def _chart(series: Throughput) -> Chart:
    """On an axis of whole minutes, so that it stands still while an engine that is young has more to tell."""
    seconds = -(-max(len(series.requests), 1) // 60) * 60
    requests, failed = Curve("req/s", series.requests), Curve("failed/s", series.failures, "bad")
    return Chart("requests", "", "rate", (requests,), 1, seconds, "", failed, area=True)
