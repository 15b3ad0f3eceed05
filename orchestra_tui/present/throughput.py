"""How traffic went as charts, as rows of metrics, and by model or backend."""

from collections.abc import Sequence

from orchestra_core.domain.series import WINDOWS, Course, SeriesView, Spread
from orchestra_tui.present.curves import (
    HEADS,
    Chart,
    Curve,
    Value,
    ceiling,
    figures,
    spark,
    spelled,
)
from orchestra_tui.present.glyphs import Glyphs
from orchestra_tui.present.numbers import clock, uptime
from orchestra_tui.present.numbers import since as seconds_since
from orchestra_tui.present.spans import Line, Span, cut_line, fit, line, pad, span

KEYS = ("requests", "tokens", "underway", "latency", "first", "cost")
BY = ("model", "backend")
OTHERS = "(others)"
_QUANTILES = (("p50", "code"), ("p95", "accent"), ("p99", "warn"))
_NAMES = {1: "by the second", 10: "by 10 s", 60: "by the minute", 300: "by 5 min"}
_SHORTEST = 16


def windows(view: SeriesView | None, window: str, by: str, scope: str, cells: int, glyphs: Glyphs) -> Line:
    """Which window is shown, of what, and since when anything is known."""
    parts: list[tuple[int, Line]] = [
        (
            0,
            line(
                Span(" "),
                *(
                    span(f" {name} ", "tab" if name == window else "muted", f"screen.show_window('{name}')")
                    for name in WINDOWS
                ),
            ),
        )
    ]
    if scope:
        parts.append((0, line(span(f"only {scope}", "strong"), span(" esc: all", "muted"))))
    else:
        parts.append((1, line(span(f"rows by {by}", "muted", "screen.group"))))
    if view is not None:
        told = f"{_NAMES.get(view.step, f'by {view.step} s')} until {clock(view.until)}"
        parts.append((2, line(span(told, "muted"))))
        age = seconds_since(view.until, view.since)
        if age is not None and age < view.seconds:
            parts.append((1, line(span(f"all there is: {uptime(age)}", "muted"))))
            parts.append((3, line(span("since the engine started", "muted"))))
    return cut_line(fit(parts, cells), cells, glyphs.more)


def row_of(view: SeriesView, scope: str) -> Course | None:
    """What is known of one model or backend."""
    if scope == OTHERS:
        return view.others
    return next((row for row in view.rows if row.name == scope), None)


def charts(view: SeriesView, scope: str = "") -> tuple[Chart, ...]:
    """All charts, of everything or of one row; none where that row is not known any more."""
    course = row_of(view, scope) if scope else view.whole
    if course is None:
        return ()
    step, until = (view.row_step, view.row_until) if scope else (view.step, view.until)
    spread_step, spread_until = (step, until) if scope else (view.spread_step, view.spread_until)
    length = _length(view)

    def counts(
        key: str, title: str, unit: str, *curves: Curve, area: bool = False, marks: Curve | None = None
    ) -> Chart:
        return Chart(key, title, unit, curves, step, length, until, marks, area)

    def spread(key: str, title: str, found: Spread) -> Chart:
        curves = tuple(Curve(name, getattr(found, name), tone, worst=True) for name, tone in _QUANTILES)
        return Chart(key, title, "seconds", curves, spread_step, length, spread_until)

    return (
        counts(
            "requests",
            "Requests a second",
            "rate",
            Curve("req/s", _each(course.requests, step)),
            marks=Curve("failed/s", _each(course.failures, step), "bad"),
            area=True,
        ),
        counts(
            "tokens",
            "Tokens a second",
            "tokens",
            Curve("out/s", _each(course.tokens_out, step)),
            Curve("in/s", _each(course.tokens_in, step), "code"),
        ),
        counts(
            "underway",
            "Under way",
            "number",
            Curve("in flight", course.inflight, worst=True),
            Curve("waiting", course.waiting, "warn", worst=True),
        ),
        spread("latency", "Latency", course.latency),
        spread("first", "First token", course.first_token),
        counts(
            "cost", "Known cost an hour", "money", Curve("cost/h", _each(course.cost, step / 3600)), area=True
        ),
    )


def _length(view: SeriesView) -> float:
    """Seconds of the axis: the window, or what there is of it in whole minutes, five minutes or hours."""
    age = seconds_since(view.until, view.since)
    if age is None:
        return float(view.seconds)
    whole = next(step for least, step in ((7200, 3600), (600, 300), (-1, 60)) if age > least)
    return float(min(view.seconds, max(-(-age // whole), 1) * whole))


def _each(values: Sequence[Value], seconds: float) -> tuple[Value, ...]:
    return tuple([None if value is None else value / seconds for value in values])


# -- rows ----------------------------------------------------------------------------------------------


def metrics(found: Sequence[Chart], cells: int, glyphs: Glyphs) -> tuple[Line, list[tuple[str, Line]]]:
    """A row for each curve but that of cost, which has a view of its own: its course, on one scale from zero for all
    curves of a chart, and its numbers.
    """
    kept = range(len(HEADS)) if cells >= 72 else (0, 3)
    room = max(cells - 14 - 8 * len(kept) - 9, 8)
    heads = "".join(f"{HEADS[place]:>8}" for place in kept)
    header = line(span(f" {'':<13}{pad('COURSE, FROM 0 TO', room)}{'TOP':>8}{heads}", "muted"))
    drawn: list[tuple[str, Line]] = []
    for chart in found:
        if chart.key == "cost":
            continue
        top = ceiling(max((figures(curve.values)[3] or 0.0 for curve in chart.all), default=0.0))
        for curve in chart.all:
            numbers = figures(curve.values)
            told = "".join(f"{spelled(numbers[place], chart.unit, glyphs):>8}" for place in kept)
            name = f"{chart.title.split()[0].lower()} {curve.name}" if chart.unit == "seconds" else curve.name
            drawn.append(
                (
                    f"{chart.key}/{curve.name}",
                    cut_line(
                        line(
                            span(f" {pad(name, 13, more=glyphs.more)}"),
                            span(spark(curve.values, room, top, glyphs, worst=curve.worst), curve.tone),
                            span(f"{spelled(top, chart.unit, glyphs):>8}", "muted"),
                            span(told),
                        ),
                        cells,
                    ),
                )
            )
    return header, drawn


def parts(view: SeriesView, cells: int, glyphs: Glyphs) -> tuple[Line, list[tuple[str, Line]]]:
    """The busiest models or backends: requests on one scale for all, and the newest numbers of each."""
    rows = [(row.name, row) for row in view.rows]
    if view.others is not None:
        rows.append((OTHERS, view.others))
    step = view.row_step
    rates = {name: _each(row.requests, step) for name, row in rows}
    top = ceiling(max((figures(values)[3] or 0.0 for values in rates.values()), default=0.0))
    numbers = ("REQ/S", "FAIL%", "TOK/S", "FIRST", "P50", "P95", "P99")
    kept = numbers if cells >= 78 else (*numbers[:4], "P95")
    room = cells - 2 - 8 * len(kept)
    name = (
        min(max(_SHORTEST, *(len(one) for one, _ in rows), 0), max(room // 2, _SHORTEST))
        if rows
        else _SHORTEST
    )
    course = max(room - name - 1, 0)
    heads = "".join(f"{head:>8}" for head in kept)
    scale = f"0 TO {spelled(top, 'rate', glyphs)}/S" if course >= 12 else ""
    header = span(f" {pad((view.by or '').upper(), name)} {pad(scale, course, right=True)}{heads}", "muted")
    drawn: list[tuple[str, Line]] = []
    for one, row in rows:
        told = _told(row, step, glyphs)
        drawn.append(
            (
                one,
                cut_line(
                    line(
                        span(f" {pad(one, name, more=glyphs.more)} "),
                        span(spark(rates[one], course, top, glyphs), "accent"),
                        *(span(f"{told[head][0]:>8}", told[head][1]) for head in kept),
                    ),
                    cells,
                ),
            )
        )
    return cut_line((header,), cells), drawn


def _told(row: Course, step: int, glyphs: Glyphs) -> dict[str, tuple[str, str]]:
    """By column the text and its tone. Failures are of the whole window, quantiles the newest that are known."""
    asked, failed = sum(filter(None, row.requests)), sum(filter(None, row.failures))
    share = failed / asked if asked else None

    def newest(values: Sequence[Value], unit: str) -> tuple[str, str]:
        known = next((value for value in reversed(values) if value is not None), None)
        return spelled(known, unit, glyphs), ""

    return {
        "REQ/S": newest(_each(row.requests, step), "rate"),
        "FAIL%": (
            glyphs.unknown if share is None else f"{100 * share:.1f}",
            "bad" if share is not None and share >= 0.05 else "",
        ),
        "TOK/S": newest(_each(row.tokens_out, step), "tokens"),
        "FIRST": newest(row.first_token.p95, "seconds"),
        "P50": newest(row.latency.p50, "seconds"),
        "P95": newest(row.latency.p95, "seconds"),
        "P99": newest(row.latency.p99, "seconds"),
    }
