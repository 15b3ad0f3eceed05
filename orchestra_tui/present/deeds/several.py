"""Deeds on several models at once: which of them it can be done to, and why not to the others."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from orchestra_core.domain.result import Plan
from orchestra_core.domain.snapshot import ModelView, Snapshot
from orchestra_tui.present.deeds.deed import Answer
from orchestra_tui.present.picture import Picture
from orchestra_tui.present.plans import Fact, accepted

T = TypeVar("T")

_MOVING = {"loading": "it is loading", "reserved": "it is about to load", "unloading": "it is unloading",
           "draining": "it is draining"}  # fmt: skip


class LeftOut(msgspec.Struct, frozen=True):
    """One that it cannot be done to."""

    id: str
    reason: str


def sorted_out(
    ids: Sequence[str],
    picture: Picture,
    barred: Callable[[T], str],
    find: Callable[[Snapshot | None, str], T | None],
) -> tuple[list[T], list[LeftOut]]:
    """Those it can be done to as things are now, and the others; `barred` says why not, or nothing."""
    views, others = [], []
    for identity in ids:
        view = find(picture.snapshot, identity)
        reason = f"{identity} is gone" if view is None else barred(view)
        if view is None or reason:
            others.append(LeftOut(identity, reason))
        else:
            views.append(view)
    return views, others


def changing(view: ModelView) -> str:
    """What a model is in the middle of, in words; empty where nothing is going on."""
    word = _MOVING.get(view.residency)
    return f"{view.model} on {view.backend}: {word}" if word else ""


def left_out(others: Sequence[LeftOut]) -> tuple[Fact, ...]:
    return tuple(("left out" if place == 0 else "", each.reason, "warn") for place, each in enumerate(others))


def counted(things: Sequence[object], what: str = "model") -> str:
    return f"1 {what}" if len(things) == 1 else f"{len(things)} {what}s"


def listed(label: str, words: Sequence[str], tone: str = "strong", most: int = 8) -> tuple[Fact, ...]:
    """One line each; of many only the first and how many more."""
    more = len(words) - most
    shown = [*words[:most], *([f"and {more} more"] if more > 0 else [])]
    return tuple((label if place == 0 else "", word, tone) for place, word in enumerate(shown))


def told(ids: Sequence[str], answers: Sequence[Answer]) -> str:
    """What the engine accepted: of one model with what will happen, of several how many."""
    if len(ids) != 1:
        return f": {len(answers)} accepted"
    return f" {ids[0]}: accepted{accepted(msgspec.convert(answers[0].get('plan', {}), Plan))}"
