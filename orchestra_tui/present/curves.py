"""Numbers over time as curves, rows with sparklines, and what they come to: now, least, mean, most."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import msgspec

from orchestra_tui.present.glyphs import Glyphs
from orchestra_tui.present.numbers import cost, count, rate, seconds
from orchestra_tui.present.spans import Line, line, pad, span

Value = float | None
_NUMBER = 8
_STEPS = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)
HEADS = ("NOW", "MIN", "MEAN", "MAX")
Spell = Callable[[Value, str], str]


class Curve(msgspec.Struct, frozen=True):
    """One value a stretch, oldest first; None is not known. Where several are drawn as one it is the highest of them
    if `worst`, else their mean.
    """

    name: str
    values: tuple[Value, ...]
    tone: str = "accent"
    worst: bool = False


class Chart(msgspec.Struct, frozen=True):
    """Curves over one stretch of time with one scale from zero: `seconds` is how long, `until` (RFC 3339) when it ends.

    `marks` are crosses where they are above zero; `area` fills what is below the first curve.
    """

    key: str
    title: str
    unit: str
    curves: tuple[Curve, ...]
    step: float
    seconds: float
    until: str
    marks: Curve | None = None
    area: bool = False

    @property
    def all(self) -> tuple[Curve, ...]:
        return self.curves if self.marks is None else (*self.curves, self.marks)


def spelled(value: Value, unit: str, glyphs: Glyphs) -> str:
    """A value in the unit of its chart: `rate`, `tokens`, `seconds`, `number` or `money`."""
    return _SPELL[unit](value, glyphs.unknown)


def _tokens(value: Value, unknown: str) -> str:
    return unknown if value is None else rate(value) if value < 9.95 else count(round(value))


def _number(value: Value, unknown: str) -> str:
    return (
        unknown
        if value is None
        else f"{value:.0f}"
        if value >= 9.95 or value == int(value)
        else f"{value:.1f}"
    )


_SPELL: dict[str, Spell] = {
    "rate": rate,
    "tokens": _tokens,
    "seconds": seconds,
    "number": _number,
    "money": cost,
}


def figures(values: Sequence[Value]) -> tuple[Value, Value, Value, Value]:
    """The newest, the least, the mean and the most of what is known."""
    known = [value for value in values if value is not None]
    if not known:
        return None, None, None, None
    return values[-1], min(known), sum(known) / len(known), max(known)


def thinned(values: Sequence[Value], points: int, *, worst: bool = False) -> list[Value]:
    """At most so many groups of equal length, oldest first; what is left over at the beginning is dropped."""
    if not values or points < 1:
        return []
    length = -(-len(values) // points)
    found: list[Value] = []
    for start in range(len(values) % length, len(values), length):
        known = [value for value in values[start : start + length] if value is not None]
        found.append(None if not known else max(known) if worst else sum(known) / len(known))
    return found


def ceiling(value: float) -> float:
    """The end of a scale from zero that reads well."""
    if value <= 0:
        return 1.0
    power = 10.0 ** (len(f"{value:.0f}") - 1) if value >= 1 else 1.0
    while power > value:
        power /= 10
    return next(step * power for step in _STEPS if value <= step * power * (1 + 1e-9))


def spark(values: Sequence[Value], cells: int, top: float, glyphs: Glyphs, *, worst: bool = False) -> str:
    """All of the time in so many cells, on a scale from zero to `top`; blank where nothing is known."""
    steps, length = glyphs.spark, len(values)
    drawn = ""
    for cell in range(cells if length else 0):
        start = cell * length // cells
        part = values[start : max((cell + 1) * length // cells, start + 1)]
        known = [value for value in part if value is not None]
        value = 0.0 if not known else max(known) if worst else sum(known) / len(known)
        drawn += steps[min(int(value / top * len(steps)), len(steps) - 1)] if known else " "
    return drawn.rjust(cells)


def tick(value: float, unit: str, glyphs: Glyphs) -> str:
    """A value on an axis."""
    if unit != "seconds":
        return f"{value:g}" if value < 10_000 else spelled(value, unit, glyphs)
    return f"{value:g}s" if value >= 1 or not value else f"{value * 1000:g}ms"


def legend(chart: Chart, glyphs: Glyphs) -> Line:
    """The newest value of each curve, in its tone."""
    parts = [span(" ")]
    for curve in chart.all:
        newest = next((value for value in reversed(curve.values) if value is not None), None)
        tone = curve.tone if newest is not None and (curve is not chart.marks or newest > 0) else "muted"
        parts.append(span(f"{curve.name} {spelled(newest, chart.unit, glyphs)}  ", tone))
    return line(*parts)


def table(chart: Chart, glyphs: Glyphs) -> list[Line]:
    """The numbers of each curve, and when it was highest."""
    heads = "".join(f"{head:>{_NUMBER}}" for head in HEADS)
    drawn = [line(span(f" {'':<12}{heads}  HIGHEST AT", "muted"))]
    for curve in chart.all:
        told = "".join(f"{spelled(value, chart.unit, glyphs):>{_NUMBER}}" for value in figures(curve.values))
        drawn.append(
            line(
                span(f" {pad(curve.name, 12, more=glyphs.more)}", curve.tone),
                span(told),
                span(f"  {highest(chart, curve) or glyphs.unknown}", "muted"),
            )
        )
    return drawn


def highest(chart: Chart, curve: Curve) -> str:
    """When the curve was highest, as the time of day in UTC; empty where it never was above zero."""
    known = [(value, place) for place, value in enumerate(curve.values) if value]
    if not known:
        return ""
    _, place = max(known, key=lambda pair: pair[0])
    ago = timedelta(seconds=(len(curve.values) - place) * chart.step)
    try:
        at = datetime.fromisoformat(chart.until) - ago
    except ValueError:
        return ""
    return at.strftime("%H:%M:%S" if chart.step < 60 else "%d %b %H:%M")
