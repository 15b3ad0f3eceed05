"""What happened, in words: a recording as a short list that one reads from top to bottom."""

from collections.abc import Iterable, Iterator

import msgspec

from orchestra_core.clock import rfc3339
from orchestra_core.domain.events import Event
from orchestra_core.domain.text import one_line
from orchestra_core.recording.reading import Recording

# Seconds without a moment that are worth a line: the engine was not there, or had no time.
_GAP = 5.0
_FIRST, _LAST = 60, 30
_TELLING = ("engine.", "backend.", "breaker.", "alert.", "config.", "keys.", "model.", "drill.")
_SILENT = ("model.progress", "model.planned")
_LONGEST = 150


class Line(msgspec.Struct, frozen=True):
    """`times` that something happened, first `at`; what is of one `kind` and `about` is told once."""

    at: str
    kind: str
    about: str
    what: str = ""
    times: int = 1


def timeline(recording: Recording, since: float) -> list[str]:
    """A line for each thing that happened from `since` (Unix seconds) on; of very many, the first and the last."""
    lines = [_spell(line) for line in _merged(sorted(_lines(recording, since), key=lambda line: line.at))]
    left_out = len(lines) - _FIRST - _LAST
    if left_out <= 0:
        return lines
    return [*lines[:_FIRST], f"          … {left_out} more, in the recording …", *lines[-_LAST:]]


def _lines(recording: Recording, since: float) -> Iterator[Line]:
    before, engine, status = None, "", ""
    headers = {header.at: header for header in recording.headers}
    for moment in recording.moments():
        at = rfc3339(moment.at)
        header = headers.get(moment.at)
        if header is not None and header.engine != engine:
            if engine:
                yield Line(
                    at, "engine", f"another engine: version {header.version}, started {header.started}"
                )
            engine = header.engine
        if moment.at < since:
            before, status = moment.at, moment.snapshot.status
            continue
        if before is not None and moment.at - before > _GAP:
            yield Line(rfc3339(before), "gap", f"nothing was recorded for {moment.at - before:.0f} s")
        if moment.snapshot.status != status:
            yield Line(at, "status", f"the engine is {moment.snapshot.status}")
        before, status = moment.at, moment.snapshot.status
        yield from _events(moment.events, since)
        if moment.missed:
            yield Line(at, "events", f"{moment.missed} more events in one second")


def _events(events: Iterable[Event], since: float) -> Iterator[Line]:
    for event in events:
        if event.at < rfc3339(since):
            continue
        if event.kind.startswith("request."):
            # Each has an id of its own: how many there were, and the first, tell more.
            yield Line(event.at, event.kind, "", event.message)
        elif event.level in ("warning", "error") or (
            event.kind.startswith(_TELLING) and event.kind not in _SILENT
        ):
            yield Line(event.at, event.kind, event.subject, event.message)


def _merged(lines: Iterable[Line]) -> list[Line]:
    """What repeats itself in a row becomes one line."""
    merged: list[Line] = []
    for line in lines:
        last = merged[-1] if merged else None
        if last is not None and (last.kind, last.about) == (line.kind, line.about):
            merged[-1] = msgspec.structs.replace(last, times=last.times + 1)
        else:
            merged.append(line)
    return merged


def _spell(line: Line) -> str:
    what = f"{line.about}: {line.what}" if line.about and line.what else line.about or line.what
    times = f" ({line.times} times; the first is told)" if line.times > 1 else ""
    told = one_line(what)
    return f"{line.at[11:19]}  {line.kind:<20} {told[:_LONGEST]}{'…' if len(told) > _LONGEST else ''}{times}"
