"""Backends and breakers as rows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from rich.cells import cell_len

from orchestra_core.domain.snapshot import BackendView, BreakerView, Snapshot
from orchestra_core.domain.text import one_line
from orchestra_tui.present import gauge
from orchestra_tui.present.glyphs import Glyphs
from orchestra_tui.present.numbers import age, seconds, since, size
from orchestra_tui.present.picture import Picture
from orchestra_tui.present.problems import story
from orchestra_tui.present.spans import Line, Span, cut, cut_line, line, pad, span, width, wrapped
from orchestra_tui.present.states import circuit, fraction, health, pressure
from orchestra_tui.present.steady import part

# Where there is less room, why a breaker is open matters more than how often it was.
_ROOMY = 90
# The sign, and `busy` and `ready`.
_WORDS = 14
_SPARK, _LEAST_SPARK = 20, 12
_LATENCY, _KIND = 8, 20
# Probes never take equally long: where all has to be small nothing is written for that.
_WIDE = 66
_RANK = {"open": 0, "half_open": 1}
# Asked for only where there is room to show it: for the first seconds it is another one each second.
Activity = Callable[[], Sequence[Mapping[str, int]]]


def strip(picture: Picture, cells: int, height: int) -> list[Line]:
    """One row per backend; where there is room, the breakers below, the open ones first."""
    snapshot = picture.snapshot
    if snapshot is None:
        return []
    rows = backend_rows(
        snapshot, worst_first(snapshot)[:height], cells, picture.glyphs, lambda: picture.activity
    )
    if not rows:
        return [line(span(" no backend", "warn"))]
    room = height - len(rows) - 1
    if room < 1 or not snapshot.breakers:
        return rows
    below = [breaker_row(view, cells, picture.glyphs) for view in ranked(snapshot)[:room]]
    return [*rows, breaker_sum(snapshot, cells, picture.glyphs), *below]


def worst_first(snapshot: Snapshot) -> list[BackendView]:
    """Backends that are down first, so that a short pane never hides them; otherwise the engine's order."""
    return sorted(snapshot.backends, key=lambda view: view.health != "down")


def backend_rows(
    snapshot: Snapshot,
    views: Sequence[BackendView],
    cells: int,
    glyphs: Glyphs,
    activity: Activity = tuple,
) -> list[Line]:
    """These backends; columns are as wide as the whole fleet needs, and the name has what they leave. Where there is
    room, what they had to do in the last seconds (`activity`, in flight by name) on a scale up to their slots."""
    fleet = snapshot.backends
    tripped = _tripped(fleet, part(snapshot, _circuits), glyphs)
    columns = _Columns(
        *(
            _widest(texts)
            for texts in (
                (each.name for each in fleet),
                (health(each, glyphs).word for each in fleet),
                (tripped[each.name].text for each in fleet),
                (_busy(each, glyphs) for each in fleet),
                (_ready(each) for each in fleet),
            )
        )
    )
    return [_backend_row(view, tripped[view.name], columns, cells, glyphs, activity) for view in views]


class _Columns(NamedTuple):
    """How many cells the widest of the fleet needs."""

    name: int
    health: int
    tripped: int
    busy: int
    ready: int


def _backend_row(
    view: BackendView, tripped: Span, columns: _Columns, cells: int, glyphs: Glyphs, activity: Activity
) -> Line:
    state = health(view, glyphs)
    gap = "  " if sum(columns) + _WORDS + 4 * 2 <= cells else " "
    parts = [
        span(f"{gap}{pad(state.word, columns.health)}", state.tone),
        span(f"{gap}{pad(tripped.text, columns.tripped)}", tripped.tone),
        span(f"{gap}{_busy(view, glyphs):>{columns.busy}} busy", "value"),
        span(f"{gap}{_ready(view):>{columns.ready}} ready", "value"),
    ]
    left = cells - sum(columns) - _WORDS - 4 * len(gap) - 1
    if left >= _LEAST_SPARK:
        busy = [each.get(view.name, 0) for each in activity()]
        drawn = gauge.activity(busy, min(left - 1, _SPARK), glyphs, view.slots)
        parts.append(span(f" {drawn}", "accent"))
        left -= len(drawn) + 1
    if left >= _LATENCY and cells >= _WIDE:
        parts.append(span(f"  {seconds(view.latency, glyphs.unknown):>6}", "muted"))
        left -= _LATENCY
    if left >= _KIND:
        parts.append(span(f"  {view.kind}{' (simulated)' if view.simulated else ''}", "muted"))
    room = max(cells - 3 - width(tuple(parts)), 9)
    name = pad(view.name, min(columns.name, room), more=glyphs.more)
    return cut_line((span(f" {state.symbol} ", state.tone), span(name, "strong"), *parts), cells, glyphs.more)


def breaker_sum(snapshot: Snapshot, cells: int, glyphs: Glyphs) -> Line:
    """How many breakers are in each state."""
    parts = [Span(" breakers ", "muted")]
    for name in ("closed", "half_open", "open"):
        number = sum(view.state == name for view in snapshot.breakers)
        state = circuit(name, glyphs)
        if number or name == "closed":
            parts.append(span(f" {state.symbol} {number} {state.word} ", state.tone))
    return cut_line(tuple(parts), cells, glyphs.more)


def breaker_row(view: BreakerView, cells: int, glyphs: Glyphs) -> Line:
    """One breaker: a tripped one with its story, a closed one with its last outcomes."""
    state = circuit(view.state, glyphs)
    sign = span(f" {state.symbol} ", state.tone)
    if view.state != "closed":
        name = min(max(cells // 2 - 4, 16), 40)
        told = span(f"  {story(view)}", state.tone)
        return cut_line((sign, span(cut(view.endpoint, name, glyphs.more)), told), cells, glyphs.more)
    again = f" again, {age(view.since)}" if view.opened else ""
    word = span(f"  {state.word}{again}  ", "muted")
    room = cells - 3 - width((word,))
    # What is left holds ten outcomes, or five where the name needs that.
    name = min(max(room - 11, min(cell_len(view.endpoint), room - 5), 16), 40)
    room -= name
    return (
        sign,
        span(pad(view.endpoint, name, more=glyphs.more)),
        word,
        *outcomes(view.recent, glyphs, max(room, 0)),
    )


def outcomes(recent: str, glyphs: Glyphs, number: int = 20) -> Line:
    """The last outcomes of an endpoint, oldest first."""
    return tuple(
        Span(glyphs.ok, "good") if sign == "+" else Span(glyphs.cross, "bad")
        for sign in (recent[-number:] if number else "")
    )


def ranked(snapshot: Snapshot) -> list[BreakerView]:
    """Breakers with the tripped ones first, otherwise in the engine's order."""
    return sorted(snapshot.breakers, key=lambda view: _RANK.get(view.state, 2))


def table_header(cells: int) -> Line:
    trips = f" {'TRIPS':>5}" if cells >= _ROOMY else ""
    numbers = f"{'BREAKER':<10}{'SINCE':>6}{trips} {'PROBE':>7}"
    text = f"   {'ENDPOINT':<{_name(cells)}} {numbers}  OUTCOMES, WHY"
    return cut_line(line(span(text, "muted")), cells)


def widest(views: Sequence[BreakerView]) -> tuple[int, int]:
    """The cells that whole names and reasons need, and those up to the end of the name."""
    name = min(max([20, *(cell_len(view.endpoint) for view in views)]), 44)
    why = max([0, *(cell_len(one_line(view.reason)) + cell_len(view.recent) for view in views)])
    return max(3 + name + 35 + why, 3 * name), 3 + name


def table_row(view: BreakerView, cells: int, glyphs: Glyphs) -> Line:
    """One endpoint's breaker: state, since when, how often, next probe, why, last outcomes."""
    state, name = circuit(view.state, glyphs), _name(cells)
    trips = f" {view.opened:>5}" if cells >= _ROOMY else ""
    room = max(cells - 3 - name - 27 - len(trips), 0)
    told = _why(view)
    # The story is what one looks for; the outcomes before it are cut to make room, down to the last few.
    shown = min(max(room - cell_len(told) - 2, 8), 20) if told else 20
    return cut_line(
        line(
            span(f" {state.symbol} ", state.tone),
            span(pad(view.endpoint, name, more=glyphs.more), "strong"),
            span(f" {state.word:<10}", state.tone),
            span(f"{age(view.since):>6}"),
            span(trips, "value"),
            span(f" {_next(view, glyphs):>7}  "),
            *outcomes(view.recent, glyphs, shown),
            *((span(f"  {told}", state.tone),) if told else ()),
        ),
        cells,
        glyphs.more,
    )


def _next(view: BreakerView, glyphs: Glyphs) -> str:
    """When the next probe is let through, or until when an operator lets none."""
    if view.tripped:
        return "held" if view.held_for is None else f"held {age(view.held_for)}"
    return (
        f"{view.next_probe:.0f}s" if view.next_probe is not None and view.next_probe > 0 else glyphs.unknown
    )


def _why(view: BreakerView) -> str:
    """Why it is not closed; of a closed one that starts slowly, how far it is."""
    if view.state != "closed":
        return one_line(view.reason)
    return f"{view.allowance:.0%} of its slots so far" if view.allowance < 1.0 else ""


def timeline(view: BreakerView, cells: int, glyphs: Glyphs) -> list[Line]:
    """One breaker with all of its story: what it is now, its last outcomes, and each time it opened, newest first."""
    state = circuit(view.state, glyphs)
    head = [f"{state.word} for {age(view.since)}"]
    if view.tripped:
        head.append("held until reset" if view.held_for is None else f"held for another {age(view.held_for)}")
    elif view.next_probe is not None and view.next_probe > 0:
        head.append(f"probe in {view.next_probe:.0f}s")
    if view.failures:
        head.append(f"{view.failures} failures in a row")
    if why := _why(view):
        head.append(why)
    drawn = [
        cut_line(
            line(span(f" {state.symbol} ", state.tone), span(view.endpoint, "strong")), cells, glyphs.more
        ),
        *wrapped(", ".join(head), cells, state.tone, "   ", "   "),
    ]
    if view.recent:
        drawn.append(cut_line(line(span("   last     ", "muted"), *outcomes(view.recent, glyphs, 30)), cells))
    for place, trip in enumerate(reversed(view.history)):
        label = "   opened   " if place == 0 else "            "
        asked = f" ({', '.join(trip.requests[-3:])})" if trip.requests else ""
        drawn += wrapped(
            f"{age(trip.ago)} ago: {trip.reason}{asked}", cells, "bad" if place == 0 else "", label, " " * 16
        )
    return drawn


def backend_detail(view: BackendView, now: str, cells: int, glyphs: Glyphs) -> list[Line]:
    """Everything the engine knows of a backend."""
    state = health(view, glyphs)
    probed = since(now, view.last_probe)
    rows = [
        ("health", f"{state.symbol} {state.word}", state.tone),
        ("kind", f"{view.kind}{' (simulated)' if view.simulated else ''}, {view.origin}", ""),
        ("address", view.address, ""),
        ("version", view.version or glyphs.unknown, ""),
        ("probe", f"{seconds(view.latency, glyphs.unknown)}, {age(probed, glyphs.unknown)} ago", ""),
        ("in flight", _in_flight(view), ""),
        ("models", f"{view.ready} ready of {view.models}", ""),
    ]
    if view.memory is not None:
        word = pressure(view.memory, glyphs)
        used = f"{size(view.memory.used)} of {size(view.memory.total)} ({fraction(view.memory):.0%})"
        rows.append(("memory", f"{used} {word.word}, {view.memory.source}", word.tone))
    if view.error:
        rows.append(("error", view.error, "bad"))
    return [
        cut_line(line(span(f" {label:<11}", "muted"), span(text, tone)), cells) for label, text, tone in rows
    ]


def _circuits(snapshot: Snapshot) -> list[tuple[str, str]]:
    """Endpoint and state of each breaker, which change less often than its ages."""
    return [(view.endpoint, view.state) for view in snapshot.breakers]


def _tripped(
    fleet: Sequence[BackendView], circuits: Sequence[tuple[str, str]], glyphs: Glyphs
) -> dict[str, Span]:
    """Of each backend, how many of its breakers are in the worst state that one of them is in."""
    states: dict[str, list[str]] = {view.name: [] for view in fleet}
    for endpoint, state in circuits:
        states.setdefault(endpoint.partition("/")[0], []).append(state)
    return {name: _worst(own, glyphs) for name, own in states.items()}


def _worst(states: Sequence[str], glyphs: Glyphs) -> Span:
    if not states:
        return span(glyphs.unknown, "muted")
    worst = min(states, key=lambda state: _RANK.get(state, 2))
    state = circuit(worst, glyphs)
    return span(f"{state.symbol} {states.count(worst)} {state.word}", state.tone)


def _busy(view: BackendView, glyphs: Glyphs) -> str:
    """Slots are those of models that are ready: while the first one loads, how many there will be is not known.
    Behind a plus are those that wait for a model which is not."""
    more = f"+{view.awaiting}" if view.awaiting else ""
    return f"{view.inflight - view.awaiting}/{view.slots or glyphs.unknown}{more}"


def _in_flight(view: BackendView) -> str:
    wait = f", {view.awaiting} more wait until their model is loaded" if view.awaiting else ""
    if view.slots:
        return f"{view.inflight - view.awaiting} of {view.slots} slots{wait}"
    return f"{view.inflight}; it has slots once a model is ready"


def _ready(view: BackendView) -> str:
    return f"{view.ready}/{view.models}"


def _widest(texts: Iterable[str]) -> int:
    return max((cell_len(text) for text in texts), default=0)


def _name(cells: int) -> int:
    return min(max(cells // 3, 20), 44)
