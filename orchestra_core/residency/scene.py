"""All that a plan depends on, and the sums it rests on."""

from collections.abc import Collection, Sequence
from enum import IntEnum

import msgspec

from orchestra_core.domain.memory import Pressure, Quota
from orchestra_core.residency.room import Room
from orchestra_core.residency.tenant import Policy, Site, Tenant


class Force(IntEnum):
    """Who may be made to go: those idle for long enough; also busy ones; also those that have just come."""

    NONE = 0
    BUSY = 1
    YOUNG = 2


class Scene(msgspec.Struct, frozen=True, gc=False):
    """`neighbours` are the models on the same backend where that has a quota, `copies` the number of other endpoints
    where the same model is. `claimed` bytes are what older waiters have made room for, `ahead` what each of the older
    ones needs, the oldest first. `order` are the models in the pool, the least worth keeping first, where that is
    known already.
    """

    tenant: Tenant
    policy: Policy
    now: float
    neighbours: Collection[Tenant] = ()
    copies: int = 0
    quota: Quota = Quota()
    setback: float = 0.0
    exhausted: bool = False
    operator: bool = False
    force: Force = Force.NONE
    claimed: int = 0
    ahead: Sequence[int] = ()
    order: Sequence[Tenant] | None = None

    @property
    def site(self) -> Site:
        return self.tenant.site


class Shortfall:
    """What is missing for a load: bytes by promise and by measurement, and of the backend's quota bytes and places."""

    __slots__ = ("backend", "backend_bytes", "places", "promised", "used")

    def __init__(self, backend: str, promised: int, used: int, backend_bytes: int, places: int) -> None:
        self.backend = backend
        self.promised = promised
        self.used = used
        self.backend_bytes = backend_bytes
        self.places = places

    @property
    def met(self) -> bool:
        return self.promised <= 0 and self.used <= 0 and self.backend_bytes <= 0 and self.places <= 0

    def helped_by(self, tenant: Tenant, site: Site) -> bool:
        if (self.promised > 0 or self.used > 0) and tenant.site is site:
            return True
        return tenant.endpoint.spec.backend == self.backend and (self.backend_bytes > 0 or self.places > 0)

    def give(self, tenant: Tenant, site: Site, sign: int = 1) -> None:
        """Counts what the end of a model gives back; -1 takes that back."""
        size = tenant.size
        if tenant.site is site:
            promised, used = gains(tenant)
            self.promised -= sign * promised
            self.used -= sign * used
        if tenant.endpoint.spec.backend == self.backend:
            self.backend_bytes -= sign * size
            self.places -= sign


def gains(tenant: Tenant) -> tuple[int, int]:
    """What the end of a model gives back: of promises, and of measured use, of which nobody knows the part that has
    not been seen yet. Where nobody measures use, the promise is all there is.
    """
    holding, pool = tenant.holding, tenant.site.pool
    if holding is None or pool is None:
        return 0, 0
    return holding.bytes, holding.bytes if pool.used is None else holding.known


class Ground:
    """A pool as one load finds it: room now, and what is on its way back."""

    __slots__ = ("coming", "coming_used", "measured", "pressed", "room", "unpromised", "unused")

    def __init__(self, site: Site, now: float, tenant: Tenant | None = None) -> None:
        pool = site.pool
        self.measured = pool is not None and pool.total is not None
        self.unpromised = self.unused = self.coming = self.coming_used = 0
        self.pressed = False
        self.room: Room | None = None
        if pool is None or pool.total is None:
            return
        self.room = room = pool.room(now)
        self.pressed = room.pressure is Pressure.CRITICAL
        self.unpromised, self.unused = room.unpromised, room.unused
        self.coming, self.coming_used = room.returning, room.occupied
        for other in site.tenants.values():
            if other.leaving and other is not tenant:
                promised, used = gains(other)
                self.coming += promised
                self.coming_used += used
        if tenant is not None and (own := tenant.holding) is not None:
            # Its backend is loading it already; what it holds is for the very load.
            self.unpromised += own.bytes
            self.unused += own.bytes if own.unseen else 0


def missing(scene: Scene, ground: Ground, *, returned: bool) -> Shortfall:
    """`returned`: counting what is on its way out as gone."""
    tenant, quota = scene.tenant, scene.quota
    size = tenant.wanted_bytes
    promised = used = 0
    if ground.measured:
        rest = size + scene.claimed
        promised = rest - ground.unpromised - ground.coming
        used = rest - ground.unused - ground.coming_used
        if not returned:
            promised = max(promised, size - ground.unpromised)
            used = max(used, size - ground.unused)
    there = [t for t in scene.neighbours if t.present and t is not tenant and not (returned and t.leaving)]
    in_bytes = 0 if quota.memory is None else size + sum(other.size for other in there) - quota.memory
    places = 0 if quota.loaded is None else len(there) + 1 - quota.loaded
    return Shortfall(tenant.endpoint.spec.backend, promised, used, in_bytes, places)
