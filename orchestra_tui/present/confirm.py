"""Whether a load or unload may be asked for, and how carefully the user must answer."""

from enum import IntEnum

import msgspec

from orchestra_core.domain.outlook import Outlook, outlook
from orchestra_core.domain.result import Plan
from orchestra_core.domain.snapshot import ModelView
from orchestra_tui.present.glyphs import Glyphs
from orchestra_tui.present.numbers import size
from orchestra_tui.present.picture import Picture, model
from orchestra_tui.present.plans import Fact, facts
from orchestra_tui.present.spans import Line, cut_line, wrapped

_MOVING = {"loading": "it is loading", "reserved": "it is about to load", "unloading": "it is unloading",
           "draining": "it is draining"}  # fmt: skip


# How long a busy model that is unloaded may let its requests finish.
DRAIN_SECONDS = 60.0
_LABEL = 11


class Risk(IntEnum):
    """Enter confirms; `y` or the other button confirms; the model's name must be typed."""

    NONE = 0
    SOME = 1
    HIGH = 2


class Planned(msgspec.Struct, frozen=True):
    """What the engine says to a dry run: its plan, or why it will not do it."""

    plan: Plan | None = None
    refusal: str = ""


class Question(msgspec.Struct, frozen=True):
    """What is asked about one endpoint, held by its id. `typed` is what a risky answer must spell.

    Not `open`, only no can be said: the plan is not there yet, or it does not allow it.
    """

    verb: str
    target: str
    title: str
    facts: tuple[Fact, ...]
    risk: Risk
    typed: str = ""
    open: bool = True
    evicts: tuple[str, ...] = ()

    def beyond(self, accepted: "Question") -> bool:
        """Whether this is more than was agreed to: a higher risk, or others that are evicted."""
        return self.risk > accepted.risk or not set(self.evicts) <= set(accepted.evicts)


class Refusal(msgspec.Struct, frozen=True):
    reason: str


def ask(
    verb: str, target: str | None, picture: Picture, planned: Planned | None = None
) -> Question | Refusal:
    """The question for `verb` (load or unload) on an endpoint, from the freshest state there is.

    `planned` is what the engine said to a dry run of the load, None while it has not answered.
    """
    view = model(picture.snapshot, target)
    if view is None:
        return Refusal(f"{verb}: no model selected" if target is None else f"{verb}: {target} is gone")
    if not picture.link.live:
        return Refusal(f"{verb}: not connected to the engine ({picture.link.state.value}); nothing was sent")
    if view.residency in _MOVING:
        return Refusal(f"{verb}: {view.model} on {view.backend}: {_MOVING[view.residency]}")
    return _load(view, picture, planned) if verb == "load" else _unload(view, picture)


def rows(question: Question, cells: int, glyphs: Glyphs) -> list[Line]:
    """Title and facts, each wrapped: nothing of what is decided about is cut off."""
    drawn = wrapped(question.title, cells - 2, "title", "  ", "  ")
    drawn.append(())
    for label, text, tone in question.facts:
        drawn += wrapped(text, cells - 2, tone, f"  {label:<{_LABEL}}", " " * (_LABEL + 2))
    return [cut_line(row, cells, glyphs.more) for row in drawn]


def _load(view: ModelView, picture: Picture, planned: Planned | None) -> Question | Refusal:
    if view.residency == "ready":
        return Refusal(f"load: {view.model} is already ready on {view.backend}")
    title, glyphs = f"Load {view.model} on {view.backend}?", picture.glyphs
    if planned is None:
        asking: Fact = ("verdict", "asking the engine for its plan …", "muted")
        return Question("load", view.id, title, (_size(view), asking), Risk.SOME, open=False)
    plan = planned.plan
    if plan is None:
        refusal: Fact = ("verdict", f"{glyphs.cross} {planned.refusal}", "bad")
        return Question("load", view.id, title, (_size(view), refusal), Risk.SOME, open=False)
    word = outlook(plan)
    return Question(
        "load",
        view.id,
        title,
        facts(plan, glyphs),
        Risk.NONE if word is Outlook.FITS else Risk.SOME,
        open=word is not Outlook.REFUSED,
        evicts=plan.evicts,
    )


def _unload(view: ModelView, picture: Picture) -> Question | Refusal:
    if view.residency == "absent":
        return Refusal(f"unload: nothing of {view.model} is loaded on {view.backend}")
    busy = view.inflight + view.waiting
    others = [
        other.backend
        for other in (picture.snapshot.models if picture.snapshot else ())
        if other.model == view.model and other.id != view.id and other.residency == "ready"
    ]
    work = f"{view.inflight} in flight, {view.waiting} waiting"
    told: list[Fact] = [
        ("frees", size(view.memory_bytes) if view.memory_bytes else "not known", "strong"),
        ("elsewhere", f"ready on {', '.join(others)}" if others else "not ready on any other backend", ""),
        ("work", work, "bad") if busy else ("work", f"{picture.glyphs.full} nothing in flight", "good"),
    ]
    if view.pinned:
        told.append(("pinned", "it is never evicted; this takes it out all the same", "warn"))
    if busy:
        told.append(
            ("", f"they may finish for up to {DRAIN_SECONDS:.0f} s; it takes no new ones meanwhile", "warn")
        )
    return Question(
        "unload",
        view.id,
        f"Unload {view.model} from {view.backend}?",
        tuple(told),
        Risk.HIGH if busy else Risk.SOME,
        view.model if busy else "",
    )


def _size(view: ModelView) -> Fact:
    known = view.need_bytes or view.memory_bytes or view.size_bytes
    return ("needs", f"about {size(known)}" if known else "not known", "strong")
