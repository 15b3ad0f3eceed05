"""The engine as its surfaces see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra_core.engine.limits import Setting
from orchestra_core.server.ports import Ports
from orchestra_core.server.refusals import own_ids

if TYPE_CHECKING:
    from orchestra_core.engine.build import Engine


def ports(engine: Engine) -> Ports:
    """To be called when everything else of it is there."""
    return Ports(
        clock=engine.clock,
        next_id=own_ids(f"{int(engine.clock.wall() * 1000):x}"),
        answer=engine.accounts.overheard(engine.pipeline.service),
        recall=engine.accounts.overheard(engine.answers.answer),
        clear_cache=engine.answers.clear,
        plan=engine.pipeline.planning,
        snapshot=engine.snapshots.current,
        metrics_text=lambda: engine.traffic.prometheus(engine.snapshots.current()),
        events=lambda interval: engine.hub.subscribe(interval, engine.snapshots.current),
        still_welcome=engine.gate.still,
        operate=engine.loading.orders,
        shutdown=engine.stopping.ask,
        steer=engine.steering.backend,
        guard=engine.steering.guard,
        probe=engine.checkup,
        restart=engine.restarts,
        reload=engine.reload,
        refusing=engine.stopping.refusing,
        keys=engine.keys,
        budgets=engine.pipeline.purse.views,
        alerts=engine.alerts,
        audit=engine.journals.page,
        reports=engine.accounts.reports,
        limit=Setting(
            engine.accounts.limits,
            engine.pipeline.purse,
            lambda: engine.config.budgets,
            engine.hub.publish,
            engine.supervisor,
        ),
        series=engine.traffic.series,
        running=engine.running,
        recording=engine.recorder.since,
        drills=engine.drills,
        intake=engine.intake,
    )
