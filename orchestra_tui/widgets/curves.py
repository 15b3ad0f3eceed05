"""A pane with one chart, drawn by plotext: built beside the event loop, and only when there is something new."""

import asyncio
import re
from collections.abc import Sequence
from typing import Any

from orchestra_tui.present.curves import Chart, ceiling, legend, table, thinned, tick
from orchestra_tui.present.glyphs import Glyphs
from orchestra_tui.present.picture import Picture
from orchestra_tui.present.spans import Line, Span, cut_line
from orchestra_tui.widgets.figure import figure
from orchestra_tui.widgets.lines import Pane

TALLEST = 16
_LOWEST, _NARROWEST = 5, 24
_COLOUR = re.compile(r"\x1b\[38;5;(\d+)m|\x1b\[0m")
_TO_ASCII = str.maketrans("─│┌┐└┘┤├┬┴┼", "-|++++|+++-")
# Of windows of so many seconds; others are in four.
_PARTS = {120.0: 2, 180.0: 3, 300.0: 5, 900.0: 3, 3600.0: 4, 21_600.0: 6, 86_400.0: 4}
_SIGNS = "*o.+"
_MARK = "x"
_LABEL = 7


class ChartPane(Pane):
    """The chart `key`, its legend above it; with `numbers` also its table below."""

    def __init__(self, key: str, *, id: str, numbers: bool = False) -> None:
        super().__init__(self._drawn, id=id, classes="chart")
        self.key = key
        self._numbers = numbers
        self._chart: Chart | None = None
        self._plot: list[Line] = []
        self._built: tuple[object, ...] = ()

    def _drawn(self, picture: Picture, cells: int, rows: int) -> Sequence[Line]:
        if self._chart is None:
            return ()
        below = table(self._chart, picture.glyphs) if self._numbers else []
        return [cut_line(legend(self._chart, picture.glyphs), cells), *self._plot, *below][: max(rows, 1)]

    async def build(self, chart: Chart | None, glyphs: Glyphs) -> None:
        """Shows the chart; one that is shown already in this size costs nothing."""
        self._chart = chart
        if chart is None:
            self._plot, self._built = [], ()
            self.redraw()
            return
        self.key = chart.key
        self.entitle(chart.title)
        size = self.scrollable_content_region.size
        rows = min(size.height - 1 - (len(chart.all) + 2 if self._numbers else 0), TALLEST)
        wanted = (chart, size.width, rows, glyphs)
        if not self.display or self._built == wanted:
            return
        lines: list[Line] = []
        if rows >= _LOWEST and size.width >= _NARROWEST:
            lines = await asyncio.to_thread(drawn, chart, size.width, rows, glyphs)
        self._plot, self._built = lines, wanted
        self.redraw()


def drawn(chart: Chart, cells: int, rows: int, glyphs: Glyphs) -> list[Line]:
    """The chart as lines in tones. Takes 5 to 40 ms: for a thread. Each build has a figure of its own."""
    plot = figure()
    plot.theme("clear")
    plot.plot_size(cells, rows)
    # Without any point plotext draws no axes.
    plot.plot([-chart.seconds, 0], [0, 0], marker=" ")
    points = max((cells - _LABEL) * (1 if glyphs.ascii else 2), 10)
    top = 0.0
    for number, curve in enumerate(chart.curves):
        values = thinned(curve.values, points, worst=curve.worst)
        places = _places(len(curve.values), len(values), chart.step)
        top = max(top, *(value for value in values if value is not None), 0.0) if any(values) else top
        for run in _runs(places, values):
            sign = _SIGNS[number] if glyphs.ascii else "hd"
            fill = chart.area and number == 0
            plot.plot(*run, marker=sign, color=number + 1, fillx=fill)
    if chart.marks is not None:
        values = thinned(chart.marks.values, points)
        places = _places(len(chart.marks.values), len(values), chart.step)
        marked = [(place, value) for place, value in zip(places, values, strict=True) if value]
        if marked:
            plot.scatter(*map(list, zip(*marked, strict=True)), marker=_MARK, color=len(chart.curves) + 1)
            top = max(top, *(value for _, value in marked))
    _axes(plot, chart, ceiling(top), cells, glyphs)
    tones = [curve.tone for curve in chart.all]
    return [_toned(row, tones, glyphs) for row in plot.build().split("\n")[:rows]]


def _places(number: int, groups: int, step: float) -> list[float]:
    """The middle of each group in seconds before the end."""
    length = -(-number // groups) * step if groups else step
    return [-(groups - index - 0.5) * length for index in range(groups)]


def _runs(places: Sequence[float], values: Sequence[float | None]) -> list[tuple[list[float], list[float]]]:
    """What is known without a gap; a point alone is a short line."""
    found: list[tuple[list[float], list[float]]] = []
    fresh = True
    for place, value in zip(places, values, strict=True):
        if value is None:
            fresh = True
            continue
        if fresh:
            found.append(([], []))
        found[-1][0].append(place)
        found[-1][1].append(value)
        fresh = False
    return found


def _axes(plot: Any, chart: Chart, top: float, cells: int, glyphs: Glyphs) -> None:
    plot.xlim(-chart.seconds, 0)
    plot.ylim(0, top)
    ticks = (0.0, top / 2, top)
    plot.yticks(list(ticks), [f"{tick(each, chart.unit, glyphs):>{_LABEL - 1}}" for each in ticks])
    parts = _PARTS.get(chart.seconds, 4)
    parts = parts if cells >= 40 else 1 if parts % 2 else parts // 2
    at = [-chart.seconds * part / parts for part in range(parts + 1)]
    plot.xticks(at, ["now" if not each else f"-{_ago(-each)}" for each in at])


def _ago(seconds: float) -> str:
    if seconds < 120 and seconds % 60:
        return f"{seconds:.0f}s"
    if seconds < 7200:
        return f"{seconds / 60:g}m" if seconds % 60 == 0 else f"{seconds / 60:.1f}m"
    return f"{seconds / 3600:.3g}h"


def _toned(row: str, tones: Sequence[str], glyphs: Glyphs) -> Line:
    """Plotext's colours are numbers of curves: here they become their tones, and all the rest is muted."""
    found: list[Span] = []
    tone, at = "muted", 0
    for code in (*_COLOUR.finditer(row), None):
        text = row[at : code.start() if code else len(row)]
        if text:
            if found and found[-1].tone == tone:
                found[-1] = Span(found[-1].text + text, tone)
            else:
                found.append(Span(text, tone))
        if code is None:
            break
        at = code.end()
        tone = tones[int(code[1]) - 1] if code[1] else "muted"
    if glyphs.ascii:
        found = [part._replace(text=part.text.translate(_TO_ASCII)) for part in found]
    return tuple(found)
