"""The plan of a load or unload in words, for a terminal of 80 columns."""

import textwrap
from collections.abc import Iterator

from orchestra_core.cli.spelling import gib, join, memory
from orchestra_core.domain.memory import Basis, Need
from orchestra_core.domain.outlook import Outlook, outlook
from orchestra_core.domain.result import Plan

_COLUMNS = 80
_INDENT = 12
_BASES = {
    Basis.MEASURED: "as measured before in this size",
    Basis.METADATA: "from metadata",
    Basis.SIZE: "from its size alone",
}


def told(action: str, plan: Plan) -> list[str]:
    """What it needs, what goes, who waits, how long, and what it comes to; what is not known is left out."""
    facts = _of_load(plan) if action == "load" else _of_unload(plan)
    return [row for label, text in facts for row in _rows(label, text)]


def is_busy(plan: Plan) -> bool:
    """Of a plan to unload: it would be refused without leave to drain, or force."""
    return bool(plan.code or plan.waits_for)


def verdict(plan: Plan) -> str:
    words = {
        Outlook.FITS: "fits",
        Outlook.EVICTS: "fits when that is evicted",
        Outlook.WAITS: f"fits later: {plan.reason or 'that must have gone first'}",
        Outlook.REFUSED: f"{'not now' if plan.retry_after else 'no'}: {plan.reason or 'it does not fit'}",
        Outlook.UNKNOWN: "nobody knows whether it fits: the memory there is not known",
    }
    return words[outlook(plan)]


def _of_load(plan: Plan) -> Iterator[tuple[str, str]]:
    if plan.needs_bytes is not None:
        yield "needs", f"{memory(plan.needs_bytes)}{_sum(plan.need) if plan.need else ''}"
    if plan.need is not None and plan.need.error is not None:
        yield "", f"predictions for this kind of backend are off by {plan.need.error:.0%} on average"
    if plan.pool and plan.total_bytes is not None:
        yield "free", _pool(plan)
    if plan.evicts:
        frees = "" if plan.frees_bytes is None else f", which frees {memory(plan.frees_bytes)}"
        yield "evicts", join(plan.evicts) + frees
    if plan.waits_for:
        yield "waits for", join(plan.waits_for)
    yield from _common(plan)
    yield "verdict", verdict(plan)


def _of_unload(plan: Plan) -> Iterator[tuple[str, str]]:
    yield "frees", memory(plan.frees_bytes) if plan.frees_bytes is not None else "an unknown amount"
    yield from _common(plan)
    if is_busy(plan):
        yield (
            "busy",
            plan.reason or "it answers requests: --drain SECONDS lets them finish, --force ends them",
        )


def _common(plan: Plan) -> Iterator[tuple[str, str]]:
    if plan.expected_seconds is not None:
        basis = {"measured": ", as it took last time", "prior": ", estimated from its size"}
        yield "takes", f"about {plan.expected_seconds:.0f} s{basis.get(plan.expected_basis, '')}"
    if plan.waiting:
        yield (
            "waiting",
            "1 request waits for it" if plan.waiting == 1 else f"{plan.waiting} requests wait for it",
        )


def _sum(need: Need) -> str:
    basis = _BASES[need.basis]
    if not need.weights or need.basis is Basis.MEASURED:
        return f", {basis}{f', {memory(need.growth)} of it kept for conversations' if need.growth else ''}"
    parts = [f"weights {gib(need.weights)}"]
    parts += [f"cache {gib(need.cache)}"] if need.cache else []
    parts += [f"working {gib(need.working)}"] if need.working else []
    together = " + ".join(parts)
    kept = f" + {gib(need.growth)} kept for conversations" if need.growth else ""
    equal = ", all there is; reckoned:" if need.is_limited else " ="
    return f"{equal} {f'({together})' if len(parts) > 1 else together} x {need.factor:.2f}{kept}, {basis}"


def _pool(plan: Plan) -> str:
    shares = (
        (plan.reserved_bytes, "reserved"),
        (plan.foreign_bytes, "others"),
        (plan.headroom_bytes, "kept free"),
    )
    taken = join(f"{gib(size)} {word}" for size, word in shares if size)
    free = "an unknown amount" if plan.free_bytes is None else memory(plan.free_bytes)
    where = f"{free} of {gib(plan.total_bytes or 0)} in {plan.pool}"
    return f"{where} ({taken})" if taken != "-" else where


def _rows(label: str, text: str) -> list[str]:
    rows = textwrap.wrap(text, _COLUMNS - _INDENT, break_long_words=False, break_on_hyphens=False)
    heads = [f"  {label:<{_INDENT - 3}} ", *[" " * _INDENT] * len(rows)]
    return [head + row for head, row in zip(heads, rows, strict=False)]
