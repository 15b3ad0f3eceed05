"""Whether a load or unload may be asked for, and how carefully the user must answer."""

from collections.abc import Sequence
from enum import IntEnum

import msgspec

from orchestra_core.domain.snapshot import MemoryView, ModelView
from orchestra_tui.present.numbers import size
from orchestra_tui.present.picture import Picture, backend, model
from orchestra_tui.present.spans import Line, line, span

_MOVING = {"loading": "it is loading", "reserved": "it is about to load", "unloading": "it is unloading",
           "draining": "it is draining"}  # fmt: skip


class Risk(IntEnum):
    """Enter confirms; `y` or the other button confirms; the model's name must be typed."""

    NONE = 0
    SOME = 1
    HIGH = 2


class Question(msgspec.Struct, frozen=True):
    """What is asked about one endpoint, held by its id. `typed` is what a risky answer must spell."""

    verb: str
    target: str
    title: str
    lines: tuple[Line, ...]
    risk: Risk
    typed: str = ""


class Refusal(msgspec.Struct, frozen=True):
    reason: str


def ask(verb: str, target: str | None, picture: Picture) -> Question | Refusal:
    """The question for `verb` (load or unload) on an endpoint, from the freshest state there is."""
    view = model(picture.snapshot, target)
    if view is None:
        return Refusal(f"{verb}: no model selected" if target is None else f"{verb}: {target} is gone")
    if not picture.link.live:
        return Refusal(f"{verb}: not connected to the engine ({picture.link.state.value}); nothing was sent")
    if view.residency in _MOVING:
        return Refusal(f"{verb}: {view.model} on {view.backend}: {_MOVING[view.residency]}")
    return _load(view, picture) if verb == "load" else _unload(view, picture)


def planned(needs: int | None, frees: int | None, evicts: Sequence[str], seconds: float | None) -> str:
    """What the engine says it will do, to be put after "accepted"."""
    parts = []
    if needs is not None:
        parts.append(f"needs {size(needs)}")
    if frees is not None:
        parts.append(f"frees {size(frees)}")
    if evicts:
        parts.append(f"evicts {', '.join(evicts)}")
    if seconds is not None:
        parts.append(f"about {seconds:.0f} s")
    return f": {', '.join(parts)}" if parts else ""


def _load(view: ModelView, picture: Picture) -> Question | Refusal:
    if view.residency == "ready":
        return Refusal(f"load: {view.model} is already ready on {view.backend}")
    need = view.memory_bytes or view.size_bytes
    pool = _pool(view, picture)
    verdict, tone, risk = _verdict(need, pool)
    free = None if pool is None else max(pool.total - pool.used, 0)
    lines = [
        _fact("model", view.model),
        _fact("backend", view.backend),
        _fact("needs", f"about {size(need)}" if need else "not known"),
        _fact("free", "not known" if free is None else size(free)),
        line(span(f"  {verdict}", tone)),
    ]
    return Question("load", view.id, f"Load {view.model} on {view.backend}?", tuple(lines), risk)


def _unload(view: ModelView, picture: Picture) -> Question | Refusal:
    if view.residency == "absent":
        return Refusal(f"unload: nothing of {view.model} is loaded on {view.backend}")
    busy = view.inflight + view.waiting
    others = [
        other.backend
        for other in (picture.snapshot.models if picture.snapshot else ())
        if other.model == view.model and other.id != view.id and other.residency == "ready"
    ]
    lines = [
        _fact("model", view.model),
        _fact("backend", view.backend),
        _fact("frees", size(view.memory_bytes) if view.memory_bytes else "not known"),
        _fact("elsewhere", f"ready on {', '.join(others)}" if others else "not ready on any other backend"),
        line(
            span(f"  {view.inflight} in flight, {view.waiting} waiting: they are let finish first", "bad")
            if busy
            else span("  nothing in flight", "good")
        ),
    ]
    risk = Risk.HIGH if busy else Risk.SOME
    typed = view.model if busy else ""
    return Question("unload", view.id, f"Unload {view.model} from {view.backend}?", tuple(lines), risk, typed)


def _pool(view: ModelView, picture: Picture) -> MemoryView | None:
    own = backend(picture.snapshot, view.backend)
    if own is None or picture.snapshot is None:
        return None
    return own.memory or (picture.snapshot.host if own.kind == "managed" else None)


def _verdict(need: int | None, pool: MemoryView | None) -> tuple[str, str, Risk]:
    if need is None or pool is None:
        return "whether it fits is not known here; the engine decides", "warn", Risk.SOME
    after = (pool.used + need) / max(pool.total, 1)
    if after < pool.warning:
        return f"fits: memory goes to {after:.0%}", "good", Risk.NONE
    if after < pool.critical:
        return f"fits, but memory goes to {after:.0%} (high)", "warn", Risk.SOME
    return (
        f"does not fit as things are: memory would go to {after:.0%}; the engine may evict or refuse",
        "bad",
        Risk.SOME,
    )


def _fact(label: str, text: str) -> Line:
    return line(span(f"  {label:<10}", "muted"), span(text, "strong"))
