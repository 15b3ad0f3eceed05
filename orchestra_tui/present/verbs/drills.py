"""drill: a fault on an endpoint."""

from collections.abc import Sequence

from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.present.verbs.models import endpoints, the_one
from orchestra_tui.present.verbs.verb import Command, Mistake, Verb


def _targets(snapshot: Snapshot | None) -> Sequence[str]:
    return [view.id for view in snapshot.models] if snapshot else ()


def _drill(name: str, snapshot: Snapshot | None) -> Command | Mistake:
    one = the_one("drill", name, endpoints(name, snapshot), "which endpoint? :drills lists what runs")
    return one if isinstance(one, Mistake) else Command("drill", call=f"app.drill({one!r})")


VERBS = (Verb("drill", "drill ENDPOINT", _targets, _drill),)
