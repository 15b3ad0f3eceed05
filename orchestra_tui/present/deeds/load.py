"""Loading models: with the engine's plan of each, so that yes is said to what will happen."""

from collections.abc import Mapping, Sequence

from orchestra_core.domain.outlook import Outlook, outlook
from orchestra_core.domain.snapshot import ModelView
from orchestra_tui.present.deeds.deed import (
    Call,
    Deed,
    Planned,
    Question,
    Refusal,
    Risk,
    path,
    refused,
)
from orchestra_tui.present.deeds.several import LeftOut, changing, counted, left_out, sorted_out, told
from orchestra_tui.present.glyphs import Glyphs
from orchestra_tui.present.numbers import size
from orchestra_tui.present.picture import Picture, model
from orchestra_tui.present.plans import Fact, facts, verdict

_ASKING: Fact = ("verdict", "asking the engine for its plan …", "muted")


def load(ids: Sequence[str], picture: Picture, planned: Sequence[Planned] | None = None) -> Deed:
    """Loads endpoints, by their ids. `planned` is what the engine said to the dry runs, None while it has not."""
    views = [model(picture.snapshot, identity) for identity in ids]
    known = [view for view in views if view is not None]
    if not ids or len(known) < len(ids):
        gone = next((identity for identity, view in zip(ids, views, strict=True) if view is None), None)
        return refused("load", "no model selected" if gone is None else f"{gone} is gone")
    plans = None if planned is None else dict(zip(ids, planned, strict=True))
    return Deed(
        "load",
        tuple(ids),
        lambda fresh: _asked(ids, fresh, plans),
        tuple(_call(view) for view in known),
        "load",
        heard=lambda answers: told(ids, answers),
        dry=tuple(_call(view, dry_run=True) for view in known),
        learned=lambda answers: load(ids, picture, answers),
    )


def _call(view: ModelView, **more: object) -> Call:
    return Call(path("models", view.model, "load"), {"backend": view.backend, **more}, view.id)


def _asked(ids: Sequence[str], picture: Picture, plans: Mapping[str, Planned] | None) -> Question | Refusal:
    views, others = sorted_out(ids, picture, _barred, model)
    if not views:
        return Refusal(f"load: {others[0].reason}")
    if len(ids) == 1:
        return _one(views[0], None if plans is None else plans[views[0].id], picture.glyphs)
    return _several(views, others, plans, picture.glyphs)


def _barred(view: ModelView) -> str:
    if view.residency == "ready":
        return f"{view.model} is already ready on {view.backend}"
    return changing(view) if view.loadable else f"{view.backend} cannot load models over its API"


def _one(view: ModelView, planned: Planned | None, glyphs: Glyphs) -> Question:
    title = f"Load {view.model} on {view.backend}?"
    plan = None if planned is None else planned.plan
    if plan is None:
        word = _ASKING if planned is None else ("verdict", f"{glyphs.cross} {planned.refusal}", "bad")
        return Question(title, (_size(view), word), open=False)
    seen = outlook(plan)
    return Question(
        title,
        facts(plan, glyphs),
        Risk.LOW if seen is Outlook.FITS else Risk.SOME,
        open=seen is not Outlook.REFUSED,
        touches=tuple(plan.evicts),
    )


def _several(
    views: Sequence[ModelView],
    others: Sequence[LeftOut],
    plans: Mapping[str, Planned] | None,
    glyphs: Glyphs,
) -> Question:
    """Each with its own verdict: the plans are made as if it were the only one, and the engine orders them."""
    title = f"Load {counted(views)}?"
    if plans is None:
        names = tuple(("", view.id, "strong") for view in views)
        return Question(title, (*names, _ASKING, *left_out(others)), open=False)
    rows: list[Fact] = []
    evicts: list[str] = []
    out = list(others)
    for view in views:
        planned = plans[view.id]
        if planned.plan is None or outlook(planned.plan) is Outlook.REFUSED:
            reason = planned.refusal or (planned.plan.reason if planned.plan else "") or "does not fit"
            out.append(LeftOut(view.id, f"{view.id}: {reason}"))
            continue
        state = verdict(planned.plan, glyphs)
        rows.append(("", f"{view.id}: {state.symbol} {state.word}", state.tone))
        evicts += planned.plan.evicts
    gone: list[Fact] = [("evicts", ", ".join(dict.fromkeys(evicts)), "warn")] if evicts else []
    return Question(
        f"Load {counted(rows)}?",
        (*rows, *gone, *left_out(out)),
        open=bool(rows),
        touches=tuple(dict.fromkeys(evicts)),
        without=tuple(each.id for each in out),
    )


def _size(view: ModelView) -> Fact:
    known = view.need_bytes or view.memory_bytes or view.size_bytes
    return ("needs", f"about {size(known)}" if known else "not known", "strong")
