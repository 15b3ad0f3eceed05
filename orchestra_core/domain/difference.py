"""A snapshot as what has changed since the one before, and back.

Most of a snapshot is as it was a second ago. Rows of tables are compared one by one and told by place; series of one
value a second are told by their end; the clocks of breakers go by themselves, and are told where they did not. So is
everything exact but those clocks, which may be off by `OFF` seconds.
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from msgspec import MsgspecError, convert
from msgspec.structs import asdict, astuple, fields, replace

from orchestra_core.domain.snapshot import BreakerView, Snapshot, Throughput, TripView

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
SERIES = ("requests", "failures", "tokens")
# The second that goes on, and some that were not over when the snapshot before was made.
UNSETTLED = 4
# Of a breaker, what runs down; None: it does not.
REMAINING = ("next_probe", "held_for")
# A clock that is off by this is told anew: what people read has seconds.
OFF = 0.25
_MOST_SECONDS = 8
# A difference that went wrong unseen is put right after so many.
_WHOLE_EVERY = 60
# What of a breaker stands still, whatever later versions add.
_steady = attrgetter(
    *(name for name in BreakerView.__struct_fields__ if name not in ("since", "history", *REMAINING))
)
_PLAIN = tuple(
    name for name in Snapshot.__struct_fields__ if name not in TABLES and name not in ("events", "throughput")
)
_TYPES = {each.name: each.type for each in fields(Snapshot)}


class Unfit(Exception):
    """A difference that is none of the state it was to be applied to."""


def difference(old: Snapshot, new: Snapshot) -> Fields:
    """What `advance` needs to make `new` of `old`."""
    told = {"after": old.sequence, **state_difference(old, new)}
    if old.events != new.events:
        told["happened"] = _happened(old.events, new.events)
    return told


def state_difference(old: Snapshot, new: Snapshot) -> Fields:
    """All but the events: fields in `set`, changed fields of rows by their place in `rows`, and what the series gained
    in `series`."""
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
    return told


def advance(old: Snapshot, told: Fields) -> Snapshot:
    """The snapshot that `told`, a difference as plain values, makes of `old`; rows it does not tell of stay the same
    objects. What a later version tells beyond what is known here is left out. Raises Unfit."""
    try:
        return _advanced(old, told)
    except (LookupError, TypeError, ValueError, AttributeError, MsgspecError) as error:
        raise Unfit(f"a difference does not fit: {error}") from error


def same_rows(old: Snapshot, new: Snapshot) -> Snapshot:
    """`new`, whose rows are the objects of `old` where they are equal."""
    return replace(
        new, **{table: _same(getattr(old, table), getattr(new, table), key) for table, key in TABLES.items()}
    )


class Telling:
    """Snapshots as one reader is told of them: the first in full and then one now and then, the others as what has
    changed `after` the one of that sequence."""

    def __init__(self) -> None:
        self._last: Snapshot | None = None
        self._since = 0

    def tell(self, snapshot: Snapshot) -> Snapshot | Fields:
        last, self._last = self._last, snapshot
        self._since += 1
        if last is None or self._since >= _WHOLE_EVERY:
            self._since = 0
            return snapshot
        return difference(last, snapshot)


class Following:
    """The other end of a `Telling`."""

    def __init__(self) -> None:
        self._last: Snapshot | None = None

    def whole(self, snapshot: Snapshot) -> Snapshot:
        self._last = snapshot if self._last is None else same_rows(self._last, snapshot)
        return self._last

    def changed(self, told: Fields) -> Snapshot:
        """Raises Unfit where it is not what comes next: then only a whole one helps."""
        last = self._last
        if last is None or told.get("after") != last.sequence:
            raise Unfit(f"a difference is missing between {last and last.sequence} and {told.get('after')}")
        self._last = advance(last, told)
        return self._last


def _changed(before: Sequence[Any], now: Sequence[Any], passed: float) -> list[tuple[int, Fields]]:
    """Place and changed fields of each row that is not as expected."""
    found = []
    for place, (old, new) in enumerate(zip(before, now, strict=True)):
        if isinstance(new, BreakerView):
            if _as_expected(old, new, passed):
                continue
        elif old is new or old == new:
            continue
        changed = {
            name: value
            for name, was, value in zip(new.__struct_fields__, astuple(old), astuple(new), strict=True)
            if value is not was and value != was
        }
        if isinstance(new, BreakerView):
            # Its clocks go on by themselves from what is told here.
            changed |= {name: getattr(new, name) for name in ("since", "history", *REMAINING)}
        found.append((place, changed))
    return found


def _as_expected(old: BreakerView, new: BreakerView, passed: float) -> bool:
    """Whether nothing but time passed."""
    if old is new:
        return _stands(old) or not passed
    if abs(older(old.since, passed) - new.since) >= OFF:
        return False
    if old.next_probe is None and old.held_for is None and not old.history:
        return replace(old, since=new.since) == new
    return (
        _steady(new) == _steady(old)
        and len(new.history) == len(old.history)
        and all(
            abs(one.ago + passed - other.ago) < OFF
            and (one.reason, one.requests) == (other.reason, other.requests)
            for one, other in zip(old.history, new.history, strict=True)
        )
        and all(_runs_down(getattr(old, name), getattr(new, name), passed) for name in REMAINING)
    )


def older(age: float, seconds: float) -> float:
    """An age so many seconds later. That of a breaker that was never anything else than closed stays 0."""
    return age and age + seconds


def _stands(row: BreakerView) -> bool:
    """Whether it has no clock that goes on."""
    return not row.since and row.next_probe is None and row.held_for is None and not row.history


def _runs_down(old: float | None, new: float | None, passed: float) -> bool:
    if old is None or new is None:
        return old is new
    return abs(max(old - passed, 0.0) - new) < OFF


def _series(old: Throughput, new: Throughput) -> tuple[Any, ...] | None:
    """How many seconds fell off the beginning, and the new ends; None where it is shorter to tell everything."""
    length = len(old.requests)
    if length < _MOST_SECONDS * 2 or len(new.requests) < length:
        return None
    series = [(getattr(old, name), getattr(new, name)) for name in SERIES]
    for gone in range(_MOST_SECONDS + 1):
        kept = length - gone - UNSETTLED
        if all(before[gone : gone + kept] == now[:kept] for before, now in series):
            return (gone, *(now[kept:] for _, now in series))
    return None


def _happened(before: tuple[Any, ...], now: tuple[Any, ...]) -> tuple[int, tuple[Any, ...]]:
    """How many events fell off the beginning, and those that are new."""
    for gone in range(len(before)):
        if before[gone:] == now[: len(before) - gone]:
            return gone, now[len(before) - gone :]
    return len(before), now


def _advanced(old: Snapshot, told: Fields) -> Snapshot:
    new = {name: convert(value, _TYPES[name]) for name, value in told["set"].items() if name in _TYPES}
    passed = new.get("uptime", old.uptime) - old.uptime
    for table in new.keys() & TABLES.keys():
        new[table] = _same(getattr(old, table), new[table], TABLES[table])
    if "breakers" not in new and passed:
        new["breakers"] = tuple(_aged(row, passed) for row in old.breakers)
    for table, rows in told.get("rows", {}).items():
        if table in TABLES:
            new[table] = _patched(new.get(table, getattr(old, table)), rows)
    if (series := told.get("series")) is not None:
        new["throughput"] = _extended(old.throughput, series)
    if (happened := told.get("happened")) is not None:
        gone, fresh = happened
        new["events"] = (*old.events[gone:], *convert(fresh, _TYPES["events"]))
    return replace(old, **new)


def _patched(rows: Sequence[Any], changes: Sequence[tuple[int, Fields]]) -> tuple[Any, ...]:
    new = list(rows)
    for place, changed in changes:
        row = new[place]
        new[place] = convert({**asdict(row), **changed}, type(row))
    return tuple(new)


def _aged(row: BreakerView, seconds: float) -> BreakerView:
    if _stands(row):
        return row
    since = older(row.since, seconds)
    if row.next_probe is None and row.held_for is None and not row.history:
        return replace(row, since=since)
    return replace(
        row,
        since=since,
        next_probe=None if row.next_probe is None else max(row.next_probe - seconds, 0.0),
        held_for=None if row.held_for is None else max(row.held_for - seconds, 0.0),
        history=tuple(TripView(trip.ago + seconds, trip.reason, trip.requests) for trip in row.history),
    )


def _extended(before: Throughput, series: Fields | Sequence[Any]) -> Throughput:
    if not isinstance(series, list | tuple):
        return convert(series, Throughput)
    gone, *ends = series
    kept = len(before.requests) - gone - UNSETTLED
    return Throughput(
        *(
            getattr(before, name)[gone : gone + kept] + convert(end, tuple[int, ...])
            for name, end in zip(SERIES, ends, strict=True)
        )
    )


def _same(old: Sequence[Any], new: Sequence[Any], key: str) -> tuple[Any, ...]:
    """The rows of `new`, as objects of `old` where they are equal."""
    known = {getattr(row, key): row for row in old}
    return tuple(have if (have := known.get(getattr(row, key))) == row else row for row in new)
