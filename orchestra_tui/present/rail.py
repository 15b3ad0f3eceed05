"""What stands at the right of a wide terminal in every view: alerts and budgets; the events come from the Overview."""

from orchestra_core.domain.alerts import AlertView
from orchestra_core.domain.budgets import BudgetView
from orchestra_tui.present.alerts import ordered, state
from orchestra_tui.present.budgets import money
from orchestra_tui.present.glyphs import Glyphs
from orchestra_tui.present.numbers import age, since
from orchestra_tui.present.picture import Picture
from orchestra_tui.present.spans import Line, Span, cut, cut_line, line, pad, span

_BAR = 14


def alerts(picture: Picture, cells: int, rows: int) -> list[Line]:
    """What fires, the worst first, each with its number below it; then what is over."""
    snapshot = picture.snapshot
    if snapshot is None:
        return []
    views = ordered(snapshot)
    if not views:
        return [line(span(f" {picture.glyphs.full} nothing fires", "good"))]
    told = rows >= 2 * len(views)
    drawn: list[Line] = []
    for view in views:
        drawn.append(_alert(view, snapshot.now, cells, picture.glyphs))
        if told:
            drawn.append(cut_line(line(span(f"   {view.message}", "muted")), cells, picture.glyphs.more))
    return drawn[:rows]


def _alert(view: AlertView, now: str, cells: int, glyphs: Glyphs) -> Line:
    kind = state(view, glyphs)
    room = max(cells - 18, 8)
    return line(
        span(f" {kind.symbol} ", kind.tone),
        span(pad(view.id, room, more=glyphs.more), "" if kind.tone == "muted" else "strong"),
        span(f" {pad(kind.word, 8)}", kind.tone),
        span(f" {age(since(now, view.since), glyphs.unknown):>4}", "muted"),
    )


def budgets(picture: Picture, cells: int, rows: int) -> list[Line]:
    """How much of each budget is spent and promised, and what is left; the fullest first."""
    snapshot = picture.snapshot
    if snapshot is None:
        return []
    if not snapshot.budgets:
        return [line(span(" no budget is set", "muted"))]
    views = sorted(snapshot.budgets, key=lambda view: -view.used)
    drawn = [_budget(view, cells, picture.glyphs) for view in views]
    return drawn[:rows]


def _budget(view: BudgetView, cells: int, glyphs: Glyphs) -> Line:
    name = max(cells - _BAR - 21, 6)
    share = min(max(view.used, 0.0), 1.0)
    full = round(share * _BAR)
    tone = "bad" if view.used >= 1 else "warn" if view.alert else "good"
    over = view.settled - view.limit
    left = f"{money(over, glyphs)} over" if over > 0 else f"{money(view.left, glyphs)} left"
    return line(
        Span(" "),
        span(pad(cut(view.name, name, glyphs.more), name)),
        Span(" "),
        span(glyphs.bar * full, tone),
        span(glyphs.rail * (_BAR - full), "muted"),
        span(f" {view.used:>4.0%}", tone),
        span(f" {left:>13}", "muted"),
    )
