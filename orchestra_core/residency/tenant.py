"""A model on a backend as the scheduler sees it: the live endpoint, what is wanted of it, and what is under way."""

from math import exp, inf

import msgspec

from orchestra_core.domain.catalog import Endpoint, Residency
from orchestra_core.domain.memory import Need, Rule
from orchestra_core.residency.pool import Holding, Pool

_READY = Residency.READY
_ABSENT = Residency.ABSENT
# What an eviction costs others is counted for as long as this.
HORIZON_SECONDS = 60.0
# Fewer requests than this expected while a model would be held for those of them that come.
_UNLIKELY = 0.5


class Policy(msgspec.Struct, frozen=True):
    """Seconds, and shares of a pool's total.

    A waiter older than `swap_seconds` makes busy models drain, for up to `drain_seconds`; twice as old, also those
    that have not been there for `resident_seconds` (or twice their load time) yet. Of 10, 20 and 30 the last made
    fewest requests cold in `make bench-memory`, and the mean first token came soonest. `hopeless_seconds`: for how
    long a waiter stays that not even the eviction of everything would help. `headroom` bytes; None: by the rule.
    Memory that nobody measures is taken to be back `return_seconds` after a model has ended.
    """

    swap_seconds: float = 30.0
    resident_seconds: float = 30.0
    drain_seconds: float = 30.0
    hopeless_seconds: float = 30.0
    warning: float = 0.70
    evict: float = 0.85
    critical: float = 0.90
    headroom: int | None = None
    return_seconds: float = 0.0


class Tenant:
    """`waiters` are the times of those who wait, oldest first; `asked` and `speculated` those of other wishes.

    `loading` and `leaving` are true while an action of ours is under way, whatever a look at the backend says.
    `evicted` are those that went for it, so the room that they left is its own.
    """

    __slots__ = (
        "asked",
        "begun",
        "bumping",
        "endpoint",
        "evicted",
        "hopeless",
        "id",
        "leaving",
        "loading",
        "patience",
        "rule",
        "ruled",
        "said",
        "site",
        "speculated",
        "stays",
        "told",
        "waiters",
    )

    def __init__(self, endpoint: Endpoint, site: "Site", rule: Rule) -> None:
        self.endpoint = endpoint
        self.id = endpoint.id
        self.site = site
        self.govern(rule)
        self.waiters: list[float] = []
        self.asked: float | None = None
        self.speculated: float | None = None
        self.bumping = False  # whether idle models may go for the speculation
        self.loading = False
        self.leaving = False
        self.begun = 0.0
        self.stays = 0.0  # it could not be unloaded: not to be tried again before
        self.told = -inf  # when those who wait were last refused
        self.patience: float | None = None  # of an operator's unload that was not begun yet
        self.evicted: list[str] = []
        self.said: tuple[Need | None, str] | None = None  # its need in words, kept while it is the same
        self.hopeless: float | None = None  # since when not even the end of all others would help

    @property
    def since(self) -> float | None:
        """Since when somebody wants it who is not a guess."""
        oldest = self.waiters[0] if self.waiters else None
        if self.asked is None or (oldest is not None and oldest <= self.asked):
            return oldest
        return self.asked

    @property
    def present(self) -> bool:
        return self.endpoint.residency is not _ABSENT or self.loading or self.leaving

    @property
    def settled(self) -> bool:
        """Loaded, and neither on its way in nor out."""
        return self.endpoint.residency is _READY and not self.loading and not self.leaving

    @property
    def idle(self) -> bool:
        endpoint = self.endpoint
        return self.settled and not (endpoint.inflight or endpoint.waiting or self.waiters)

    @property
    def movable(self) -> bool:
        """Whether it could ever be evicted."""
        return self.endpoint.spec.loadable and not self.rule.pinned

    def govern(self, rule: Rule) -> None:
        """`ruled`: more than its need and its pool decides where it may be."""
        self.rule = rule
        self.ruled = bool(rule.group) or rule.copies is not None or rule.memory is not None

    @property
    def load_seconds(self) -> float:
        took = self.endpoint.took
        return self.endpoint.spec.load_seconds if took is None else took

    @property
    def wanted_bytes(self) -> int:
        """What is to be reserved for it: its need, or what is known at all."""
        endpoint = self.endpoint
        if endpoint.need is not None:
            return endpoint.need.bytes
        return endpoint.memory_bytes or endpoint.spec.size_bytes or 0

    @property
    def holding(self) -> Holding | None:
        pool = self.site.pool
        return None if pool is None else pool.held(self.id)

    @property
    def size(self) -> int:
        """Bytes that its end gives back."""
        holding = self.holding
        if holding is not None:
            return holding.bytes
        return self.endpoint.memory_bytes or self.endpoint.spec.size_bytes or 0

    def is_mature(self, now: float, policy: Policy) -> bool:
        """Whether it was there long enough to have been worth its load, or is idle and hardly expected to be asked for
        in the time that would take: holding it would make somebody wait for nothing. Demand of 0 is unknown.
        """
        stay = max(2.0 * self.load_seconds, policy.resident_seconds)
        if now - self.endpoint.ready_since >= stay:
            return True
        return 0.0 < self.endpoint.demand * stay < _UNLIKELY and self.idle

    def worth(self) -> tuple[float, bool, float, str]:
        """What keeping it saves per byte; of equals an idle one goes first, then the one longest unused."""
        endpoint = self.endpoint
        return (
            endpoint.demand * self.load_seconds / max(1, self.size),
            not self.idle,
            max(endpoint.last_done, endpoint.ready_since),
            self.id,
        )

    def cost(self) -> float:
        """Expected seconds of loading it again for others, if it is evicted now."""
        demand = self.endpoint.demand
        return (1.0 - exp(-demand * HORIZON_SECONDS)) * self.load_seconds if demand else 0.0


class Site:
    """Where one load at a time is done: a pool of memory, or a backend whose memory nobody knows."""

    __slots__ = ("name", "pool", "tenants")

    def __init__(self, name: str, pool: Pool | None) -> None:
        self.name = name
        self.pool = pool
        self.tenants: dict[str, Tenant] = {}
