"""How far a deed reaches: what runs there, and who serves its models when it is gone."""

from collections.abc import Sequence
from typing import NamedTuple

from orchestra_core.domain.snapshot import ModelView, Snapshot
from orchestra_tui.present.deeds.several import counted
from orchestra_tui.present.plans import Fact

_SERVING = ("running", "loading", "available")


class Reach(NamedTuple):
    """Of endpoints that go: those that served, their models that fall back on others, and those that nobody serves."""

    gone: tuple[ModelView, ...]
    backed: dict[str, tuple[str, ...]]
    alone: tuple[str, ...]

    @property
    def inflight(self) -> int:
        return sum(view.inflight for view in self.gone)

    @property
    def waiting(self) -> int:
        return sum(view.waiting for view in self.gone)


def healthy(view: ModelView) -> bool:
    """Whether the engine would send it requests."""
    return view.status in _SERVING and view.circuit != "open" and not view.draining


def reach(ids: Sequence[str], snapshot: Snapshot | None) -> Reach:
    """What it means that these endpoints get no requests any more."""
    views = snapshot.models if snapshot is not None else ()
    gone = tuple(view for view in views if view.id in ids)
    serving = {view.model for view in gone if healthy(view)}
    others: dict[str, tuple[str, ...]] = {}
    for model in sorted(serving):
        found = [
            view.backend for view in views if view.model == model and view.id not in ids and healthy(view)
        ]
        others[model] = tuple(found)
    backed = {model: found for model, found in others.items() if found}
    return Reach(gone, backed, tuple(model for model, found in others.items() if not found))


def work(at: Reach, what: str) -> Fact:
    """How much runs there, and `what` becomes of it."""
    if not at.inflight and not at.waiting:
        return ("work", "nothing in flight", "good")
    waiting = f", {at.waiting} waiting" if at.waiting else ""
    return ("work", f"{at.inflight} in flight{waiting}: {what}", "bad")


def routes(at: Reach) -> tuple[Fact, ...]:
    """Where requests go instead, and for which models there is no such place."""
    facts: list[Fact] = []
    by_place: dict[tuple[str, ...], list[str]] = {}
    for model, places in at.backed.items():
        by_place.setdefault(places, []).append(model)
    for places, models in by_place.items():
        falls = "falls" if len(models) == 1 else "fall"
        text = f"{counted(models, 'route')} {falls} back to {', '.join(places)}: {', '.join(models)}"
        facts.append(("routes" if not facts else "", text, ""))
    if at.alone:
        text = f"no other endpoint serves {', '.join(at.alone)}"
        facts.append(("routes" if not facts else "", text, "bad"))
    return tuple(facts)
