"""Where each part of a snapshot comes from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from orchestra_core import __version__
from orchestra_core.background.snapshots import Snapshots, Sources
from orchestra_core.domain.snapshot import Totals
from orchestra_core.engine.foresight import seen
from orchestra_core.engine.memory import NOWHERE

if TYPE_CHECKING:
    from orchestra_core.engine.build import Engine


def picture(engine: Engine, *, simulated: bool) -> Snapshots:
    """To be called when everything that is shown is there."""
    clock, catalog, loading, members = engine.clock, engine.catalog, engine.loading, engine.members
    drills, intake, hub, ended = engine.drills, engine.intake, engine.hub, engine.traffic.ended

    def totals() -> Totals:
        return ended.totals(
            clock.monotonic(),
            inflight=sum(endpoint.inflight for endpoint in catalog.all),
            waiting=sum(endpoint.waiting for endpoint in catalog.all),
        )

    def notices() -> list[str]:
        standing = (*intake.notices(), *drills.notices(), *members.drained())
        found = [*standing, *engine.config.notes, *loading.memory.notices(engine.config.backends)]
        return found if catalog.all else [*found, members.why_nothing()]

    sources = Sources(
        endpoints=lambda: catalog.all,
        backends=members.views,
        breakers=engine.lanes.views,
        totals=totals,
        throughput=lambda: ended.throughput(clock.monotonic()),
        events=lambda: hub.recent,
        happened=lambda: hub.published,
        host=engine.host.view,
        engine_memory=engine.host.own,
        database=lambda: engine.tidings.database,
        address=lambda: engine.address,
        notices=notices,
        loop=lambda: (engine.watchdog.lag, engine.watchdog.stalls),
        queues=engine.lanes.queues,
        pools=lambda: loading.memory.view(clock.monotonic()),
        alerts=lambda: engine.alerts.views,
        foresight=lambda: seen(loading.forecasting, clock.monotonic()),
        currency=lambda: engine.config.accounting.currency,
        budgets=engine.pipeline.purse.views,
        cache=engine.answers.view,
        drills=lambda: drills.views,
        standing=intake.standing,
        frees=loading.memory.frees,
        place=lambda key: loading.memory.places.get(key, NOWHERE),
    )
    return Snapshots(sources, clock, __version__, os.getpid(), simulated=simulated)
