"""Fault drills: what runs, what came of the last ones, and what one would be."""

from collections.abc import Mapping

import msgspec

from orchestra_core.domain.drills import DrillPlan, DrillReport
from orchestra_tui.engine import Engine

PATH = "/api/v1/drills"


class Drills(msgspec.Struct, frozen=True):
    """`running` has also those whose endpoint is recovering; `reports` are newest first."""

    running: tuple[DrillReport, ...] = ()
    reports: tuple[DrillReport, ...] = ()

    @property
    def every(self) -> tuple[DrillReport, ...]:
        return (*self.running, *self.reports)


async def drills(engine: Engine) -> Drills:
    """Raises EngineError."""
    return await engine.get(PATH, Drills)


async def planned(engine: Engine, wish: Mapping[str, object]) -> DrillPlan:
    """What it would be; nothing begins. Raises EngineError."""
    return await engine.post(PATH, {**wish, "dry_run": True}, DrillPlan)
