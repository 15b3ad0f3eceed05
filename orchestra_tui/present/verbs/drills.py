"""drill: a fault on an endpoint."""

from collections.abc import Sequence

from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.present.verbs.models import endpoints
from orchestra_tui.present.verbs.verb import Command, Mistake, Verb


def _targets(snapshot: Snapshot | None) -> Sequence[str]:
    return [view.id for view in snapshot.models] if snapshot else ()


def _drill(name: str, snapshot: Snapshot | None) -> Command | Mistake:
    if not name:
        return Mistake("drill: which endpoint? :drills lists what runs")
    found = endpoints(name, snapshot)
    if not found:
        return Mistake(f"drill: {name!r} is not known")
    if len(found) > 1:
        return Mistake(f"drill: {name!r} is on several backends; say one of {', '.join(found)}")
    return Command("drill", call=f"app.drill({found[0]!r})")


VERBS = (Verb("drill", "drill ENDPOINT", _targets, _drill),)
