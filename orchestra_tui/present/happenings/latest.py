"""The last events in a few rows: the Overview's pane, and the rail's."""

from orchestra_core.domain.events import Event
from orchestra_tui.present.glyphs import Glyphs
from orchestra_tui.present.numbers import clock
from orchestra_tui.present.picture import Picture
from orchestra_tui.present.spans import Line, cut_line, line, span


def latest(picture: Picture, cells: int, height: int) -> list[Line]:
    """The last events, the newest first; what happened again and again has one row, with how often and last when."""
    snapshot = picture.snapshot
    if snapshot is None:
        return []
    if not snapshot.events:
        return [line(span(" nothing happened yet", "muted"))]
    newest = sorted(snapshot.events, key=lambda event: event.at, reverse=True)
    alike: dict[tuple[str, ...], list[Event]] = {}
    for event in newest:
        alike.setdefault(_what(event), []).append(event)
    return [event_row(same[0], cells, picture.glyphs, len(same)) for same in [*alike.values()][:height]]


def _what(event: Event) -> tuple[str, ...]:
    """Problems of which all is the same but when; a request's own name is not what it is about. What is none, as each
    load, is told one by one."""
    subject = "" if event.kind.startswith("request.") else event.subject
    return event.kind, event.level, subject, event.message, event.at if event.level == "info" else ""


def event_row(event: Event, cells: int, glyphs: Glyphs, times: int = 1) -> Line:
    tone = {"error": "bad", "warning": "warn"}.get(event.level, "")
    symbol = {"error": glyphs.cross, "warning": glyphs.high}.get(event.level, glyphs.dot)
    subject, told = _told(event, cells, named=times == 1)
    return cut_line(
        line(
            span(f" {clock(event.at)} ", "muted"),
            span(f"{symbol} ", tone or "muted"),
            span(f"{times}x " if times > 1 else "", tone),
            span(f"{subject}  " if subject else "", "strong" if cells > 40 else tone),
            span(told, tone),
        ),
        cells,
        glyphs.more,
    )


def _told(event: Event, cells: int, *, named: bool) -> tuple[str, str]:
    """Subject and words of an event. The id of a request is left out of several, and where there is little room;
    there the backend in front of its model too."""
    told = event.message
    if event.kind.startswith("breaker."):
        state = f"breaker {event.kind.removeprefix('breaker.').replace('_', '-')}"
        told = f"{state}: {told}" if told else state
    if event.kind.startswith("request.") and (cells < 100 or not named):
        return "", _model_of(told) if cells < 60 else told
    subject = subject_of(event, told)
    return _model_of(subject) if cells < 76 else subject, told


def subject_of(event: Event, told: str) -> str:
    """What the words of an event name themselves is not said twice."""
    said = {word.strip(",:;.") for word in told.split()}
    return "" if {event.subject, _model_of(event.subject)} & said else event.subject


def _model_of(text: str) -> str:
    """Without the backend, if the text begins with an endpoint."""
    head, _, rest = text.partition(" ")
    return f"{head.partition('/')[2] or head} {rest}".strip()
