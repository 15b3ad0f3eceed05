"""Soft budgets: a shadow price that makes cost weigh more where spending is ahead of the calendar.

With s the share of the limit that is spent and e the share of the period that is over, cost weighs

    r = (1 - e) / (1 - s)    between 1 and 100

times as much as usual: r is by how many times spending has to slow down for the money to last. On pace or behind it
is 1; with half of the money gone after a quarter of the time 1.5; the nearer the limit, the steeper, and beyond it
100, where almost any cheaper route wins. It depends on nothing but s and e, so it forgets as fast as it learns:
a slow hour makes up for a quick one. (After the dual of the budget constraint in routing.md 4.4, whose multiplier
this is in closed form for spending that goes on as planned.)
"""

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from orchestra_core.domain.decision import TERMS, Candidate, total

MOST = 100.0
_COST = TERMS.index("cost")


def weight(spent: float, elapsed: float) -> float:
    """How many times as much cost weighs; both are shares, `spent` may be above 1."""
    left = 1.0 - spent
    if left <= 0.0:
        return MOST
    return min(MOST, max(1.0, (1.0 - elapsed) / left))


def steered(ranked: Sequence[Candidate], factor: Callable[[str], float]) -> tuple[Candidate, ...]:
    """The candidates ranked anew, `factor(model)` being what cost weighs there; their terms still add up exactly."""
    factors = [factor(candidate.model) for candidate in ranked]
    if all(one == 1.0 for one in factors):
        return tuple(ranked)
    found = [_weighed(candidate, by) for candidate, by in zip(ranked, factors, strict=True)]
    return tuple(sorted(found, key=lambda one: (one.overloaded, -one.utility)))


def _weighed(candidate: Candidate, by: float) -> Candidate:
    weights = list(candidate.weights)
    weights[_COST] *= by
    utility = total(weight * value for weight, value in zip(weights, candidate.values, strict=True))
    return replace(candidate, weights=tuple(weights), utility=utility)
