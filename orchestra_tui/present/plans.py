"""The engine's plan of a load, as a dialog shows it: need against what is free, who goes, who waits, and a verdict."""

from collections.abc import Iterator, Sequence

from orchestra_core.domain.memory import Basis, Need
from orchestra_core.domain.outlook import Outlook, outlook
from orchestra_core.domain.result import Plan
from orchestra_tui.present.glyphs import Glyphs
from orchestra_tui.present.numbers import size
from orchestra_tui.present.states import State

# Label, text and tone of one line of a dialog.
Fact = tuple[str, str, str]
_NAMED = 6
_BASES = {
    Basis.MEASURED: "measured before",
    Basis.METADATA: "from metadata",
    Basis.SIZE: "from its size alone",
}


def facts(plan: Plan, glyphs: Glyphs) -> tuple[Fact, ...]:
    """What is known of it, and always the verdict."""
    state = verdict(plan, glyphs)
    return (*_numbers(plan), *_others(plan), ("verdict", f"{state.symbol} {state.word}", state.tone))


def verdict(plan: Plan, glyphs: Glyphs) -> State:
    """The word of a verdict may be a sentence: a refusal has the engine's reason in it."""
    victims = len(plan.evicts)
    return {
        Outlook.FITS: State(glyphs.full, "fits", "good"),
        Outlook.EVICTS: State(
            glyphs.high, f"evicts {victims} {'model' if victims == 1 else 'models'}", "warn"
        ),
        Outlook.WAITS: State(glyphs.half, f"waits: {plan.reason or _named(plan.waits_for)}", "warn"),
        Outlook.REFUSED: State(glyphs.cross, plan.reason or "does not fit", "bad"),
        Outlook.UNKNOWN: State(glyphs.hollow, "the memory there is not known: its backend decides", "warn"),
    }[outlook(plan)]


def accepted(plan: Plan) -> str:
    """What the engine will do, to be put after "accepted"."""
    parts = []
    if plan.needs_bytes is not None:
        parts.append(f"needs {size(plan.needs_bytes)}")
    if plan.frees_bytes is not None:
        parts.append(f"frees {size(plan.frees_bytes)}")
    if plan.evicts:
        parts.append(f"evicts {_named(plan.evicts)}")
    if plan.waits_for:
        parts.append(f"waits for {_named(plan.waits_for)}")
    if plan.expected_seconds is not None:
        parts.append(takes(plan))
    return f": {', '.join(parts)}" if parts else ""


def takes(plan: Plan) -> str:
    basis = {"measured": " as last time", "prior": ", estimated"}.get(plan.expected_basis, "")
    return f"about {plan.expected_seconds or 0:.0f} s{basis}"


def _numbers(plan: Plan) -> Iterator[Fact]:
    yield "needs", size(plan.needs_bytes, "not known"), "strong"
    if plan.need is not None:
        yield "", sum_of(plan.need), "muted"
    if plan.total_bytes is not None:
        where = f" in {plan.pool}" if plan.pool else ""
        yield "free", f"{size(plan.free_bytes)} of {size(plan.total_bytes)}{where}", "strong"
        taken = [
            f"{size(share)} {word}"
            for share, word in (
                (plan.reserved_bytes, "reserved"),
                (plan.foreign_bytes, "others"),
                (plan.headroom_bytes, "kept free"),
            )
            if share
        ]
        if taken:
            yield "", ", ".join(taken), "muted"


def _others(plan: Plan) -> Iterator[Fact]:
    if plan.evicts:
        frees = "" if plan.frees_bytes is None else f": frees {size(plan.frees_bytes)}"
        yield "evicts", f"{_named(plan.evicts)}{frees}", "warn"
    if plan.waits_for:
        yield "waits for", _named(plan.waits_for), "warn"
    if plan.expected_seconds is not None and plan.fits is not False:
        yield "takes", takes(plan), ""
    if plan.waiting:
        waits = "1 request waits" if plan.waiting == 1 else f"{plan.waiting} requests wait"
        yield "waiting", f"{waits} for it", ""


def sum_of(need: Need) -> str:
    """What a need is made of, and how far predictions of its kind are off; not of one that was measured."""
    error = "" if need.error is None else f", usually {need.error:.0%} off"
    parts = [("weights", need.weights), ("cache", need.cache), ("working", need.working)]
    known = [f"{size(part)} {name}" for name, part in parts if part]
    if need.basis is Basis.MEASURED or not known:
        kept = f", {size(need.growth)} of it for conversations" if need.growth else ""
        return f"{_BASES[need.basis]}{kept}{error}"
    growth = f" + {size(need.growth)} for conversations" if need.growth else ""
    together = " + ".join(known)
    limited = "all there is; reckoned: " if need.is_limited else ""
    summed = f"({together})" if len(known) > 1 else together
    return f"{limited}{summed} x{need.factor:.2f}{growth}, {_BASES[need.basis]}{error}"


def _named(ids: Sequence[str]) -> str:
    more = len(ids) - _NAMED
    return ", ".join(ids[:_NAMED]) + (f" and {more} more" if more > 0 else "")
