"""What a drill may cost, in words; and what became of a request that met one."""

from collections.abc import Sequence
from itertools import pairwise

from orchestra_core.clock import rfc3339
from orchestra_core.domain.call import Call
from orchestra_core.domain.catalog import Endpoint
from orchestra_core.domain.drills import DrillFault, DrillWish
from orchestra_core.domain.outcome import Outcome, Verdict
from orchestra_core.domain.price import in_words, view
from orchestra_core.domain.result import Tried
from orchestra_core.pipeline.completion import paid
from orchestra_core.resilience.drill import Ended

_NAMED = 3


def costs(wish: DrillWish, endpoint: Endpoint, every: Sequence[Endpoint], currency: str) -> str:
    """Where money may go that would not go there without it: to who takes over, and to answers that are cut."""
    parts = []
    if wish.fault is DrillFault.CUT and _metered(endpoint):
        parts.append(f"what {endpoint.id} has written before the cut is paid ({_price(endpoint, currency)})")
    if wish.traffic and _metered(endpoint):
        parts.append(
            f"the drill's own {wish.traffic * wish.seconds:.0f} requests, and those until all is well, are paid"
        )
    takers = [one for one in every if one is not endpoint and _metered(one)]
    if takers:
        # Those of the same model first: a request that names it goes nowhere else.
        takers.sort(key=lambda one: one.spec.model != endpoint.spec.model)
        named = ", ".join(f"{one.id} ({_price(one, currency)})" for one in takers[:_NAMED])
        more = f" and {len(takers) - _NAMED} more" if len(takers) > _NAMED else ""
        parts.append(f"requests that go elsewhere may be paid at {named}{more}")
    return "; ".join(parts) or "nothing: no endpoint here has a price that it would be paid at"


def _metered(endpoint: Endpoint) -> bool:
    price = endpoint.spec.price
    return price is None or not price.unmetered


def _price(endpoint: Endpoint, currency: str) -> str:
    return in_words(view(endpoint.spec.price, currency, rfc3339))


def fate(call: Call, tried: tuple[Tried, ...], outcome: Outcome, seconds: float, endpoint: str) -> Ended:
    """Of a request that has been on this endpoint."""
    places = [one.outcome.endpoint for one in tried]
    spent: float | None = 0.0
    for one in tried:
        if one.outcome.endpoint != endpoint and spent is not None:
            cost = paid(one, one.outcome.usage)
            spent = None if cost is None else spent + cost
    return Ended(
        call.id,
        outcome.ok,
        outcome.verdict is Verdict.CANCELLED,
        seconds,
        len(tried),
        sum(here != there for here, there in pairwise(places)),
        any(one.outcome.committed for one in tried[:-1]),
        spent,
    )
