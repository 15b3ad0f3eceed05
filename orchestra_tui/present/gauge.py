"""Bars and sparklines on a fixed scale, drawn in text."""

from collections.abc import Sequence

from orchestra_core.domain.snapshot import MemoryView
from orchestra_tui.present.glyphs import Glyphs
from orchestra_tui.present.numbers import size
from orchestra_tui.present.spans import Line, Span, line, pad, span
from orchestra_tui.present.states import fraction, pressure

READING = 28


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


def gauge(
    label: str, memory: MemoryView, cells: int, glyphs: Glyphs, label_cells: int = 12, *, known: bool = True
) -> Line:
    """One row: label, bar, percent, used of total, and the word; only the total where the use is not known."""
    state = pressure(memory, glyphs)
    share = fraction(memory)
    room = max(cells - label_cells - READING - 1, 4)
    if not known:
        amount = f"of {size(memory.total)}"
        return line(
            Span(pad(label, label_cells, more=glyphs.more)),
            span(f" {glyphs.rail * room} {glyphs.unknown:>4} {amount:<11} unknown", "muted"),
        )
    amount = f"{size(memory.used)}/{size(memory.total)}"
    return line(
        Span(pad(label, label_cells, more=glyphs.more)),
        Span(" "),
        *bar(memory, room, glyphs),
        span(f"{share * 100:4.0f}% {amount:<11}", "strong"),
        span(f" {state.symbol} {state.word:<8}", state.tone),
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
