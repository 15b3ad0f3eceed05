"""One turn of the scheduler: what begins now in each pool.

In this order: operators' unloads, models whose time is over, evictions under pressure, then the oldest waiter's load
or what must go for it, then a guess. There is one load at a time in a pool.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

import msgspec

from orchestra_core.domain.catalog import Endpoint, Residency
from orchestra_core.domain.memory import Pressure
from orchestra_core.domain.result import Plan
from orchestra_core.residency.planner import Draft, draft, worst_first
from orchestra_core.residency.refusal import PERMANENT
from orchestra_core.residency.registry import reconcile
from orchestra_core.residency.scene import Force, Scene, gains
from orchestra_core.residency.tenant import Policy, Site, Tenant

# A guess that could not be followed for so long is no longer one.
_GUESS_SECONDS = 60.0
# Who was told that there is no room for it is told again only after so long.
_AGAIN_SECONDS = 1.0


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
    """Gathers what a plan depends on."""

    def __call__(
        self,
        tenant: Tenant,
        now: float,
        *,
        operator: bool | None = ...,
        force: Force = ...,
        claimed: int = ...,
        ahead: Sequence[int] = ...,
        order: Sequence[Tenant] | None = ...,
    ) -> Scene: ...


class Turn:
    """At `now` (monotonic seconds)."""

    def __init__(self, policy: Policy, now: float, look: Look) -> None:
        self._policy = policy
        self._now = now
        self._look = look

    def take(self, site: Site) -> Iterator[Action]:
        present = []
        for tenant in site.tenants.values():
            if not tenant.present:
                tenant.patience = None
                if tenant.holding is not None:
                    reconcile(tenant, self._now)  # it has died, and nobody has told so
                continue
            present.append(tenant)
            yield from self._asked(tenant)
            yield from self._expired(tenant)
        yield from self._pressed(site, present)
        queue = _queue(site)
        loading = next((tenant for tenant in present if tenant.loading), None)
        if loading is not None:
            yield from self._abort(loading, queue)
        elif queue:
            yield from self._serve(queue)
        else:
            yield from self._guess(site)

    def _asked(self, tenant: Tenant) -> Iterator[Action]:
        """Of one whose backend lists it already, while it has not said that the load is done: when it has."""
        if tenant.patience is None or (tenant.loading and tenant.endpoint.residency is Residency.READY):
            return
        patience, tenant.patience = tenant.patience, None
        if not tenant.leaving:
            yield self._unload(tenant, "asked", patience)

    def _expired(self, tenant: Tenant) -> Iterator[Action]:
        """Time is counted from the last completion; what was never used, from when it was ready."""
        ttl = tenant.rule.ttl
        if ttl is None or not self._may_end(tenant):
            return
        if self._now - max(tenant.endpoint.last_done, tenant.endpoint.ready_since) >= ttl:
            yield self._unload(tenant, "idle")

    def _may_end(self, tenant: Tenant) -> bool:
        return tenant.movable and tenant.idle and tenant.endpoint.reachable and self._now >= tenant.stays

    def _pressed(self, site: Site, present: list[Tenant]) -> Iterator[Action]:
        """Idle models go until the pool will be below where that ends, the least worth keeping first."""
        pool = site.pool
        if pool is None or pool.total is None:
            return
        room = pool.room(self._now)
        leaving = [gains(tenant) for tenant in present if tenant.leaving]
        broken = (
            room.reserved + room.headroom - room.total - room.returning - sum(size for size, _ in leaving)
        )
        excess = 0
        if room.used is not None and room.pressure >= Pressure.FULL:
            coming = room.occupied + sum(known for _, known in leaving)
            excess = room.used - coming - int(pool.watermarks.resume * room.total)
        if broken <= 0 and excess <= 0:
            return
        for tenant in sorted(filter(self._may_end, present), key=Tenant.worth):
            promised, known = gains(tenant)
            urgent = broken > 0 or (excess > 0 and room.pressure is Pressure.CRITICAL)
            if urgent or (excess > 0 and tenant.is_mature(self._now, self._policy)):
                broken -= promised
                excess -= known
                yield self._unload(tenant, "pressure")

    def _abort(self, loading: Tenant, queue: list[Tenant]) -> Iterator[Action]:
        """A guess makes way for a request, unless that is for the very model."""
        if loading.speculated is None or loading.leaving or loading.since is not None:
            return
        for tenant in queue:
            if draft(self._look(tenant, self._now)).plan.code not in PERMANENT:
                yield self._unload(loading, "aborted", 0.0, tenant.id)
                return

    def _serve(self, queue: list[Tenant]) -> Iterator[Action]:
        """The oldest first; a younger one only into room that no older one has made or will need."""
        claimed, ahead = 0, list[int]()
        order = worst_first(queue[0].site.tenants.values())  # once for all who wait: there may be hundreds
        for tenant in queue:
            force = self._force(tenant) if not ahead else Force.NONE
            scene = self._look(tenant, self._now, force=force, claimed=claimed, ahead=ahead, order=order)
            found = draft(scene)
            if found.plan.code in PERMANENT:
                yield from self._give_up(tenant, found)
                continue
            tenant.hopeless = None
            if found.begins and (load := self._load(tenant)) is not None:
                yield load
                return
            yield from self._make_room(tenant, found)
            claimed += tenant.wanted_bytes if tenant.evicted else 0
            ahead.append(tenant.wanted_bytes)

    def _force(self, tenant: Tenant) -> Force:
        age = 0.0 if tenant.since is None else self._now - tenant.since
        if age <= self._policy.swap_seconds:
            return Force.NONE
        return Force.BUSY if age <= 2 * self._policy.swap_seconds else Force.YOUNG

    def _make_room(self, tenant: Tenant, found: Draft) -> Iterator[Action]:
        for victim in found.evicts:
            if victim.id not in tenant.evicted:  # it may have stayed the first time
                tenant.evicted.append(victim.id)
            yield self._unload(victim, "room", 0.0 if victim.idle else self._policy.drain_seconds, tenant.id)

    def _give_up(self, tenant: Tenant, found: Draft) -> Iterator[Action]:
        """At once where nothing will change; where others use the memory, they get some time to give it back."""
        if tenant.hopeless is None:
            tenant.hopeless = self._now
        tenant.evicted.clear()
        if not found.hopeless or self._now - tenant.hopeless >= self._policy.hopeless_seconds:
            ordered, tenant.asked = tenant.asked is not None, None
            if not ordered and self._now < tenant.told + _AGAIN_SECONDS:  # they are on their way out
                return
            tenant.told = self._now
            yield Refuse(tenant.endpoint, found.plan)

    def _guess(self, site: Site) -> Iterator[Action]:
        pool = site.pool
        if pool is None or pool.total is None or pool.watermarks.pressure is not Pressure.CALM:
            return
        fresh = self._now - _GUESS_SECONDS
        guesses = [(t.speculated, t.id, t) for t in site.tenants.values() if t.speculated is not None]
        for _, _, tenant in sorted(guess for guess in guesses if guess[0] >= fresh and not guess[2].present):
            found = draft(self._look(tenant, self._now))
            if found.begins and (load := self._load(tenant, speculative=True)) is not None:
                yield load
                return
            if found.evicts and tenant.bumping:
                yield from self._make_room(tenant, found)
                return

    def _load(self, tenant: Tenant, *, speculative: bool = False) -> Load | None:
        """The one place where a load begins: never without its reservation."""
        pool = tenant.site.pool
        if pool is not None and not pool.admit(tenant.id, tenant.wanted_bytes, self._now):
            return None
        if not speculative:
            tenant.speculated = None  # begun for somebody, it is no guess, even if they leave
        tenant.loading = True
        tenant.begun = self._now
        tenant.endpoint.residency = Residency.LOADING
        return Load(tenant.endpoint, tuple(tenant.evicted), speculative)

    @staticmethod
    def _unload(tenant: Tenant, why: str, patience: float = 0.0, room_for: str = "") -> Unload:
        tenant.leaving = True
        tenant.endpoint.residency = Residency.DRAINING
        return Unload(tenant.endpoint, why, patience, room_for)


def _queue(site: Site) -> list[Tenant]:
    """Models that somebody waits for and that are not there, the oldest wish first."""
    wanted = [(t.since, t.id, t) for t in site.tenants.values() if t.waiters or t.asked is not None]
    waiting = [entry for entry in wanted if not (entry[2].settled or entry[2].leaving)]
    return [tenant for _, _, tenant in sorted(waiting, key=lambda entry: (entry[0] or 0.0, entry[1]))]
