"""Every state as symbol, word and tone, so that none of the three is needed alone."""

from typing import NamedTuple

from orchestra_core.domain.snapshot import BackendView, MemoryView, ModelView
from orchestra_tui.present.glyphs import Glyphs


class State(NamedTuple):
    symbol: str
    word: str
    tone: str


def health(view: BackendView, glyphs: Glyphs) -> State:
    if view.draining and view.health == "up":
        return State(glyphs.down, "draining", "warn")
    if view.health == "up":
        return State(glyphs.full, "up", "good")
    if view.health == "down":
        return State(glyphs.cross, "down", "bad")
    return State(glyphs.hollow, "unknown", "muted")


def circuit(state: str, glyphs: Glyphs) -> State:
    if state == "open":
        return State(glyphs.open, "open", "bad")
    if state == "half_open":
        return State(glyphs.probing, "half-open", "warn")
    return State(glyphs.closed, "closed", "good")


def residency(view: ModelView, glyphs: Glyphs) -> State:
    """What a model is doing, the worst news first: tripped, unreachable, then where it stands in memory.

    The engine calls a tripped one unavailable too, and that says less.
    """
    if view.circuit == "open":
        return State(glyphs.open, "tripped", "bad")
    if view.draining:
        return State(glyphs.down, "draining", "warn")
    if view.status == "unavailable":
        return State(glyphs.cross, "unavail", "bad")
    if view.circuit == "half_open":
        return State(glyphs.probing, "probing", "warn")
    known = {
        "ready": State(glyphs.full, "ready", "good"),
        "loading": State(glyphs.half, "loading", "warn"),
        "reserved": State(glyphs.half, "reserved", "warn"),
        "draining": State(glyphs.down, "draining", "warn"),
        "unloading": State(glyphs.half, "unloading", "warn"),
        "absent": State(glyphs.hollow, "barred", "warn")
        if view.barred
        else State(glyphs.hollow, "unloaded", "muted"),
    }
    return known.get(view.residency, State(glyphs.hollow, view.residency, "muted"))


def pressure(memory: MemoryView, glyphs: Glyphs) -> State:
    """Memory pressure against the pool's own thresholds: ok, high or critical."""
    share = fraction(memory)
    if share >= memory.critical:
        return State(glyphs.critical, "critical", "bad")
    if share >= memory.warning:
        return State(glyphs.high, "high", "warn")
    return State(glyphs.full, "ok", "good")


def fraction(memory: MemoryView) -> float:
    return memory.used / memory.total if memory.total > 0 else 0.0
