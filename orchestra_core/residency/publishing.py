"""What the router and people are told of memory."""

from collections.abc import Iterable

from orchestra_core.domain.snapshot import PoolView
from orchestra_core.residency.planner import PERMANENT, cost_of, draft
from orchestra_core.residency.tenant import Site
from orchestra_core.residency.turn import Look


def publish(sites: Iterable[Site], scene: Look, now: float) -> None:
    """Sets `barred` and `external` of all endpoints that are absent and could be loaded."""
    for site in sites:
        for tenant in site.tenants.values():
            endpoint = tenant.endpoint
            if tenant.present or not endpoint.spec.loadable:
                endpoint.barred = None
                endpoint.external = 0.0
                continue
            found = draft(scene(tenant, now))
            plan = found.plan
            endpoint.barred = (plan.code, plan.reason) if plan.code in PERMANENT else None
            endpoint.external = cost_of((*found.evicts, *found.waits_for))


def view(sites: Iterable[Site], now: float) -> tuple[PoolView, ...]:
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
