"""Bars and sparklines on a fixed scale, drawn in text."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from orchestra_core.domain.snapshot import MemoryView
from orchestra_tui.present.glyphs import Glyphs
from orchestra_tui.present.numbers import size
from orchestra_tui.present.spans import Line, Span, line, pad, span
from orchestra_tui.present.states import State, fraction, pressure
from orchestra_tui.present.trend import STILL, Trend, foretold

# Percent with an arrow, amount, and the word.
_READING = 28
_AMOUNT = 11
# A bar that is shorter is none: there the time to a limit takes the place of the amount.
_LEAST_BAR = 8


def bar(memory: MemoryView, cells: int, glyphs: Glyphs) -> Line:
    """0 to 100 % of a pool: models we know of, other use, free space; both thresholds marked."""
    total = max(memory.total, 1)
    ours = min(max(round(memory.ours / total * cells), memory.ours > 0), cells)
    filled = min(max(round(fraction(memory) * cells), ours), cells)
    tone = pressure(memory, glyphs).tone
    signs = [glyphs.bar] * ours + [glyphs.other] * (filled - ours) + [glyphs.rail] * (cells - filled)
    tones = [tone] * filled + ["muted"] * (cells - filled)
    for share, mark_tone in ((memory.warning, "warn"), (memory.critical, "bad")):
        place = min(int(share * cells), cells - 1)
        signs[place], tones[place] = glyphs.mark, mark_tone
    return runs(signs, tones)


class Reading(NamedTuple):
    """What a gauge shows: `bar` draws its bar in so many cells, the `limits` are shares of the whole."""

    bar: Callable[[int], Line]
    share: float
    amount: str
    state: State
    limits: Sequence[float]


def row(
    label: str, reading: Reading, cells: int, glyphs: Glyphs, label_cells: int, trend: Trend = STILL
) -> Line:
    """A gauge in one row: label, bar, percent, amount, the word, and when it is at its next limit."""
    told = foretold(trend, reading.share, reading.limits)
    amount, tone, word, end = reading.amount, "value", f"{reading.state.word:<8}", Span("")
    room = max(cells - label_cells - _READING - 1, 4)
    if told and room - len(told) - 1 >= _LEAST_BAR:
        room -= len(told) + 1
        word, end = reading.state.word, span(f" {told}", "warn")
    elif told:
        room = max(room - (len(told) - _AMOUNT), 4)
        amount, tone = told, "warn"
    return line(
        Span(pad(label, label_cells, more=glyphs.more)),
        Span(" "),
        *reading.bar(room),
        percent(reading, trend, glyphs),
        span(f" {amount:<{_AMOUNT}}", tone),
        span(f" {reading.state.symbol} {word}", reading.state.tone),
        end,
    )


def percent(reading: Reading, trend: Trend, glyphs: Glyphs) -> Span:
    """With an arrow where it has just risen or fallen; in five cells."""
    arrow = {1: glyphs.rising, -1: glyphs.falling}.get(trend.direction, "")
    return span(f"{f'{arrow}{reading.share:.0%}':>5}", "value")


def gauge(
    label: str,
    memory: MemoryView,
    cells: int,
    glyphs: Glyphs,
    label_cells: int = 12,
    trend: Trend = STILL,
    *,
    known: bool = True,
) -> Line:
    """The row of a memory; only the total where the use is not known."""
    if not known:
        room = max(cells - label_cells - _READING - 1, 4)
        amount = f"of {size(memory.total)}"
        return line(
            Span(pad(label, label_cells, more=glyphs.more)),
            span(f" {glyphs.rail * room} {glyphs.unknown:>4} {amount:<{_AMOUNT}} unknown", "muted"),
        )
    return row(label, measured(memory, glyphs), cells, glyphs, label_cells, trend)


def measured(memory: MemoryView, glyphs: Glyphs) -> Reading:
    return Reading(
        lambda room: bar(memory, room, glyphs),
        fraction(memory),
        f"{size(memory.used)}/{size(memory.total)}",
        pressure(memory, glyphs),
        (memory.warning, memory.critical),
    )


def spark(values: Sequence[float], cells: int, glyphs: Glyphs, top: float | None = None) -> str:
    """The last `cells` buckets of `values`, scaled from zero to `top` (or the highest value)."""
    points = buckets(values, cells)
    high = top if top is not None else max(points, default=0.0)
    steps = glyphs.spark
    if high <= 0:
        return (steps[0] if points else " ") * cells
    drawn = "".join(steps[min(int(point / high * len(steps)), len(steps) - 1)] for point in points)
    return drawn.rjust(cells)


def activity(values: Sequence[int], cells: int, glyphs: Glyphs, top: int) -> str:
    """The last values on a scale from zero to `top`, one cell each; a dot is none, and the lowest step at least one."""
    steps, high = glyphs.spark, max(top, 1)
    shown = values[-cells:]
    drawn = (
        steps[min((value * len(steps) - 1) // high, len(steps) - 1)] if value > 0 else glyphs.dot
        for value in shown
    )
    return "".join(drawn).rjust(cells)


def buckets(values: Sequence[float], number: int) -> list[float]:
    """`values` averaged into at most `number` equal buckets, oldest first."""
    if not values or number < 1:
        return []
    step = max(-(-len(values) // number), 1)
    skip = len(values) % step
    return [sum(values[start : start + step]) / step for start in range(skip, len(values), step)]


def runs(signs: Sequence[str], tones: Sequence[str]) -> Line:
    """One span for each run of signs of one tone."""
    found: list[Span] = []
    for sign, tone in zip(signs, tones, strict=True):
        if found and found[-1].tone == tone:
            found[-1] = Span(found[-1].text + sign, tone)
        else:
            found.append(Span(sign, tone))
    return tuple(found)
