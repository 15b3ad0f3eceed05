"""How budgets stand: a bar of what is spent, what is left and until when, and where spending leads at its pace."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from orchestra_core.domain.budgets import BudgetView
from orchestra_core.domain.series import SeriesView
from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.present.gauge import runs
from orchestra_tui.present.glyphs import Glyphs
from orchestra_tui.present.numbers import uptime
from orchestra_tui.present.spans import Line, Span, cut_line, line, pad, span, wrapped
from orchestra_tui.present.states import State

# Of a period less than this is over: where it leads nobody can tell.
_EARLY = 0.01
_NAME, _LONGEST_BAR = 12, 40
_ENDS = (("AT END", 9), ("RUNS OUT", 8))
# From how many cells on which columns of numbers are shown.
_COLUMNS: tuple[tuple[int, tuple[tuple[str, int], ...]], ...] = (
    (100, (("LIMIT", 9), ("RESERVED", 8), ("SETTLED", 9), ("LEFT", 8), ("ENDS IN", 7), *_ENDS)),
    (76, (("LIMIT", 8), ("SETTLED", 8), ("LEFT", 7), *_ENDS)),
    (0, (("LIMIT", 8), ("LEFT", 8), ("RUNS OUT", 8))),
)


class Forecast(msgspec.Struct, frozen=True):
    """Where spending leads when it goes on as it did on average since the period began; None where nobody can tell.

    `runs_out` is seconds until the limit is spent, None where the money lasts until the period ends. It is a lower
    bound (`at_least`) where some requests have no known price.
    """

    spent: float | None = None
    runs_out: float | None = None
    at_least: bool = False


def forecast(view: BudgetView, lately: float | None = None) -> Forecast:
    """Reservations are left out: most of what is reserved is given back. `lately` is the cost a second of the last
    minutes, None where that of what the budget is over is not known; the faster pace tells when the money ends.
    """
    if not view.known or not 0 <= view.elapsed <= 1:
        return Forecast()
    settled = view.elapsed >= _EARLY
    spent = view.settled / view.elapsed if settled else None
    passed = view.resets_in * view.elapsed / (1 - view.elapsed) if view.elapsed < 1 else 0.0
    left = view.limit - view.settled
    pace = max(view.settled / passed if settled and passed > 0 else 0.0, lately or 0.0)
    runs_out = None
    if left <= 0:
        runs_out = 0.0
    elif pace * view.resets_in > left:
        runs_out = left / pace
    return Forecast(spent, runs_out, view.unpriced > 0)


def lately(view: BudgetView, last: SeriesView | None) -> float | None:
    """Known cost a second over the stretch, of everything or of the one model that the budget is over."""
    if last is None or not last.whole.cost or view.key is not None or view.task is not None:
        return None
    if view.model is None:
        return sum(filter(None, last.whole.cost)) / (len(last.whole.cost) * last.step)
    row = next((row for row in last.rows if row.name == view.model), None)
    if row is None or not row.cost:
        return None
    return sum(filter(None, row.cost)) / (len(row.cost) * last.row_step)


def key_of(view: BudgetView) -> str:
    """The identity of a row: a budget for each key has one row for each."""
    return f"{view.name} {view.scope}"


def budget(snapshot: Snapshot | None, key: str | None) -> BudgetView | None:
    if snapshot is None or key is None:
        return None
    return next((view for view in snapshot.budgets if key_of(view) == key), None)


def state(view: BudgetView, glyphs: Glyphs, last: SeriesView | None = None) -> State:
    """In one word what to think of it."""
    if not view.known:
        return State(glyphs.half, "unread", "warn")
    if view.used >= 1:
        return State(glyphs.critical, "spent", "bad")
    if view.waiting or view.left <= 0:
        return State(glyphs.critical, "full", "bad")
    if forecast(view, lately(view, last)).runs_out is not None:
        return State(glyphs.high, "fast", "warn")
    if view.alert is not None:
        return State(glyphs.high, f"{view.alert:.0%}", "warn")
    return State(glyphs.full, "ok", "good")


def bar(view: BudgetView, cells: int, glyphs: Glyphs, last: SeriesView | None = None) -> Line:
    """0 to 100 % of the limit: settled, reserved, left; the thresholds marked."""
    settled = max(_part(view.settled, view.limit, cells), min(int(view.settled > 0), cells))
    whole = _part(view.settled + view.reserved, view.limit, cells)
    reserved = max(whole, min(settled + int(view.reserved > 0), cells))
    tone = state(view, glyphs, last).tone
    signs = (
        [glyphs.bar] * settled + [glyphs.other] * (reserved - settled) + [glyphs.rail] * (cells - reserved)
    )
    tones = [tone] * settled + ["accent"] * (reserved - settled) + ["muted"] * (cells - reserved)
    for share in view.thresholds:
        place = int(share * cells)
        if place < cells:
            signs[place], tones[place] = glyphs.mark, "warn" if share < 0.8 else "bad"
    return runs(signs, tones)


def _part(value: float, limit: float, cells: int) -> int:
    return cells if value >= limit else round(value / limit * cells)


def money(value: float | None, glyphs: Glyphs, *, at_least: bool = False) -> str:
    """At most nine cells: `0.0012`, `12.50`, `1,250`; a plus where it may be more."""
    if value is None:
        return glyphs.unknown
    more = "+" if at_least else ""
    if value == 0:
        return f"0{more}"
    if value < 0.00005:
        return f"{value:.1e}{more}"
    if value < 0.99995:
        return f"{value:.4f}".rstrip("0").ljust(4, "0") + more
    return f"{value:,.2f}{more}" if value < 10_000 else f"{value:,.0f}{more}"


def table(
    views: Sequence[BudgetView], cells: int, glyphs: Glyphs, last: SeriesView | None = None
) -> tuple[Line, list[tuple[str, Line]]]:
    """The header and a row for each, in the order of the configuration; what does not fit is left out.

    `last` is how traffic went in the last minutes.
    """
    columns = next(kept for least, kept in _COLUMNS if cells >= least)
    scope = min(max((len(view.scope) for view in views), default=0), 24) if cells >= 100 else 0
    name = min(max((len(view.name) for view in views), default=0), 20 if cells >= 150 else _NAME)
    name = max(name, 6)
    numbers = sum(width + 1 for _, width in columns)
    room = max(min(cells - numbers - name - scope - 17 - (scope > 0), _LONGEST_BAR), 0)
    lead = f" {pad('BUDGET', name)}{' ' + pad('OF', scope) if scope else ''} {pad('SPENT', room + 5)}"
    header = span(lead + "".join(f" {head:>{width}}" for head, width in columns) + "  STATE", "muted")
    drawn: list[tuple[str, Line]] = []
    for view in views:
        told, now = _numbers(view, glyphs, last), state(view, glyphs, last)
        label = f" {pad(view.name, name, more=glyphs.more)} "
        row = line(
            span(label + (f"{pad(view.scope, scope, more=glyphs.more)} " if scope else "")),
            *bar(view, room, glyphs, last),
            span(f"{min(view.used, 9.99):>5.0%}", now.tone),
            span("".join(f" {told[head]:>{width}}" for head, width in columns)),
            span(f"  {now.symbol} {now.word}", now.tone),
        )
        drawn.append((key_of(view), cut_line(row, cells, glyphs.more)))
    return cut_line((header,), cells, glyphs.more), drawn


def _numbers(view: BudgetView, glyphs: Glyphs, last: SeriesView | None) -> dict[str, str]:
    known, ahead = view.known, forecast(view, lately(view, last))
    lasts = "lasts" if ahead.spent is not None else glyphs.unknown
    return {
        "LIMIT": money(view.limit, glyphs) + ("*" if view.configured is not None else ""),
        "RESERVED": money(view.reserved, glyphs),
        "SETTLED": money(view.settled if known else None, glyphs, at_least=view.unpriced > 0),
        "LEFT": money(view.left if known else None, glyphs),
        "ENDS IN": uptime(view.resets_in),
        "AT END": money(ahead.spent, glyphs, at_least=ahead.at_least),
        "RUNS OUT": lasts
        if ahead.runs_out is None
        else "now"
        if ahead.runs_out <= 0
        else uptime(ahead.runs_out),
    }


def detail(
    view: BudgetView, now: str, cells: int, glyphs: Glyphs, last: SeriesView | None = None
) -> list[Line]:
    """Everything there is to know of one budget, in sentences where they say more."""
    facts = [
        ("budget", f"{view.name}, over {view.scope}"),
        (
            "limit",
            f"{money(view.limit, glyphs)} {view.currency} a {view.period}, {view.kind}{_configured(view, glyphs)}",
        ),
        ("settled", f"{money(view.settled if view.known else None, glyphs)}, {view.used:.0%} of it"),
        ("reserved", f"{money(view.reserved, glyphs)}, the most that requests under way may cost"),
        ("left", money(view.left if view.known else None, glyphs)),
        ("period", f"{view.starts[:16]} to {view.resets[:16]} UTC, ends in {uptime(view.resets_in)}"),
        ("forecast", sentence(view, now, glyphs)),
        ("lately", recently(view, now, glyphs, last)),
        ("tells at", ", ".join(f"{share:.0%}" for share in view.thresholds) or "nothing"),
        (
            "over it",
            "a cheaper or lesser route answers" if view.over == "degrade" else "requests are refused",
        ),
    ]
    if view.kind == "soft":
        facts[-1] = ("over it", f"nothing is refused: cost weighs {view.weight:.1f} times as much now")
    for number, what in (
        (view.waiting, "waiting for others to settle"),
        (view.refused, "refused, or sent elsewhere"),
        (view.unpriced, "of unknown price, not in these numbers"),
        (view.overruns, "dearer than was reserved"),
    ):
        if number:
            facts.append(("", f"{number} {'request' if number == 1 else 'requests'} {what}"))
    if view.presumed:
        facts.append(("", f"{money(view.presumed, glyphs)} presumed, of requests that a crash interrupted"))
    drawn: list[Line] = [
        (
            Span(" "),
            *bar(view, max(min(cells - 12, 60), 4), glyphs, last),
            span(f" {view.used:.0%}", "strong"),
        ),
        (),
    ]
    for label, text in facts:
        drawn += wrapped(text, cells - 1, "", f" {label:<10}", " " * 11)
    drawn += [
        (),
        *wrapped(
            f"B sets another limit; :budget set {view.name} AMOUNT does, too", cells - 1, "muted", " ", " "
        ),
    ]
    return drawn


def _configured(view: BudgetView, glyphs: Glyphs) -> str:
    if view.configured is None:
        return ""
    return f"; an operator set it, configured is {money(view.configured, glyphs)}"


def sentence(view: BudgetView, now: str, glyphs: Glyphs) -> str:
    """Where it leads, and what that rests on."""
    ahead = forecast(view)
    if ahead.spent is None:
        return "not known yet: too little of the period is over" if view.known else "not known yet"
    whole = f"{money(ahead.spent, glyphs, at_least=ahead.at_least)} {view.currency} at the end, as it went on average"
    if ahead.runs_out is None:
        return f"{whole}: it lasts"
    if ahead.runs_out <= 0:
        return f"{whole}: the limit is spent"
    return f"{whole}: the limit is spent in {uptime(ahead.runs_out)}{_when(now, ahead.runs_out)}"


def recently(view: BudgetView, now: str, glyphs: Glyphs, last: SeriesView | None) -> str:
    """The same by what was spent in the last minutes."""
    pace = lately(view, last)
    if pace is None or last is None:
        return "not known: what the last minutes cost is known of everything and of models only"
    told = f"{money(pace * 3600, glyphs)} {view.currency} an hour in the last {uptime(_stretch(last))}"
    left = view.limit - view.settled
    if left <= 0 or pace <= 0 or left / pace >= view.resets_in:
        return told
    return f"{told}: at that pace the limit is spent in {uptime(left / pace)}{_when(now, left / pace)}"


def _stretch(last: SeriesView) -> float:
    return float(len(last.whole.cost) * last.step)


def _when(now: str, seconds: float) -> str:
    try:
        at = datetime.fromisoformat(now) + timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        return ""
    return at.strftime(", about %d %b %H:%M UTC")
