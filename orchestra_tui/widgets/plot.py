"""A thin pane over plotext: one figure of its own, drawn at most every two seconds."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from orchestra_core.domain.snapshot import Throughput
from orchestra_tui.present.gauge import buckets
from orchestra_tui.present.picture import Picture
from orchestra_tui.present.spans import Line, Span
from orchestra_tui.widgets.figure import fetch, figure
from orchestra_tui.widgets.lines import Draw, Pane

PERIOD = 2.0
TALLEST = 16
_FRAME = "─│┌┐└┘┤├┬┴┼"
_TO_ASCII = str.maketrans(_FRAME, "-|++++|+++-"[: len(_FRAME)])
_FAILURE = "x"


class PlotPane(Pane):
    """Requests a second over the last five minutes as an area, failures as crosses, numbers below it."""

    def __init__(
        self, below: Draw, narrow: Callable[[Picture, int], Line], now: Callable[[], float], **kwargs: str
    ) -> None:
        super().__init__(self._all, "Throughput", id=kwargs.get("id"), classes=kwargs.get("classes", ""))
        self._below = below
        self._narrow = narrow
        self._now = now
        self._figure: Any | None = None
        self._plot: list[Line] = []
        self._drawn = (0, 0, -1.0)
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
        self._figure = self._figure or figure()
        if rows < 7 or cells < 30 or self._figure is None or not picture.plots:
            return [self._narrow(picture, cells), *self._below(picture, cells, rows - 1)]
        numbers = 1 if rows < 11 else 2 if rows < 15 else 4
        height = min(rows - numbers, TALLEST)
        width, tall, at = self._drawn
        series = picture.snapshot.throughput
        if (width, tall) != (cells, height) or (self._now() - at >= PERIOD and series != self._shown):
            self._plot = self._build(self._figure, series, cells, height, picture.glyphs.ascii)
            self._drawn, self._shown = (cells, height, self._now()), series
        return [*self._plot, *self._below(picture, cells, rows - height)]

    @staticmethod
    def _build(figure: Any, series: Throughput, cells: int, rows: int, plain: bool) -> list[Line]:
        figure.clear_figure()
        figure.theme("clear")
        figure.plot_size(cells, rows)
        points = min(max((cells - 8) * 2, 10), 300)
        length = max(len(series.requests), 2)
        values = buckets(series.requests or (0, 0), points)
        places = [-length + (index + 0.5) * length / len(values) for index in range(len(values))]
        top = _round_up(max(values))
        figure.plot(places, values, marker="#" if plain else "hd", fillx=True)
        failures = buckets(series.failures, points)
        failed = [(place, value) for place, value in zip(places, failures, strict=False) if value > 0]
        if failed:
            figure.scatter([place for place, _ in failed], [value for _, value in failed], marker=_FAILURE)
        figure.xlim(-max(length, 60), 0)
        figure.ylim(0, top)
        figure.yticks([0, top / 2, top], [f"{tick:g}" for tick in (0, top / 2, top)])
        figure.xticks(*_minutes(max(length, 60), cells))
        return [_toned(row, plain) for row in figure.build().replace("\x1b[0m", "").split("\n")[:rows]]


def _minutes(length: int, cells: int) -> tuple[list[int], list[str]]:
    step = 60 if length > 120 else 30
    ticks = [-at for at in range(0, length + 1, step if cells >= 50 else step * 2)]
    return ticks, ["now" if at == 0 else f"{at}s" if at > -60 or at % 60 else f"{at // 60}m" for at in ticks]


def _round_up(value: float) -> float:
    for step in (1, 2, 4, 6, 10, 20, 40, 60, 100, 200, 400, 600, 1000, 2000, 4000, 10_000):
        if value <= step:
            return float(step)
    return value


def _toned(row: str, plain: bool) -> Line:
    """Plotext's text in our tones: frame and labels muted, the area in the accent, failures as errors."""
    runs: list[Span] = []
    for char in row:
        tone = "bad" if char == _FAILURE else "accent" if char == "#" or "▀" <= char <= "▟" else "muted"
        if runs and runs[-1].tone == tone:
            runs[-1] = Span(runs[-1].text + char, tone)
        else:
            runs.append(Span(char, tone))
    if plain:
        runs = [run._replace(text=run.text.translate(_TO_ASCII)) for run in runs]
    return tuple(runs)
