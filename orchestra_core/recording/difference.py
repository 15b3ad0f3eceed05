"""A snapshot as what has changed since the one before, and back.

Most of a snapshot is as it was a second ago. Rows of tables are compared one by one and told by place; series of one
value a second are told by their end; the clocks of breakers go by themselves, and are told where they did not.
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from orchestra_core.domain.events import Event
from orchestra_core.domain.snapshot import BreakerView, Snapshot, Throughput

Fields = dict[str, Any]
# Which field of its rows tells them apart.
TABLES = {
    "models": "id",
    "backends": "name",
    "breakers": "endpoint",
    "pools": "name",
    "budgets": "name",
    "alerts": "id",
    "queues": "model",
    "foresight": "model",
}
EVENTS_KEPT = 100
_SERIES = ("requests", "failures", "tokens")
# The second that goes on, and some that were not over when the snapshot before was made.
_UNSETTLED = 4
_MOST_SECONDS = 8
# A clock that is off by this is told anew: what people read has seconds.
_OFF = 0.25
# Of a breaker, what runs down; None: it does not.
_REMAINING = ("next_probe", "held_for")
# And what of it stands still, whatever later versions add.
_steady = attrgetter(
    *(name for name in BreakerView.__struct_fields__ if name not in ("since", "history", *_REMAINING))
)
_PLAIN = tuple(
    name for name in Snapshot.__struct_fields__ if name not in TABLES and name not in ("events", "throughput")
)


def difference(old: Snapshot, new: Snapshot, events: Sequence[Event]) -> Fields:
    """What `apply` needs to make `new` of `old`; `events` are those since then."""
    told: Fields = {
        "set": {
            name: value
            for name in _PLAIN
            if (value := getattr(new, name)) is not (before := getattr(old, name)) and value != before
        }
    }
    rows = {}
    passed = new.uptime - old.uptime
    for table, key in TABLES.items():
        before, now = getattr(old, table), getattr(new, table)
        if before is now or not (before or now):
            continue
        if [getattr(row, key) for row in before] != [getattr(row, key) for row in now]:
            told["set"][table] = now
        elif changed := _changed(before, now, passed):
            rows[table] = changed
    if rows:
        told["rows"] = rows
    if old.throughput != new.throughput:
        told["series"] = _series(old.throughput, new.throughput) or new.throughput
    if events:
        told["events"] = events
    return told


def _changed(before: Sequence[Any], now: Sequence[Any], passed: float) -> list[tuple[int, Fields]]:
    """Place and changed fields of each row that is not as expected."""
    found = []
    for place, (old, new) in enumerate(zip(before, now, strict=True)):
        if old is new or old == new:
            continue
        if isinstance(new, BreakerView) and _as_expected(old, new, passed):
            continue
        changed = {
            name: value
            for name in new.__struct_fields__
            if (value := getattr(new, name)) is not (was := getattr(old, name)) and value != was
        }
        if isinstance(new, BreakerView):
            # Its clocks go on by themselves from what is told here.
            changed |= {name: getattr(new, name) for name in ("since", "history", *_REMAINING)}
        found.append((place, changed))
    return found


def _as_expected(old: BreakerView, new: BreakerView, passed: float) -> bool:
    """Whether nothing but time passed."""
    return (
        abs(new.since - old.since - passed) < _OFF
        and _steady(new) == _steady(old)
        and len(new.history) == len(old.history)
        and all(_runs_down(getattr(old, name), getattr(new, name), passed) for name in _REMAINING)
    )


def _runs_down(old: float | None, new: float | None, passed: float) -> bool:
    if old is None or new is None:
        return old is new
    return abs(max(old - passed, 0.0) - new) < _OFF


def _series(old: Throughput, new: Throughput) -> tuple[Any, ...] | None:
    """How many seconds fell off the beginning, and the new ends; None where it is shorter to tell everything."""
    length = len(old.requests)
    if length < _MOST_SECONDS * 2 or len(new.requests) < length:
        return None
    series = [(getattr(old, name), getattr(new, name)) for name in _SERIES]
    for gone in range(_MOST_SECONDS + 1):
        kept = length - gone - _UNSETTLED
        if all(before[gone : gone + kept] == now[:kept] for before, now in series):
            return (gone, *(now[kept:] for _, now in series))
    return None


def apply(state: Fields, told: Fields) -> None:
    """Brings `state`, a snapshot as plain JSON values, forward by one difference.

    Raises LookupError, TypeError, ValueError or AttributeError for a difference that is none of this state.
    """
    changes = told["set"]
    passed = changes.get("uptime", state["uptime"]) - state["uptime"]
    for breaker in state["breakers"]:
        _age(breaker, passed)
    state.update(changes)
    for table, rows in told.get("rows", {}).items():
        have = state[table]
        for place, changed in rows:
            have[place].update(changed)
    if (series := told.get("series")) is not None:
        state["throughput"] = _extended(state["throughput"], series)
    if events := told.get("events"):
        state["events"] = [*state["events"], *events][-EVENTS_KEPT:]


def _age(breaker: Fields, seconds: float) -> None:
    breaker["since"] += seconds
    for name in _REMAINING:
        # Absent in what an earlier version recorded.
        if breaker.get(name) is not None:
            breaker[name] = max(0.0, breaker[name] - seconds)
    for trip in breaker["history"]:
        trip["ago"] += seconds


def _extended(before: Fields, series: Fields | Sequence[Any]) -> Fields:
    if isinstance(series, dict):
        return series
    gone, *ends = series
    kept = len(before["requests"]) - gone - _UNSETTLED
    return {name: before[name][gone : gone + kept] + end for name, end in zip(_SERIES, ends, strict=True)}


class Differ:
    """Turns snapshots into what a block of a recording says of them: the first in full, the others as differences."""

    def __init__(self) -> None:
        self._last: Snapshot | None = None
        self._happened = 0

    def begin(self) -> None:
        """The next one is told in full."""
        self._last = None

    def tell(self, snapshot: Snapshot, happened: int, at: float) -> Fields:
        """`happened` counts the events of the engine so far, the snapshot has the latest of them; `at` is Unix time."""
        at, before = round(at, 3), self._last
        fresh = happened - self._happened
        self._last, self._happened = snapshot, happened
        known = min(fresh, len(snapshot.events))
        missed = {"missed": fresh - known} if fresh > known else {}
        if before is None:
            # How many of its events are new is told too: a reader who comes from the block before needs that.
            return {"at": at, "full": snapshot, "fresh": known, **missed}
        events = snapshot.events[len(snapshot.events) - known :]
        return {"at": at, **difference(before, snapshot, events), **missed}
