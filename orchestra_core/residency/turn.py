"""One turn of the scheduler: what begins now in each pool.

In this order: operators' unloads, models whose time is over, evictions under pressure, then the oldest waiter's load
or what must go for it, then a guess. There is one load at a time in a pool.
"""

from collections.abc import Iterator
from typing import Protocol

import msgspec

from orchestra_core.domain.catalog import Endpoint, Residency
from orchestra_core.domain.memory import Pressure
from orchestra_core.domain.result import Plan
from orchestra_core.residency.planner import PERMANENT, Draft, Force, Scene, draft, wanted_bytes
from orchestra_core.residency.tenant import Policy, Site, Tenant


class Load(msgspec.Struct, frozen=True):
    """Load it: the reservation is made and `residency` is LOADING. `evicts` are those that have gone for it."""

    endpoint: Endpoint
    evicts: tuple[str, ...] = ()
    speculative: bool = False


class Unload(msgspec.Struct, frozen=True):
    """Let what runs on it finish within `patience` seconds, then end it; `residency` is DRAINING.

    An unload of a model whose load is still running aborts that. `why`: asked, idle, pressure, room or aborted;
    `room_for` is the model that needs the room.
    """

    endpoint: Endpoint
    why: str
    patience: float
    room_for: str = ""


class Refuse(msgspec.Struct, frozen=True):
    """Nobody who waits for it will be served: tell them so. They are still to `unwant` it."""

    endpoint: Endpoint
    plan: Plan


Action = Load | Unload | Refuse


class Look(Protocol):
    def __call__(self, tenant: Tenant, now: float) -> Scene: ...


class Turn:
    def __init__(self, policy: Policy, now: float, scene: Look) -> None:
        self._policy = policy
        self._now = now
        self._scene = scene

    def take(self, site: Site) -> Iterator[Action]:
        yield from self._asked(site)
        yield from self._expired(site)
        yield from self._pressed(site)
        queue = sorted(
            (t for t in site.tenants.values() if t.since is not None and not t.settled and not t.leaving),
            key=lambda t: (t.since, t.id),
        )
        loading = next((t for t in site.tenants.values() if t.loading), None)
        if loading is not None:
            yield from self._abort(loading, queue)
            return
        if queue:
            yield from self._serve(queue)
        elif site.pool is None or site.pool.watermarks.pressure is Pressure.CALM:
            yield from self._guess(site)

    def _asked(self, site: Site) -> Iterator[Action]:
        for tenant in site.tenants.values():
            if tenant.patient is not None:
                patience, tenant.patient = tenant.patient, None
                if tenant.settled:
                    yield self._unload(tenant, "asked", patience)

    def _expired(self, site: Site) -> Iterator[Action]:
        for tenant in site.tenants.values():
            ttl = tenant.rule.ttl
            if ttl is None or not tenant.movable or not tenant.idle:
                continue
            endpoint = tenant.endpoint
            if self._now - max(endpoint.last_done, endpoint.ready_since) >= ttl:
                yield self._unload(tenant, "idle", 0.0)

    def _pressed(self, site: Site) -> Iterator[Action]:
        """Idle models go until the pool will be below where that ends, the least worth keeping first."""
        pool = site.pool
        if pool is None or pool.total is None:
            return
        room = pool.room(self._now)
        leaving = [t for t in site.tenants.values() if t.leaving]
        excess = room.reserved + room.headroom - room.total - room.returning - sum(t.size for t in leaving)
        if room.used is not None and room.pressure >= Pressure.FULL:
            coming = room.returning + sum(t.holding.known for t in leaving if t.holding is not None)
            excess = max(excess, room.used - coming - int(pool.watermarks.resume * room.total))
        if excess <= 0:
            return
        critical = room.pressure is Pressure.CRITICAL
        for tenant in sorted((t for t in site.tenants.values() if t.idle and t.movable), key=Tenant.worth):
            if excess <= 0:
                return
            if critical or tenant.is_mature(self._now, self._policy):
                excess -= tenant.size
                yield self._unload(tenant, "pressure", 0.0)

    def _abort(self, loading: Tenant, queue: list[Tenant]) -> Iterator[Action]:
        """A guess makes way for a request, unless that is for the very model."""
        if loading.speculated is None or loading.leaving or loading.since is not None:
            return
        if queue:
            yield self._unload(loading, "aborted", 0.0, queue[0].id)

    def _serve(self, queue: list[Tenant]) -> Iterator[Action]:
        head = queue[0]
        assert head.since is not None
        age = self._now - head.since
        force = Force.YOUNG if age > 2 * self._policy.swap_seconds else Force.BUSY
        if age <= self._policy.swap_seconds:
            force = Force.NONE
        scene = self._scene(head, self._now)
        found = draft(scene, force)
        if found.begins:
            yield self._load(head)
            return
        if found.plan.code in PERMANENT:
            yield from self._hopeless(head, found)
        else:
            head.hopeless = None
        for victim in found.evicts:
            head.evicted.append(victim.id)
            yield self._unload(victim, "room", 0.0 if victim.idle else self._policy.drain_seconds, head.id)

    def _hopeless(self, head: Tenant, found: Draft) -> Iterator[Action]:
        if head.hopeless is None:
            head.hopeless = self._now
        if not found.hopeless or self._now - head.hopeless >= self._policy.hopeless_seconds:
            head.hopeless = head.asked = None
            yield Refuse(head.endpoint, found.plan)

    def _guess(self, site: Site) -> Iterator[Action]:
        guesses = [t for t in site.tenants.values() if t.speculated is not None and not t.present]
        for tenant in sorted(guesses, key=lambda t: (t.speculated, t.id)):
            found = draft(self._scene(tenant, self._now))
            if found.begins:
                yield self._load(tenant, speculative=True)
                return
            if found.evicts and tenant.bumping:
                for victim in found.evicts:
                    tenant.evicted.append(victim.id)
                    yield self._unload(victim, "room", 0.0, tenant.id)
                return

    def _load(self, tenant: Tenant, *, speculative: bool = False) -> Load:
        pool = tenant.site.pool
        if pool is not None:
            pool.reserve(tenant.id, wanted_bytes(tenant))
        tenant.loading = True
        tenant.begun = self._now
        tenant.endpoint.residency = Residency.LOADING
        return Load(tenant.endpoint, tuple(tenant.evicted), speculative)

    def _unload(self, tenant: Tenant, why: str, patience: float, room_for: str = "") -> Unload:
        tenant.leaving = True
        tenant.endpoint.residency = Residency.DRAINING
        return Unload(tenant.endpoint, why, patience, room_for)
