"""Where each part of a snapshot comes from."""

import os
from collections.abc import Callable

from orchestra_core import __version__
from orchestra_core.background.hub import Hub
from orchestra_core.background.memory import HostMemory
from orchestra_core.background.snapshots import Snapshots, Sources
from orchestra_core.background.watchdog import Watchdog
from orchestra_core.clock import Clock
from orchestra_core.config import Config
from orchestra_core.domain.budgets import BudgetView
from orchestra_core.domain.caching import CacheView
from orchestra_core.domain.snapshot import Throughput, Totals
from orchestra_core.engine.alerts import Alerts
from orchestra_core.engine.drills import Drills
from orchestra_core.engine.foresight import seen
from orchestra_core.engine.loading import Loading
from orchestra_core.engine.members import Members
from orchestra_core.engine.memory import NOWHERE
from orchestra_core.engine.tidings import Tidings
from orchestra_core.pipeline.lanes import Lanes
from orchestra_core.routing.catalog import Catalog
from orchestra_core.telemetry.ended import Ended


def picture(
    *,
    clock: Clock,
    catalog: Catalog,
    members: Members,
    lanes: Lanes,
    hub: Hub,
    host: HostMemory,
    loading: Loading,
    tidings: Tidings,
    watchdog: Watchdog,
    ended: Ended,
    alerts: Alerts,
    drills: Drills,
    config: Callable[[], Config],
    address: Callable[[], str],
    budgets: Callable[[], tuple[BudgetView, ...]],
    cache: Callable[[], CacheView],
    simulated: bool,
) -> Snapshots:
    def totals() -> Totals:
        return ended.totals(
            clock.monotonic(),
            inflight=sum(endpoint.inflight for endpoint in catalog.all),
            waiting=sum(endpoint.waiting for endpoint in catalog.all),
        )

    def throughput() -> Throughput:
        return ended.throughput(clock.monotonic())

    def notices() -> list[str]:
        found = [*drills.notices(), *config().notes, *members.drained(), *loading.memory.notices()]
        return found if catalog.all else [*found, members.why_nothing()]

    sources = Sources(
        endpoints=lambda: catalog.all,
        backends=members.views,
        breakers=lanes.views,
        totals=totals,
        throughput=throughput,
        events=lambda: hub.recent,
        happened=lambda: hub.published,
        host=host.view,
        engine_memory=host.own,
        database=lambda: tidings.database,
        address=address,
        notices=notices,
        loop=lambda: (watchdog.lag, watchdog.stalls),
        queues=lanes.queues,
        pools=lambda: loading.memory.view(clock.monotonic()),
        alerts=lambda: alerts.views,
        foresight=lambda: seen(loading.forecasting, clock.monotonic()),
        currency=lambda: config().accounting.currency,
        budgets=budgets,
        cache=cache,
        drills=lambda: drills.views,
        place=lambda key: loading.memory.places.get(key, NOWHERE),
    )
    return Snapshots(sources, clock, __version__, os.getpid(), simulated=simulated)
