"""Alerts as a table, one alert's details, and what may be said to it."""

from collections.abc import Sequence

from rich.cells import cell_len

from orchestra_core.domain.alerts import AlertView
from orchestra_core.domain.snapshot import Snapshot
from orchestra_core.domain.text import one_line
from orchestra_tui.present.glyphs import Glyphs
from orchestra_tui.present.numbers import age, clock, since, size
from orchestra_tui.present.picture import Picture
from orchestra_tui.present.spans import Line, cut_line, line, pad, span, wrapped
from orchestra_tui.present.states import State

_TONES = {"critical": "bad", "warning": "warn", "info": "accent"}
_RANK = {"critical": 0, "warning": 1, "info": 2}
# How long an alert may be silenced by a key: seconds by what is shown.
TIMES = {"15 minutes": 900, "1 hour": 3600, "4 hours": 14_400, "1 day": 86_400, "7 days": 604_800}
UNSILENCE = "end the silence"
_WORD, _SEVERITY, _SINCE = 8, 8, 5


def alert(snapshot: Snapshot | None, identity: str | None) -> AlertView | None:
    views = snapshot.alerts if snapshot else ()
    return next((view for view in views if view.id == identity), None)


def firing(snapshot: Snapshot) -> list[AlertView]:
    """What fires and nobody has silenced."""
    return [view for view in snapshot.alerts if view.firing and not view.silenced]


def badge(snapshot: Snapshot, glyphs: Glyphs) -> Line:
    """How many fire, in the tone of the worst that nobody has taken note of; nothing where none does."""
    views = firing(snapshot)
    if not views:
        return ()
    open_ones = [view.severity for view in views if not view.acknowledged]
    worst = min(open_ones, key=lambda severity: _RANK.get(severity, 3), default="")
    word = "alert" if len(views) == 1 else "alerts"
    sign = glyphs.critical if worst == "critical" else glyphs.high
    return line(span(f"{sign} {len(views)} {word}", _TONES.get(worst, "muted"), "app.view('alerts')"))


def state(view: AlertView, glyphs: Glyphs) -> State:
    """Symbol and tone by severity, the word by what is done about it."""
    sign = {"critical": glyphs.critical, "warning": glyphs.high}.get(view.severity, glyphs.half)
    tone = _TONES.get(view.severity, "")
    if view.state == "resolved":
        return State(glyphs.full, "over", "muted")
    if view.silenced:
        return State(sign, "silenced", "muted")
    if view.state == "pending":
        return State(glyphs.hollow, "pending", "muted")
    if view.acknowledged:
        return State(sign, "acked", tone)
    return State(sign, "easing" if view.state == "resolving" else "firing", tone)


def ordered(snapshot: Snapshot | None) -> list[AlertView]:
    """All alerts in the engine's order, with the silent ones last."""
    views = snapshot.alerts if snapshot else ()
    return sorted(views, key=lambda view: (not view.firing, view.silenced and view.firing))


def table(views: Sequence[AlertView], picture: Picture, cells: int) -> tuple[Line, list[tuple[str, Line]]]:
    """The header and, per alert, its id and its row."""
    if not views:
        quiet = "nothing fires" if picture.snapshot is not None else ""
        return line(span(f" {picture.glyphs.full if quiet else ''} {quiet}", "good")), []
    name = min(max(10, *(cell_len(view.id) for view in views)), max(cells // 3, 12))
    head = f"    {'SEVERITY':<{_SEVERITY}} {'STATE':<{_WORD}} {'SINCE':>{_SINCE}} {pad('ALERT', name)} WHAT"
    now = picture.snapshot.now if picture.snapshot else ""
    rows = [(view.id, _row(view, name, now, cells, picture.glyphs)) for view in views]
    return cut_line(line(span(head, "muted")), cells), rows


def widest(views: Sequence[AlertView]) -> tuple[int, int]:
    """The cells that whole names and messages need, and those up to the end of the name."""
    name = max([10, *(cell_len(view.id) for view in views)])
    lead = 4 + _SEVERITY + 1 + _WORD + 1 + _SINCE + 1 + name
    # A third of the width is the most that a name gets.
    return max(lead + 1 + max([4, *(cell_len(one_line(view.message)) for view in views)]), 3 * name), lead


def _row(view: AlertView, name: int, now: str, cells: int, glyphs: Glyphs) -> Line:
    is_now = state(view, glyphs)
    quiet = is_now.tone == "muted"
    lead = span(f"  {is_now.symbol} {view.severity:<{_SEVERITY}} {is_now.word:<{_WORD}}", is_now.tone)
    when = span(f" {age(since(now, view.since)):>{_SINCE}} ", "muted")
    what = line(
        span(pad(view.id, name, more=glyphs.more), "muted" if quiet else "strong"),
        span(f" {view.message}", "muted" if quiet else ""),
    )
    return cut_line((lead, when, *what), cells, glyphs.more)


def detail(view: AlertView, picture: Picture, cells: int) -> list[Line]:
    """Everything there is to know of one alert."""
    is_now = state(view, picture.glyphs)
    now = picture.snapshot.now if picture.snapshot else ""
    rows: list[tuple[str, str, str]] = [
        ("alert", view.id, "strong"),
        (
            "state",
            f"{is_now.symbol} {view.severity}, {view.state} for {age(since(now, view.since))}",
            is_now.tone,
        ),
        ("what", view.message, ""),
        *((("fired", f"{clock(view.fired)}, {_times(view.times)}", ""),) if view.fired else ()),
        *((("value", _number(view, view.value), ""),) if view.value is not None else ()),
    ]
    if view.acknowledged:
        at = f" at {clock(view.acknowledged_at)}" if view.acknowledged_at else ""
        rows.append(("noted by", f"{view.acknowledged}{at}", "good"))
        rows.append(("", view.acknowledged_reason, ""))
    if view.silenced_until is not None:
        rows.append(("silenced", f"until {_until(view.silenced_until, now)}, by {view.silenced_by}", "warn"))
        rows.append(("", view.silenced_reason, ""))
    drawn: list[Line] = []
    for label, text, tone in rows:
        if text:
            drawn += wrapped(text, cells - 1, tone, f" {label:<10}", " " * 11)
    return drawn


def choices(views: Sequence[AlertView]) -> list[tuple[str, Line]]:
    """For how long alerts, or all of their rules, may be silenced; first the end of a silence there is."""
    names, rules = _named([view.id for view in views]), _named(_rules(views))
    own = [(words, f"{names} for {words}") for words in TIMES]
    whole = [(f"all {words}", f"every {rules} alert for {words}") for words in TIMES]
    ended = [(UNSILENCE, f"{UNSILENCE} of {names}")] if any(view.silenced for view in views) else []
    return [(key, line(span(f"  {text}"))) for key, text in (*ended, *own, *whole)]


def chosen(views: Sequence[AlertView], choice: str) -> tuple[str, list[str], float | None] | None:
    """(verb, what, seconds) of a choice; None where none was made."""
    if choice == UNSILENCE:
        return "unsilence", [view.id for view in views if view.silenced], None
    words = choice.removeprefix("all ")
    if words not in TIMES:
        return None
    return "silence", _rules(views) if choice != words else [view.id for view in views], float(TIMES[words])


def _rules(views: Sequence[AlertView]) -> list[str]:
    return list(dict.fromkeys(view.rule for view in views))


def _named(names: Sequence[str]) -> str:
    """All of them where they are few."""
    return ", ".join(names) if len(names) <= 3 else f"{', '.join(names[:2])} and {len(names) - 2} more"


def _number(view: AlertView, value: float) -> str:
    limit = "" if view.limit is None else f", limit {_measure(view, view.limit)}"
    return f"{_measure(view, value)}{limit}"


def _measure(view: AlertView, value: float) -> str:
    """Of disks these are bytes."""
    return size(int(value)) if view.rule == "disk" else f"{value:.4g}"


def _times(number: int) -> str:
    return "the first time" if number == 1 else f"{number} times since the engine started"


def _until(stamp: str, now: str) -> str:
    """The time of day, with the date where that is another one."""
    return clock(stamp) if stamp[:10] == now[:10] else f"{stamp[:10]} {clock(stamp)}"
