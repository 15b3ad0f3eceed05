"""The choice of endpoints for a call: utility in absolute units, ranked, with every part of it kept.

For each endpoint that can serve the call (routing.md 4.2, adapted):

    first token  F = wait + k1 (rtt + n_in s/prefill_rate + s/decode_rate)
    whole call   T = F + k2 (n_out - 1) s/decode_rate
    utility      U = w_q q - w_t log2(1 + T/T_ref) - w_s P(T > SLO) - w_c C/C_ref - w_r p_fail
                     - w_x Ext/T_ref + w_p log2(weight)

`wait` is the longer of queueing (nothing while a slot is free) and loading; s = 1 + a(b-1) is the slow-down
by the b calls then in service; k1 and k2 are what was learned of this endpoint. The fixed part of F is inside
k1, so that a remote endpoint that is late for every prompt does not appear to read prompts slowly. All is
evaluated in one loop: it is on the path of every request. The same state and call give the same decision.
"""

from collections.abc import Sequence
from math import ceil, erfc, exp, floor, inf, log, log2, sqrt
from typing import Final

from msgspec.structs import replace

from orchestra_core.domain.call import NO_REQUIREMENTS, Profile, Task
from orchestra_core.domain.catalog import Endpoint, EndpointSpec, Residency, failure_probability
from orchestra_core.domain.decision import Candidate, Decision
from orchestra_core.routing.filters import USUAL_OUTPUT, sift
from orchestra_core.routing.preferences import Scale, Weights, scale_of

__all__ = ["Weights", "decide"]

# Share of its quality that a model keeps at a task it was not described for; judgement.
_UNFIT: Final = 0.6
# What an unknown price is taken to be for ranking, per million tokens: that of a large hosted model, so that
# not saying a price never looks cheap. The cost reported stays unknown.
_ASSUMED_INPUT: Final = 3.0
_ASSUMED_OUTPUT: Final = 15.0
# Guard of routing.md 4.2 (after Prequal): calls per slot beyond both of these put a candidate last.
_OVERLOAD: Final = 1.5
_OVERLOAD_QUANTILE: Final = 0.84
# Added to twice the variance of ln T: however well T is known, a limit is not a cliff (spread 10 % at least).
LEAST_SPREAD: Final = 0.02
SHORTEST: Final = 1e-3
_READY: Final = Residency.READY
# Of most calls, which say nothing of what they want.
_USUAL: Final = scale_of(NO_REQUIREMENTS)

# Sorted as it is: utility, least recently used, name. The index keeps equal names from comparing candidates.
_Row = tuple[float, float, str, int, Candidate]


def decide(
    profile: Profile,
    endpoints: Sequence[Endpoint],
    now: float,
    decision_id: str,
    weights: Weights | None = None,
    *,
    probing: bool = False,
) -> Decision:
    """The endpoints that can serve the call, best first. Without `weights`, those of the requirements.

    `ranked` is empty when none can; then `rejected` says why of each. `now` is monotonic seconds. `probing` ranks
    those too whose circuit breaker is open.
    """
    feasible, rejected, relaxed = sift(profile, endpoints, now, probing)
    wishes, deadline = profile.requirements, profile.deadline
    if weights is not None:
        scale = weights.scale()
    elif wishes is NO_REQUIREMENTS:
        scale = _USUAL
    else:
        scale = scale_of(wishes)
    rows, crowded = _score(profile, feasible, now, scale)
    ranked: tuple[Candidate, ...]
    if len(rows) == 1:
        ranked = (rows[0][4],)
    else:
        rows.sort()
        ranked = _set_back(rows, feasible) if crowded else tuple([row[4] for row in rows])
    return Decision(
        decision_id,
        profile.task,
        profile.inferred,
        profile.input_tokens,
        wishes,
        ranked,
        tuple(rejected),
        relaxed,
        now,
        "",
        None if deadline is None else deadline - now,
    )


def _score(profile: Profile, feasible: list[Endpoint], now: float, scale: Scale) -> tuple[list[_Row], bool]:
    """A row for each endpoint, and whether any has more calls than the overload guard lets pass unseen."""
    signed, reference, cost_reference, limit = scale
    w_quality, w_time, w_slo, w_cost, w_failure, w_external, w_preference = signed
    task, tokens_in = profile.task, profile.input_tokens
    most, deadline = profile.output_cap, profile.deadline
    limit = limit if deadline is None else max(min(limit, deadline - now), SHORTEST)
    usual = USUAL_OUTPUT[task]
    cap = inf if most is None else float(most)
    rows: list[_Row] = []
    crowded = False
    for index, e in enumerate(feasible):
        spec, speed = e.spec, e.speed
        slots, variance = spec.slots, speed.variance
        busy = e.inflight + e.waiting
        wait = 0.0
        share = 1.0 + spec.slowdown * busy
        if busy >= slots:
            wait = e.work / slots
            share = 1.0 + spec.slowdown * (slots - 1)
            crowded = crowded or busy > _OVERLOAD * slots
        if e.residency is not _READY:
            wait = _loading(e, wait)
        tokens_out = e.outputs.get(task, usual)
        if tokens_out > cap:  # noqa: PLR1730 - min() costs a call for every candidate
            tokens_out = cap
        tpot = share / spec.decode_rate
        prefill = spec.rtt + tokens_in * share / spec.prefill_rate + tpot
        work = exp(speed.ttft) * prefill
        first = wait + work
        if tokens_out > 1.0:
            work += exp(speed.tpot) * tpot * (tokens_out - 1.0)
        seconds = wait + work
        price = spec.price
        if price is None:
            cost, charged = None, (tokens_in * _ASSUMED_INPUT + tokens_out * _ASSUMED_OUTPUT) / 1e6
        else:
            cost = charged = (
                (tokens_in * price.input + tokens_out * price.output) / 1e6
                if price.plain
                else price.charge(tokens_in, tokens_out, 0.0, work)
            )
        known = spec.qualities.get(task)
        quality = _fit(spec, task) if known is None else known
        time = log2(1.0 + seconds / reference)
        late = 0.5 * erfc(log(limit / seconds) / sqrt(2.0 * variance + LEAST_SPREAD))
        money = charged / cost_reference
        failure = failure_probability(e.reliability, now)
        external = e.external / reference
        preference = 0.0 if spec.weight == 1.0 else log2(spec.weight)
        values = (quality, time, late, money, failure, external, preference)
        utility = w_quality * quality + w_time * time + w_slo * late + w_cost * money
        utility = utility + w_failure * failure + w_external * external + w_preference * preference
        candidate = Candidate(
            e.id, spec.model, spec.backend, utility, values, signed,
            seconds, first, work, prefill, tpot, tokens_out, cost, wait, speed.observations, False,
            variance,
        )  # fmt: skip
        rows.append((-utility, e.last_used, e.id, index, candidate))
    return rows, crowded


def _loading(endpoint: Endpoint, wait: float) -> float:
    """Seconds until the model can answer, at least `wait`; of a load under way half is taken to be over.

    As long as its last load took, or a prior.
    """
    seconds = endpoint.spec.load_seconds if endpoint.took is None else endpoint.took
    return max(wait, seconds / 2 if endpoint.residency is Residency.LOADING else seconds)


def _fit(spec: EndpointSpec, task: Task) -> float:
    return spec.quality if task in spec.tasks else spec.quality * _UNFIT


def _quantile(values: list[float], q: float) -> float:
    """Interpolated between the neighbours."""
    place = q * (len(values) - 1)
    low, high = values[floor(place)], values[ceil(place)]
    return low + (high - low) * (place - floor(place))


def _set_back(rows: list[_Row], feasible: Sequence[Endpoint]) -> tuple[Candidate, ...]:
    """Overloaded candidates behind all others, otherwise in the order of the rows."""
    taken = [(e.inflight + e.waiting) / e.spec.slots for e in feasible]
    limit = max(_OVERLOAD, _quantile(sorted(taken), _OVERLOAD_QUANTILE))
    calm = [row[4] for row in rows if taken[row[3]] <= limit]
    behind = [row[4] for row in rows if taken[row[3]] > limit]
    if not calm:
        return tuple(behind)
    return (*calm, *(replace(candidate, overloaded=True) for candidate in behind))
