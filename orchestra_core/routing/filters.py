"""Hard filters: which endpoints can serve a call at all, and why the others cannot (routing.md 4.1).

Only the quality floor ever gives way, when nothing else is left, and the decision says so. A cost limit is a
promise about money: unlike in routing.md it is never relaxed, the call is refused instead.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

from orchestra_core.domain.call import Kind, Level, Profile, Task
from orchestra_core.domain.catalog import Circuit, Endpoint, Residency
from orchestra_core.domain.decision import Rejection

# The feasible endpoints in the order given, the others with their reasons, and what had to give way for the feasible.
Sifted: TypeAlias = tuple[list[Endpoint], list[Rejection], str | None]

RANK: Final = {Level.LOW: 0, Level.MEDIUM: 1, Level.HIGH: 2}
# Tokens of an answer where neither the client nor experience says; judgement, learned away in use.
USUAL_OUTPUT: Final = {
    Task.CODE_GENERATION: 400.0,
    Task.TEXT_GENERATION: 300.0,
    Task.REASONING: 800.0,
    Task.ANALYSIS: 400.0,
    Task.CONVERSATION: 150.0,
    Task.CREATIVE: 500.0,
    Task.EMBEDDING: 0.0,
    Task.VISION: 200.0,
}
_NEEDS: Final = {kind: frozenset({kind.value}) for kind in Kind}
_CLOSED: Final = Circuit.CLOSED
_READY: Final = Residency.READY
_LOW: Final = Level.LOW
_LEAVING: Final = (Residency.DRAINING, Residency.UNLOADING)


def expected_output(endpoint: Endpoint, profile: Profile) -> float:
    """Tokens this endpoint is expected to answer with: what it used to, within what the client allows."""
    tokens = endpoint.outputs.get(profile.task)
    if tokens is None:
        tokens = USUAL_OUTPUT[profile.task]
    cap = profile.output_cap
    return float(cap) if cap is not None and cap < tokens else tokens


def _same_model(wanted: str, name: str) -> bool:
    """Ollama's `llama3` and `llama3:latest` are one model."""
    return wanted.removesuffix(":latest") == name.removesuffix(":latest")


def _unusable(endpoint: Endpoint, now: float, probing: bool) -> Rejection | None:
    if not endpoint.reachable:
        return Rejection(endpoint.id, "unreachable", "its backend does not answer")
    no = _not_loaded(endpoint) if endpoint.residency is Residency.ABSENT else None
    if no is not None:
        return no
    if endpoint.cooling_until > now:
        wait = endpoint.cooling_until - now
        return Rejection(
            endpoint.id, "cooling_down", f"it asked to be left alone for another {wait:.3g} s", wait
        )
    if endpoint.circuit is Circuit.OPEN and not probing:
        return Rejection(endpoint.id, "breaker_open", "the circuit breaker is open")
    if endpoint.draining or (endpoint.residency in _LEAVING and not endpoint.spec.loadable):
        return Rejection(endpoint.id, "draining", "it is being drained")
    return None


def _not_loaded(endpoint: Endpoint) -> Rejection | None:
    if not endpoint.spec.loadable:
        return Rejection(endpoint.id, "not_resident", "not loaded, and it cannot be loaded from here")
    return None if endpoint.barred is None else Rejection(endpoint.id, "memory", endpoint.barred[1])


def _impossible(
    endpoint: Endpoint, profile: Profile, needs: frozenset[str], now: float, probing: bool
) -> Rejection | None:
    """The reason that cannot be relaxed, if there is one."""
    spec = endpoint.spec
    wanted = profile.model
    if wanted is not None and wanted != spec.model and not _same_model(wanted, spec.model):
        return Rejection(endpoint.id, "model", wanted)
    if not needs <= spec.capabilities:
        return Rejection(endpoint.id, "capability", "lacks " + ", ".join(sorted(needs - spec.capabilities)))
    needed = profile.input_tokens + (profile.output_cap or 0)
    if needed > spec.context:
        asked = f"about {profile.input_tokens} tokens in and {profile.output_cap or 0} out"
        return Rejection(endpoint.id, "context", f"{asked} do not fit into {spec.context}", needed)
    if endpoint.circuit is not _CLOSED or endpoint.residency is not _READY:
        return _unusable(endpoint, now, probing)
    if endpoint.reachable and not endpoint.draining and endpoint.cooling_until <= now:
        return None
    return _unusable(endpoint, now, probing)


def _too_dear(endpoint: Endpoint, profile: Profile, limit: float) -> Rejection | None:
    """Judged by the longest answer allowed, where there is a cap: then no answer can break the limit."""
    spec = endpoint.spec
    if spec.price is None:
        return Rejection(
            endpoint.id, "cost", f"its price is not known, and at most {limit:.12g} may be spent"
        )
    cap = profile.output_cap
    tokens = expected_output(endpoint, profile) if cap is None else cap
    seconds = spec.rtt + profile.input_tokens / spec.prefill_rate + tokens / spec.decode_rate
    cost = spec.price.charge(profile.input_tokens, tokens, 0.0, seconds)
    if cost > limit:
        return Rejection(
            endpoint.id, "cost", f"up to {cost:.12g}, and at most {limit:.12g} may be spent", cost
        )
    return None


def sift(profile: Profile, endpoints: Sequence[Endpoint], now: float = 0.0, probing: bool = False) -> Sifted:
    """Every endpoint ends up either feasible or rejected with its reason.

    `now` is monotonic seconds; `probing` lets those pass whose circuit breaker is open.
    """
    needs = _NEEDS[profile.kind]
    if profile.needs:
        needs |= profile.needs
    wishes = profile.requirements
    possible: list[Endpoint] = []
    rejected: list[Rejection] = []
    for endpoint in endpoints:
        reason = _impossible(endpoint, profile, needs, now, probing)
        if reason is None:
            possible.append(endpoint)
        else:
            rejected.append(reason)
    floor = wishes.quality
    if wishes.max_cost is None and (floor is None or floor is _LOW):
        return possible, rejected, None
    return _within_wishes(profile, possible, rejected)


def _within_wishes(profile: Profile, possible: list[Endpoint], rejected: list[Rejection]) -> Sifted:
    limit = profile.requirements.max_cost
    floor = profile.requirements.quality
    dear: dict[str, Rejection] = {}
    if limit is not None:
        dear = {e.id: no for e in possible if (no := _too_dear(e, profile, limit)) is not None}
    poor: dict[str, Rejection] = {}
    if floor is not None:
        poor = {e.id: _poor(e, floor) for e in possible if RANK[e.spec.tier] < RANK[floor]}
    for relaxed, barred in ((None, poor | dear), ("quality", dear)):
        left = [e for e in possible if e.id not in barred]
        if left:
            return left, [*rejected, *barred.values()], relaxed
    return [], [*rejected, *dear.values()], None


def _poor(endpoint: Endpoint, floor: Level) -> Rejection:
    tier = endpoint.spec.tier
    return Rejection(endpoint.id, "quality", f"its tier is {tier}, wanted is {floor}", tier.value)
