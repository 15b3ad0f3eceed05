"""load, unload, and the models of the playground: model, and beside for the second one."""

from collections.abc import Callable, Sequence

from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.present.deeds.deed import Deed
from orchestra_tui.present.deeds.load import load
from orchestra_tui.present.deeds.unload import unload
from orchestra_tui.present.picture import Picture
from orchestra_tui.present.verbs.verb import Command, Mistake, Verb


def endpoints(name: str, snapshot: Snapshot | None) -> Sequence[str]:
    """The ids that `name` (a model, or backend/model) can mean."""
    views = snapshot.models if snapshot else ()
    exact = [view.id for view in views if view.id == name]
    return exact or [view.id for view in views if view.model == name]


def _targets(snapshot: Snapshot | None) -> Sequence[str]:
    views = snapshot.models if snapshot else ()
    return [view.model for view in views] + [view.id for view in views]


def _models(snapshot: Snapshot | None) -> Sequence[str]:
    return ["auto", *sorted({view.model for view in snapshot.models})] if snapshot else []


def the_one(verb: str, name: str, found: Sequence[str], unsaid: str) -> str | Mistake:
    """Of the ids that a name can mean; `unsaid` asks for it where none was given."""
    if not name:
        return Mistake(f"{verb}: {unsaid}")
    if not found:
        return Mistake(f"{verb}: {name!r} is not known")
    if len(found) > 1:
        return Mistake(f"{verb}: {name!r} is on several backends; say one of {', '.join(found)}")
    return found[0]


Making = Callable[[Sequence[str], Picture], Deed]


def _endpoint(verb: str, name: str, snapshot: Snapshot | None, deed: Making) -> Command | Mistake:
    """The deed on the one endpoint that is meant."""
    one = the_one(verb, name, endpoints(name, snapshot), "which model?")
    return one if isinstance(one, Mistake) else Command(verb, one, deed=lambda seen: deed([one], seen))


def _model(verb: str, name: str, snapshot: Snapshot | None) -> Command | Mistake:
    if not name:
        return Mistake(f"{verb}: which model?")
    return Command(verb, name) if name in _models(snapshot) else Mistake(f"{verb}: {name!r} is not known")


VERBS = (
    Verb("load", "load MODEL", _targets, lambda rest, seen: _endpoint("load", rest, seen, load)),
    Verb("unload", "unload MODEL", _targets, lambda rest, seen: _endpoint("unload", rest, seen, unload)),
    Verb("model", "model NAME", _models, lambda rest, snapshot: _model("model", rest, snapshot)),
    Verb("beside", "beside NAME", _models, lambda rest, snapshot: _model("beside", rest, snapshot)),
)
