"""A recording as the console tells of it: where it stands, how fast it goes, and what a typed time means."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from orchestra_core.domain.snapshot import Snapshot

REFUSED = "a recording is replayed"
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 60.0)
_DAY_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
_BY = re.compile(r"([+-]\d{1,6})([smh]?)")
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


def requests(
    rows: Sequence[Mapping[str, Any]], asked: Mapping[str, str], until: float
) -> list[Mapping[str, Any]]:
    """Those that had ended by `until` and are wanted, of rows that are newest first."""
    names = [name for name in ("model", "backend", "key", "task", "verdict") if asked.get(name)]
    found = [
        row
        for row in rows
        if datetime.fromisoformat(str(row["at"])).timestamp() <= until
        and all(str(row.get(name)) == asked[name] for name in names)
        and (asked.get("failed") is None or _failed(row) == (asked["failed"] in ("true", "1", "yes")))
    ]
    limit = asked.get("limit", "")
    return found[: int(limit)] if limit.isdigit() else found


def _failed(row: Mapping[str, Any]) -> bool:
    return row.get("verdict") not in ("success", "cancelled")
