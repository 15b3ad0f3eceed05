"""Unloading models: what that frees, who else has them, and how much work is under way."""

from collections.abc import Sequence

import msgspec

from orchestra_core.domain.snapshot import ModelView
from orchestra_tui.present.deeds.deed import Call, Deed, Question, Refusal, Risk, path, refused
from orchestra_tui.present.deeds.several import LeftOut, changing, counted, left_out, listed, sorted_out, told
from orchestra_tui.present.numbers import size
from orchestra_tui.present.picture import Picture, model
from orchestra_tui.present.plans import Fact

# How long a busy model that is unloaded may let its requests finish.
DRAIN_SECONDS = 60.0


def unload(ids: Sequence[str], picture: Picture) -> Deed:
    """Unloads endpoints, by their ids."""
    views = [model(picture.snapshot, identity) for identity in ids]
    known = [view for view in views if view is not None]
    if not ids or len(known) < len(ids):
        gone = next((identity for identity, view in zip(ids, views, strict=True) if view is None), None)
        return refused("unload", "no model selected" if gone is None else f"{gone} is gone")
    return Deed(
        "unload",
        tuple(ids),
        lambda fresh: _asked(ids, fresh),
        tuple(
            Call(path("models", view.model, "unload"), {"backend": view.backend}, view.id) for view in known
        ),
        "unload",
        heard=lambda answers: told(ids, answers),
    )


def _asked(ids: Sequence[str], picture: Picture) -> Question | Refusal:
    views, others = sorted_out(ids, picture, _barred, model)
    if not views:
        return Refusal(f"unload: {others[0].reason}")
    return _one(views[0], picture) if len(ids) == 1 else _several(views, others)


def _barred(view: ModelView) -> str:
    if view.residency == "absent":
        return f"nothing of {view.model} is loaded on {view.backend}"
    return changing(view) if view.loadable else f"{view.backend} cannot unload models over its API"


def _one(view: ModelView, picture: Picture) -> Question:
    busy = view.inflight + view.waiting
    others = [
        other.backend
        for other in (picture.snapshot.models if picture.snapshot else ())
        if other.model == view.model and other.id != view.id and other.residency == "ready"
    ]
    rows: list[Fact] = [
        ("frees", _freed([view]), "strong"),
        ("elsewhere", f"ready on {', '.join(others)}" if others else "not ready on any other backend", ""),
        ("work", _work([view]), "bad")
        if busy
        else ("work", f"{picture.glyphs.full} nothing in flight", "good"),
    ]
    if view.pinned:
        rows.append(("pinned", "it is never evicted; this takes it out all the same", "warn"))
    title = f"Unload {view.model} from {view.backend}?"
    return _busy(Question(title, tuple(rows)), view.model) if busy else Question(title, tuple(rows))


def _several(views: Sequence[ModelView], others: Sequence[LeftOut]) -> Question:
    busy = any(view.inflight + view.waiting for view in views)
    asked = Question(
        f"Unload {counted(views)}?",
        (
            *listed("models", [view.id for view in views]),
            ("frees", _freed(views), "strong"),
            ("work", _work(views), "bad" if busy else "good"),
        ),
        without=tuple(each.id for each in others),
    )
    asked = _busy(asked, f"unload {len(views)}") if busy else asked
    return msgspec.structs.replace(asked, facts=(*asked.facts, *left_out(others)))


def _busy(asked: Question, typed: str) -> Question:
    """The question with work under way: it may finish, and the answer must be spelled."""
    wait: Fact = (
        "",
        f"they may finish for up to {DRAIN_SECONDS:.0f} s; it takes no new ones meanwhile",
        "warn",
    )
    return msgspec.structs.replace(
        asked, facts=(*asked.facts, wait), risk=Risk.HIGH, typed=typed, adds={"drain_seconds": DRAIN_SECONDS}
    )


def _freed(views: Sequence[ModelView]) -> str:
    """As the engine's plan says it."""
    total = sum(view.frees_bytes or 0 for view in views)
    known = size(total) if total else "not known"
    return known if all(view.frees_bytes for view in views) or not total else f"at least {known}"


def _work(views: Sequence[ModelView]) -> str:
    return f"{sum(view.inflight for view in views)} in flight, {sum(view.waiting for view in views)} waiting"
