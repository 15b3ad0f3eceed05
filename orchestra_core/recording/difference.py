"""A snapshot in a recording, as what has changed since the one before, and back."""

from collections.abc import Sequence
from typing import Any

from orchestra_core.domain.difference import REMAINING, SERIES, UNSETTLED, older, state_difference
from orchestra_core.domain.events import Event
from orchestra_core.domain.snapshot import Snapshot

Fields = dict[str, Any]
EVENTS_KEPT = 100


def difference(old: Snapshot, new: Snapshot, events: Sequence[Event]) -> Fields:
    """What `apply` needs to make `new` of `old`; `events` are those since then."""
    told = state_difference(old, new)
    if events:
        told["events"] = events
    return told


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
    breaker["since"] = older(breaker["since"], seconds)
    for name in REMAINING:
        # Absent in what an earlier version recorded.
        if breaker.get(name) is not None:
            breaker[name] = max(0.0, breaker[name] - seconds)
    for trip in breaker["history"]:
        trip["ago"] += seconds


def _extended(before: Fields, series: Fields | Sequence[Any]) -> Fields:
    if isinstance(series, dict):
        return series
    gone, *ends = series
    kept = len(before["requests"]) - gone - UNSETTLED
    return {name: before[name][gone : gone + kept] + end for name, end in zip(SERIES, ends, strict=True)}


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
