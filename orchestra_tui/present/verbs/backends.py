"""drain, resume, restart; trip, reset, probe; pause-intake, resume-intake."""

from collections.abc import Callable, Sequence

from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.present.deeds.backends import drain, restart, resume
from orchestra_tui.present.deeds.breakers import probe, reset, trip
from orchestra_tui.present.deeds.deed import Deed
from orchestra_tui.present.deeds.intake import pause_intake, resume_intake
from orchestra_tui.present.verbs.models import endpoints, the_one
from orchestra_tui.present.verbs.verb import Command, Mistake, Verb

_LONGEST = 1440


def _backends(snapshot: Snapshot | None) -> Sequence[str]:
    return [view.name for view in snapshot.backends] if snapshot is not None else []


def _endpoints(snapshot: Snapshot | None) -> Sequence[str]:
    return [view.endpoint for view in snapshot.breakers] if snapshot is not None else []


def _on_backends(
    verb: str, rest: str, snapshot: Snapshot | None, make: Callable[[Sequence[str]], Deed]
) -> Command | Mistake:
    names = rest.split()
    if not names:
        return Mistake(f"{verb}: which backend?")
    unknown = [name for name in names if name not in _backends(snapshot)]
    if unknown:
        return Mistake(f"{verb}: no backend is called {unknown[0]!r}")
    return Command(verb, " ".join(names), deed=lambda _: make(names))


def _on_breaker(
    verb: str, name: str, snapshot: Snapshot | None, make: Callable[[Sequence[str]], Deed]
) -> Command | Mistake:
    found = [name] if name in _endpoints(snapshot) else endpoints(name, snapshot)
    one = the_one(verb, name, found, "which endpoint?")
    return one if isinstance(one, Mistake) else Command(verb, one, deed=lambda _: make([one]))


def _trip(rest: str, snapshot: Snapshot | None) -> Command | Mistake:
    """The last word is a number of minutes where the rest is a name without it."""
    name, _, minutes = rest.rpartition(" ")
    if not name or rest in _endpoints(snapshot):
        return _on_breaker("trip", rest, snapshot, trip)
    if not (minutes.isascii() and minutes.isdigit() and 0 < int(minutes) <= _LONGEST):
        return Mistake(f"trip: {minutes!r} is no number of minutes from 1 to {_LONGEST}")
    return _on_breaker("trip", name.strip(), snapshot, lambda ids: trip(ids, 60.0 * int(minutes)))


def _intake(verb: str, rest: str, make: Callable[[], Deed]) -> Command | Mistake:
    return Mistake(f"{verb}: takes no words") if rest else Command(verb, deed=lambda _: make())


def _nothing(_snapshot: Snapshot | None) -> Sequence[str]:
    return ()


VERBS = (
    Verb("drain", "drain BACKEND…", _backends, lambda rest, seen: _on_backends("drain", rest, seen, drain)),
    Verb(
        "resume", "resume BACKEND…", _backends, lambda rest, seen: _on_backends("resume", rest, seen, resume)
    ),
    Verb(
        "restart",
        "restart BACKEND…",
        _backends,
        lambda rest, seen: _on_backends("restart", rest, seen, restart),
    ),
    Verb("trip", "trip ENDPOINT [MINUTES]", _endpoints, _trip),
    Verb("reset", "reset ENDPOINT", _endpoints, lambda rest, seen: _on_breaker("reset", rest, seen, reset)),
    Verb("probe", "probe ENDPOINT", _endpoints, lambda rest, seen: _on_breaker("probe", rest, seen, probe)),
    Verb(
        "pause-intake", "pause-intake", _nothing, lambda rest, _: _intake("pause-intake", rest, pause_intake)
    ),
    Verb(
        "resume-intake",
        "resume-intake",
        _nothing,
        lambda rest, _: _intake("resume-intake", rest, resume_intake),
    ),
)
