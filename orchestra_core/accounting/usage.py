"""What may be asked of the ledger's sums and what is answered: storage fills these types, reports read them.

Nothing here is a guess: a sum over values that some rows do not have comes with the number of rows it is over.
"""

from bisect import bisect_left
from collections.abc import Iterable
from enum import StrEnum

import msgspec


class By(StrEnum):
    """What sums are told apart by. `day` is the local day in the configured zone, written as 2026-11-23."""

    MODEL = "model"
    TASK = "task"
    KEY = "key"
    BACKEND = "backend"
    DAY = "day"
    TIER_ASKED = "tier_asked"
    TIER_SERVED = "tier_served"


# The columns that are summed together for each day. A question is answered from a set that holds every column it
# groups or filters by, so these are also the pairs that may be asked for; the day goes with each.
CUBES: tuple[frozenset[By], ...] = (
    frozenset(),
    frozenset({By.MODEL}),
    frozenset({By.TASK}),
    frozenset({By.KEY}),
    frozenset({By.BACKEND}),
    frozenset({By.KEY, By.MODEL}),
    frozenset({By.KEY, By.TASK}),
    frozenset({By.TASK, By.MODEL}),
    frozenset({By.BACKEND, By.MODEL}),
    frozenset({By.TIER_ASKED, By.TIER_SERVED, By.MODEL, By.TASK}),
)
# Those of which latencies are kept by bucket. Not by key and something: keys may be addresses, thousands of them, and
# the buckets would take more room than the requests themselves.
TIMED = tuple(cube for cube in CUBES if len(cube) < 2 or cube <= {By.TASK, By.MODEL, By.BACKEND})
# Verdicts that are failures, by whose they are; a verdict that is in none of them is counted as `other`.
FAILURES: dict[str, tuple[str, ...]] = {
    "cancelled": ("cancelled",),
    "request": ("rejected", "unsupported", "context_overflow", "content_filter", "poison"),
    "capacity": ("busy", "limited", "loading", "over_budget"),
    "timeout": ("timeout",),
    "interrupted": ("interrupted",),
    "backend": ("failed", "unreachable", "dropped", "misconfigured", "missing"),
}
OTHER = "other"
# Upper bounds of the buckets in milliseconds, a quarter of an octave apart: whatever is read from them is right to
# 19 %, and the answer names the bounds. Bucket i holds what is above BOUNDS[i - 1] and at most BOUNDS[i]; the last
# one, len(BOUNDS), what is above all of them, which are 1 ms to 17 minutes.
BOUNDS: tuple[float, ...] = tuple(2.0 ** (step / 4) for step in range(81))


def bucket(milliseconds: float) -> int:
    """The bucket that a duration falls into."""
    return bisect_left(BOUNDS, milliseconds)


class UsageQuery(msgspec.Struct, frozen=True):
    """Sums by these columns, over local days `since` to `until` (`date.toordinal()`, both inclusive; None: no limit).

    `where` are the values that columns must have.
    """

    by: tuple[By, ...] = ()
    since: int | None = None
    until: int | None = None
    where: dict[By, str] = {}

    @property
    def columns(self) -> frozenset[By]:
        """Everything but the day that has to be told apart."""
        return frozenset((*self.by, *self.where)) - {By.DAY}

    @property
    def cube(self) -> frozenset[By] | None:
        """The smallest of CUBES that can answer; None: it was not summed that way."""
        return min((cube for cube in CUBES if self.columns <= cube), key=len, default=None)


class Compared(msgspec.Struct, frozen=True):
    """`paid` for `requests`, and what the same tokens would have cost at another model: `other`.

    Only over requests for which both are known.
    """

    requests: int = 0
    paid: float = 0.0
    other: float = 0.0

    def __add__(self, more: "Compared") -> "Compared":
        return Compared(self.requests + more.requests, self.paid + more.paid, self.other + more.other)


class UsageRow(msgspec.Struct, frozen=True):
    """Sums over the requests that have `names`, which are in the order of the query's `by`; "" is no value.

    `failures` are requests by the names of FAILURES and OTHER, without those that are zero. `fallbacks` took more than
    one attempt. `estimated` are requests whose tokens we counted ourselves. `cost` and `saved` are the known part;
    `cost_unknown` the requests that used tokens and have no known cost, `saved_unknown` the cache hits without a
    known saving. `*_ms` are sums; `queued_ms` and `loading_ms` leave out requests that have none. `serving_ms` is
    total less queued, over requests with tokens out: what `tokens_out` took to make. `total` and `first_token` are
    requests by `bucket`, without those that are zero; both are empty where the query's cube is none of TIMED.
    """

    names: tuple[str, ...] = ()
    requests: int = 0
    successes: int = 0
    failures: dict[str, int] = {}
    fallbacks: int = 0
    degraded: int = 0
    cache_hits: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    estimated: int = 0
    cost: float = 0.0
    cost_unknown: int = 0
    saved: float = 0.0
    saved_unknown: int = 0
    best: Compared = Compared()
    first: Compared = Compared()
    total_ms: float = 0.0
    queued_ms: float = 0.0
    loading_ms: float = 0.0
    serving_ms: float = 0.0
    total: dict[int, int] = {}
    first_token: dict[int, int] = {}


class Quantile(msgspec.Struct, frozen=True):
    """Seconds: the value lies above `low` and at most at `high` (None: beyond the last bound)."""

    low: float
    high: float | None


def quantile(counts: dict[int, int], q: float) -> Quantile | None:
    """Where the q-th part of what was counted ends; None if nothing was."""
    left = q * sum(counts.values())
    if not counts:
        return None
    for at in sorted(counts):
        left -= counts[at]
        if left <= 1e-9:  # 0.99 of 100 is not exactly 99
            break
    low = BOUNDS[at - 1] / 1000 if at else 0.0
    return Quantile(low, BOUNDS[at] / 1000 if at < len(BOUNDS) else None)


def summed(rows: Iterable[UsageRow]) -> UsageRow:
    """All rows as one, without names; each request must be in one row only."""
    whole = UsageRow()
    for row in rows:
        whole = _added(whole, row)
    return whole


def _added(a: UsageRow, b: UsageRow) -> UsageRow:
    values: dict[str, object] = {}
    for name in UsageRow.__struct_fields__:
        mine, theirs = getattr(a, name), getattr(b, name)
        values[name] = _merged(mine, theirs) if isinstance(mine, dict) else mine + theirs
    return UsageRow(**{**values, "names": ()})  # type: ignore[arg-type]  # by name, each of its own type


def _merged(a: dict[object, int], b: dict[object, int]) -> dict[object, int]:
    return {name: a.get(name, 0) + b.get(name, 0) for name in {**a, **b}}
