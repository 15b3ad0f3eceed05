"""What the router and people are told of memory.

The router's part runs every second over all models: the sums of a pool are made once, and each model is one look-up
in them. Models with rules of their own are planned one by one.
"""

from bisect import bisect_left
from collections.abc import Iterable
from functools import cached_property

from orchestra_core.domain.catalog import Endpoint, Residency
from orchestra_core.domain.memory import Need
from orchestra_core.domain.snapshot import PoolView
from orchestra_core.residency.planner import cost_of, draft, idle_words, no_room_words
from orchestra_core.residency.refusal import PERMANENT, UNKNOWN_NEED, too_large, unknown_memory
from orchestra_core.residency.scene import Ground, gains
from orchestra_core.residency.tenant import Policy, Site, Tenant
from orchestra_core.residency.turn import Look

_ABSENT = Residency.ABSENT
Bar = tuple[str, str]


class Offer:
    """What a pool has for any one more model: room, and victims in the order in which they would go."""

    def __init__(self, site: Site, policy: Policy, now: float) -> None:
        self._site = site
        ground = self._ground = Ground(site, now)
        self.free = min(ground.unpromised, ground.unused)
        self._promised, self._used, self._costs = [ground.unpromised + ground.coming], [], [0.0]
        self._used.append(ground.unused + ground.coming_used)
        victims = sorted((t for t in site.tenants.values() if _could_go(t)), key=Tenant.worth)
        able = [t for t in victims if t.idle and t.is_mature(now, policy) and now >= t.stays]
        self._idle = sum(t.size for t in able)
        for victim in able + [t for t in victims if t not in able]:
            promised, used = gains(victim)
            self._promised.append(self._promised[-1] + promised)
            self._used.append(self._used[-1] + used)
            self._costs.append(self._costs[-1] + victim.cost())

    def cost(self, size: int) -> float | None:
        """Expected seconds that making room costs others; None: there is none to be made."""
        if size <= self.free:
            return 0.0
        victims = max(bisect_left(self._promised, size), bisect_left(self._used, size))
        return self._costs[victims] if victims < len(self._costs) else None

    @cached_property
    def words(self) -> str:
        return idle_words(self._site.name, self._ground.room, self._idle)


def _could_go(tenant: Tenant) -> bool:
    return tenant.present and tenant.movable and not tenant.leaving


def publish(sites: Iterable[Site], special: Iterable[Tenant], look: Look, policy: Policy, now: float) -> None:
    """Sets `barred` and `external` of all endpoints that are absent and could be loaded.

    `special` are those that depend on more than their need and their pool.
    """
    for site in sites:
        if site.pool is None or site.pool.total is None:
            _unmeasured(site)
        else:
            _measured(site, Offer(site, policy, now))
    for tenant in special:
        if not tenant.present and tenant.endpoint.spec.loadable:
            found = draft(look(tenant, now, operator=False))
            code = found.plan.code
            tenant.endpoint.barred = (code, found.plan.reason) if code in PERMANENT else None
            tenant.endpoint.external = cost_of((*found.evicts, *found.waits_for))


def _unmeasured(site: Site) -> None:
    for tenant in site.tenants.values():
        endpoint = tenant.endpoint
        absent = endpoint.residency is _ABSENT and endpoint.spec.loadable
        no = unknown_memory(site, tenant) if absent else None
        endpoint.barred = None if no is None else (no.code, no.reason)
        endpoint.external = 0.0


def _measured(site: Site, offer: Offer) -> None:
    assert site.pool is not None
    largest = (site.pool.total or 0) - site.pool.headroom
    free, cost = offer.free, offer.cost
    for tenant in site.tenants.values():
        endpoint = tenant.endpoint
        if endpoint.residency is not _ABSENT or not endpoint.spec.loadable:
            endpoint.barred = None
            endpoint.external = 0.0
            continue
        need = endpoint.need
        if need is None:
            endpoint.barred = (UNKNOWN_NEED.code, UNKNOWN_NEED.reason)
            continue
        size = need.bytes
        if size <= free:
            endpoint.barred = None
            endpoint.external = 0.0
            continue
        seconds = cost(size) if size <= largest else None
        endpoint.external = 0.0 if seconds is None else seconds
        endpoint.barred = None if seconds is not None else _bar(tenant, size > largest, offer)


def _bar(tenant: Tenant, never: bool, offer: Offer) -> Bar:
    """In words, of which only those about the pool change from one second to the next."""
    endpoint = tenant.endpoint
    if never:
        no = too_large(tenant.site, tenant)
        assert no is not None
        return no.code, no.reason
    return "no_room", f"{_need_words(tenant, endpoint)}, {offer.words}"


def _need_words(tenant: Tenant, endpoint: Endpoint) -> str:
    said: tuple[Need | None, str] | None = tenant.said
    if said is None or said[0] is not endpoint.need:
        said = tenant.said = (endpoint.need, no_room_words(tenant))
    return said[1]


def view(sites: Iterable[Site], now: float) -> tuple[PoolView, ...]:
    """The pools there is a measurement or a configured size of, by name."""
    found = []
    for site in sites:
        pool = site.pool
        if pool is None or pool.total is None:
            continue
        room = pool.room(now)
        found.append(
            PoolView(
                name=site.name,
                total=room.total,
                free=room.free,
                reserved=room.reserved,
                used=room.used,
                foreign=room.foreign,
                headroom=room.headroom,
                returning=room.returning,
                pressure=room.pressure.name.lower(),
                source="configured" if room.used is None else "host",
                backends=tuple(sorted({t.endpoint.spec.backend for t in site.tenants.values()})),
            )
        )
    return tuple(sorted(found, key=lambda pool: pool.name))
