"""Fault drills as they are shown: the badge of one that runs, the list, a report, and what is typed to begin one."""

from collections.abc import Mapping, Sequence

from orchestra_core.domain.drills import LONGEST, SHORTEST, DrillReport, DrillView
from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.present.form import Field, number, one_of, whole
from orchestra_tui.present.glyphs import Glyphs
from orchestra_tui.present.numbers import clock
from orchestra_tui.present.spans import Line, cut_line, line, pad, span, wrapped

# In the order of how much they break.
FAULTS = {
    "latency": "answers come later",
    "errors": "calls are answered with a status",
    "silence": "calls are taken and nothing is said",
    "cut": "answers end in the middle",
}
_TONES = {"A": "good", "B": "good", "C": "warn", "D": "warn", "F": "bad"}
_STATUSES = ("429", "500", "502", "503", "504")
_NAME = 9


_one_status = one_of(_STATUSES)


def _share(text: str) -> float:
    """`50` and `50%` are a half."""
    percent = number(1, 100)
    try:
        return float(str(percent(text.rstrip("% ")))) / 100
    except ValueError:
        raise ValueError("a number from 1 to 100, in percent") from None


def _status(text: str) -> int:
    return int(str(_one_status(text)))


_OWN = {
    "latency": (
        Field("latency_ms", "added ms", "500", number(1, 60_000)),
        Field("jitter_ms", "give or take", "0", number(0, 60_000)),
    ),
    "errors": (Field("status", "status", "500", _status),),
    "silence": (),
    "cut": (Field("after_tokens", "after tokens", "5", whole(0, 100_000)),),
}
_EVERY = (
    Field("seconds", "seconds", "30", number(SHORTEST, LONGEST)),
    Field("share", "% of calls", "100", _share),
)
_TRAFFIC = (Field("traffic", "own req/s", "0: only what comes anyway", number(0, 20)),)


def fields(fault: str) -> tuple[Field, ...]:
    """What is typed to begin one, with the usual value as a hint."""
    return (*_EVERY, *_OWN[fault], *_TRAFFIC)


def usual(fault: str) -> dict[str, str]:
    """What stands in the form at first."""
    return {field.name: field.hint.partition(":")[0] for field in fields(fault)}


def wish(endpoint: str, fault: str, typed: Mapping[str, str]) -> dict[str, object]:
    """The body of the request, without a confirmation."""
    given = {field.name: field.read(typed[field.name]) for field in fields(fault) if typed.get(field.name)}
    return {"endpoint": endpoint, "fault": fault, **given}


def choices(glyphs: Glyphs) -> list[tuple[str, Line]]:
    """The faults to choose from."""
    return [
        (fault, line(span(f"  {glyphs.high} ", "warn"), span(pad(fault, 9), "strong"), span(words, "muted")))
        for fault, words in FAULTS.items()
    ]


def running(snapshot: Snapshot | None, endpoint: str = "") -> list[DrillView]:
    """Those that inject something now, all or at one endpoint; the one that ends first is first."""
    views = snapshot.drills if snapshot else ()
    now = [view for view in views if view.state == "running" and endpoint in ("", view.endpoint)]
    return sorted(now, key=lambda view: view.remaining)


def badge(snapshot: Snapshot) -> Line:
    """That nobody may take it for a real fault: in the header of every view, for as long as it lasts."""
    now = running(snapshot)
    if not now:
        return ()
    several = f"{len(now)} DRILLS" if len(now) > 1 else "DRILL"
    return line(span(f" {several} {now[-1].remaining:.0f}s ", "badge", "app.drills"))


def rows(
    snapshot: Snapshot | None, reports: Sequence[DrillReport], cells: int, glyphs: Glyphs
) -> list[tuple[str, Line]]:
    """The list: id and row, what runs first."""
    left = {view.id: view for view in (snapshot.drills if snapshot else ())}
    return [
        (report.id, cut_line(_row(report, left.get(report.id), glyphs), cells, glyphs.more))
        for report in reports
    ]


def _row(report: DrillReport, view: DrillView | None, glyphs: Glyphs) -> Line:
    if report.state == "done":
        state = span(
            f"{glyphs.full} grade {report.grade or glyphs.unknown}  ", _TONES.get(report.grade, "muted")
        )
    elif view is not None and view.state == "running":
        state = span(f"{glyphs.high} {view.remaining:.0f} s left".ljust(11), "warn")
    else:
        state = span(f"{glyphs.half} recovers ", "accent")
    return line(
        span("  "),
        state,
        span(f" {clock(report.started)} ", "muted"),
        span(f"{report.endpoint}  ", "strong"),
        span(report.what),
    )


def report(found: DrillReport, cells: int, glyphs: Glyphs) -> list[Line]:
    """Everything that was observed of one."""
    how = found.ended_by or found.state
    drawn = wrapped(f"{found.endpoint}: {found.what}", cells - 1, "title", " ", "   ")
    head = f"{found.id}, {found.ran:.0f} of {found.seconds:.0f} s from {clock(found.started)}, by {found.by}; {how}"
    drawn += [*wrapped(head, cells - 1, "muted", " ", "   "), ()]
    if found.grade:
        drawn.append(line(span(f"  {found.grade}  ", _TONES[found.grade]), span(_verdict(found), "strong")))
        drawn.append(())
    for one in found.criteria:
        lead = f"  {one.grade or glyphs.unknown}  {one.name:<{_NAME}} "
        told = wrapped(one.says, cells - 1, "", lead, " " * len(lead))
        first = told[0]
        tone = _TONES.get(one.grade, "muted")
        drawn += [(span(lead, tone), span(_without(first, lead))), *told[1:]]
    if found.lost_ids:
        drawn += [
            (),
            *wrapped(f"not answered: {', '.join(found.lost_ids)}", cells - 1, "bad", "     ", "     "),
        ]
    if found.hint:
        drawn += wrapped(found.hint, cells - 1, "warn", f"  {glyphs.high}  ", "     ")
    if found.state != "done":
        drawn += [(), line(span(f"  {glyphs.half}  {_waits(found)}", "accent"))]
    return drawn


def _without(row: Line, lead: str) -> str:
    return "".join(part.text for part in row)[len(lead) :]


def _verdict(found: DrillReport) -> str:
    """In all."""
    words = {
        "A": "clients noticed nothing that matters",
        "B": "coped with well",
        "C": "coped with, and felt",
        "D": "barely coped with",
        "F": "not coped with",
    }
    return f"in all: {words[found.grade]}" if found.state == "done" else "so far"


def _waits(found: DrillReport) -> str:
    if found.state == "running":
        return "it runs; F on its endpoint stops it"
    pending = f", {found.pending} requests have not ended" if found.pending else ""
    return f"it is over; the endpoint is watched until its breaker is closed{pending}"
