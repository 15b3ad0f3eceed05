"""The ranked choice for a call and everything needed to explain it later.

What is stored of it are the fields in this order, without their names: new ones come last and have a default.
"""

from collections.abc import Iterable
from functools import reduce
from operator import add

import msgspec

from orchestra_core.domain.call import Requirements, Task

# The order in which the parts of a utility are added up.
TERMS = ("quality", "time", "slo", "cost", "failure", "external", "preference")


class Term(msgspec.Struct, frozen=True, gc=False):
    """One additive part of a utility: `points` = weight x value, signed as it entered the sum."""

    name: str
    value: float
    weight: float
    points: float


def total(points: Iterable[float]) -> float:
    """Plain addition from left to right, exactly as the selector adds.

    Not `sum`, which compensates rounding since Python 3.12 and so may differ in the last bit.
    """
    return reduce(add, points, 0.0)


class Candidate(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A feasible endpoint. `utility` is exactly `total` of the points of `terms`.

    Predictions in seconds: `seconds` of the whole call and `first_token`, both with `wait`, which is for a
    free slot or for the model to load; `work` the service time alone, corrected by what was learned.
    `prefill` (seconds from sending to the first token) and `tpot` (seconds per further token) are the
    uncorrected prior at the present load, which learning compares with what is then observed;
    `observations` is how much has been learned. `cost` None: no price known. An `overloaded` candidate ranks
    after every other one, whatever its utility. `values` and `weights` are in the order of `TERMS`; `terms`
    is made of them when asked for, because most decisions are never looked at. `variance`: of what was learned
    of its speed, as the risk of being late was reckoned with.
    """

    endpoint: str
    model: str
    backend: str
    utility: float
    values: tuple[float, ...]
    weights: tuple[float, ...]
    seconds: float
    first_token: float
    work: float
    prefill: float
    tpot: float
    output_tokens: float
    cost: float | None
    wait: float = 0.0
    observations: int = 0
    overloaded: bool = False
    variance: float = 1.0

    @property
    def terms(self) -> tuple[Term, ...]:
        parts = zip(TERMS, self.values, self.weights, strict=True)
        return tuple(Term(name, value, weight, weight * value) for name, value, weight in parts)


class Rejection(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An endpoint that cannot serve the call. `reason` is a stable code, `detail` says the numbers.

    Codes: capability, model, context, unreachable, breaker_open, cooling_down, draining, not_resident, cost, quality,
    budget.
    `needed` is what would have let it pass, exactly: of context its tokens, of cost a max_cost, of cooling_down the
    seconds, of budget its limit, of quality the highest that could be asked for; None where there is no such number.
    """

    endpoint: str
    reason: str
    detail: str
    needed: float | str | None = None


class Decision(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Ranked candidates, best first. `relaxed`: what had to give way, `quality` or nothing.

    `asked`: the model the client named, where none of its endpoints can take the call and these are its fallbacks; or
    the quality that a budget leaves no money for.
    `remaining`: seconds to the deadline, where there is one.
    """

    id: str
    task: Task
    inferred: bool
    input_tokens: int
    requirements: Requirements
    ranked: tuple[Candidate, ...]
    rejected: tuple[Rejection, ...]
    relaxed: str | None
    at: float
    asked: str = ""
    remaining: float | None = None

    @property
    def degraded(self) -> bool:
        return self.relaxed is not None or self.asked != ""
