"""What foresight is told and what it may do: it asks the scheduler for loads like anybody else, only last."""

from collections.abc import Callable

from orchestra_core.background.demand import Forecasting, Loads
from orchestra_core.clock import Clock
from orchestra_core.domain.catalog import Endpoint
from orchestra_core.domain.snapshot import ForesightView
from orchestra_core.engine.memory import Memory
from orchestra_core.residency.scheduler import Scheduler
from orchestra_core.routing.catalog import Catalog
from orchestra_core.storage.ledger import Ledger


def foresight(
    *,
    clock: Clock,
    catalog: Catalog,
    ledger: Ledger,
    scheduler: Scheduler,
    memory: Memory,
    enabled: Callable[[], bool],
    say: Callable[[str, str, str, str], None],
) -> Forecasting:
    def preload(endpoint: Endpoint) -> None:
        scheduler.want(endpoint, clock.monotonic(), speculative=True, evicting=True)

    return Forecasting(
        clock=clock,
        models=lambda: catalog.models,
        passed=ledger.passed,
        loads=Loads(
            plan=lambda endpoint: scheduler.plan(endpoint, clock.monotonic()),
            pressure=scheduler.pressure_at,
            preload=preload,
            withdraw=scheduler.unguess,
            ttl=memory.ttl,
        ),
        enabled=enabled,
        say=say,
    )


def seen(forecasting: Forecasting, now: float) -> tuple[ForesightView, ...]:
    """How well models were foretold, for people."""
    return tuple(
        ForesightView(
            model=one.model,
            preloads=one.preloads,
            hits=one.hits,
            wasted=round(one.wasted, 1),
            disabled=None if one.disabled_until is None else round(max(0.0, one.disabled_until - now), 1),
        )
        for one in forecasting.view()
    )
