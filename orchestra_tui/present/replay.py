"""A recording as the console tells of it: where it stands, how fast it goes, and what a typed time means."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from orchestra_core.domain.events import Event
from orchestra_core.domain.series import WINDOWS, Course, SeriesView, Spread
from orchestra_core.domain.snapshot import Snapshot

REFUSED = "a recording is replayed"
ONLY_FAILURES = "of a recording: only those that failed"
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 60.0)
_DAY_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
_BY = re.compile(r"([+-]\d{1,6})([smh]?)")
# So much of it is in every snapshot.
TRAFFIC_WINDOW = "5m"
_SPREAD_SECONDS = 5
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


class Span(msgspec.Struct, frozen=True):
    """From where to where a recording goes and where it stands, in Unix seconds."""

    first: float
    last: float
    here: float


def badge(at: float, speed: float, *, paused: bool, over: bool) -> str:
    """`12:03:11`, and what is not usual about it."""
    how = " paused" if paused else " end" if over else "" if speed == 1.0 else f" x{speed:g}"
    return f"{day_time(at)}{how}"


def day_time(at: float) -> str:
    """The time of day (UTC), as everywhere in the console."""
    return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S}"


def moment_of(snapshot: Snapshot) -> float:
    """When it was made, in Unix seconds."""
    return datetime.fromisoformat(snapshot.now).timestamp()


def is_time(text: str) -> bool:
    """Whether it is one of the forms that `meant` knows."""
    return text in ("start", "end") or bool(_DAY_TIME.fullmatch(text) or _BY.fullmatch(text))


def meant(text: str, span: Span) -> float | None:
    """The moment that is meant by `12:03`, `12:03:11`, `-5m`, `+30s`, `start` or `end`; None where it is not in it."""
    if text in ("start", "end"):
        return span.first if text == "start" else span.last
    if (by := _BY.fullmatch(text)) is not None:
        moved = span.here + int(by[1]) * _UNITS[by[2]]
        return min(max(moved, span.first), span.last)
    if (of_day := _DAY_TIME.fullmatch(text)) is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in of_day.groups())
    if hours > 23 or minutes > 59 or seconds > 59:
        return None
    # A minute that has begun when the recording does is in it.
    whole = 60 if of_day[3] is None else 1
    day = datetime.fromtimestamp(span.last, UTC).replace(
        hour=hours, minute=minutes, second=seconds, microsecond=0
    )
    for candidate in (day, day - timedelta(days=1)):
        at = candidate.timestamp()
        if span.first - whole < at <= span.last:
            return max(at, span.first)
    return None


def requests(rows: Sequence[Mapping[str, Any]], asked: Mapping[str, str]) -> dict[str, Any]:
    """A page of those that are wanted, of rows that are newest first; its cursor counts rows."""
    names = [name for name in ("model", "backend", "key", "task", "verdict") if asked.get(name)]
    found = [
        row
        for row in rows
        if all(str(row.get(name)) == asked[name] for name in names)
        and (asked.get("failed") is None or _failed(row) == (asked["failed"] in ("true", "1", "yes")))
    ]
    begin, limit = (
        int(word) if (word := asked.get(name, "")).isdigit() else 0 for name in ("cursor", "limit")
    )
    end = begin + limit if limit else len(found)
    return {"requests": found[begin:end], "next": str(end) if end < len(found) else None, "pending": 0}


def _failed(row: Mapping[str, Any]) -> bool:
    return row.get("verdict") not in ("success", "cancelled")


def failures(events: Sequence[Event]) -> list[dict[str, Any]]:
    """The requests that events tell of, as rows of the ledger, newest first: who needs the others has an incident."""
    return [
        _failure(event)
        for event in sorted(events, key=lambda one: one.at, reverse=True)
        if event.kind in ("request.failed", "request.cancelled")
    ]


def _failure(event: Event) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": event.subject,
        "at": event.at,
        "error": event.message,
        "verdict": "cancelled",
    }
    if event.kind == "request.failed":
        endpoint, _, rest = event.message.partition(": ")
        backend, _, model = endpoint.partition("/")
        verdict, _, why = rest.partition(": ")
        row |= {
            "backend": backend or None,
            "model": model or None,
            "verdict": verdict or "failed",
            "error": why,
        }
    return row


def ended(entries: Sequence[Mapping[str, Any]], until: float) -> list[Mapping[str, Any]]:
    """What had been done by a moment (Unix seconds)."""
    return [one for one in entries if datetime.fromisoformat(str(one["at"])).timestamp() <= until]


def traffic(snapshot: Snapshot, by: str | None) -> SeriesView:
    """What a snapshot tells of the last five minutes, as the series of an engine; all else of them is not known."""
    told = snapshot.throughput
    # The second that goes on is not over.
    over = max(len(told.requests) - 1, 0)
    unknown, spread = (None,) * over, (None,) * (over // _SPREAD_SECONDS)
    now = int(moment_of(snapshot))
    until = _stamp(now)
    return SeriesView(
        window=TRAFFIC_WINDOW,
        seconds=WINDOWS[TRAFFIC_WINDOW],
        since=max(snapshot.started, _stamp(now - over)),
        until=until,
        step=1,
        spread_until=until,
        spread_step=_SPREAD_SECONDS,
        row_until=until,
        row_step=_SPREAD_SECONDS,
        whole=Course(
            requests=told.requests[:over],
            failures=told.failures[:over],
            tokens_in=unknown,
            tokens_out=told.tokens[:over],
            cost=unknown,
            cost_unknown=unknown,
            inflight=unknown,
            waiting=unknown,
            first_token=Spread(spread, spread, spread),
            latency=Spread(spread, spread, spread),
        ),
        by=by,
    )


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
