"""What an engine does by itself while it runs: housekeeping every second, and looking for local servers."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import httpx

from orchestra_core.config import BackendSettings, DiscoverySettings
from orchestra_core.engine.members import Members
from orchestra_core.resilience.shedding import Shedding
from orchestra_core.server.listener import Listener
from orchestra_core.upstream.discovery import discover

if TYPE_CHECKING:
    from orchestra_core.engine.build import Engine

DISCOVERY_SECONDS = 30.0


class Housekeeping:
    """Once a second, each step by itself: memory and what follows from it, breakers whose time has come, clients that
    wait, probes, drills, what is drained or stale.
    """

    def __init__(self, engine: "Engine", listener: Listener) -> None:
        self._engine = engine
        self._listener = listener
        self._shedding = Shedding()
        self._steps = {
            "looking at the memory": self._look_at_memory,
            "foresight": engine.loading.forecasting.tick,
            "residency": engine.loading.residencies.tick,
            "refreshing breakers": self._refresh_breakers,
            "patience with those that wait": engine.pipeline.tick,
            "accounting": engine.accounts.tick,
            "counting traffic": engine.traffic.tick,
            "looking at what is drained": engine.steering.look,
            "looking for stale backends": self._expire,
            "probing": engine.probing.look,
            "forgetting addresses": self._forget_addresses,
            "looking at drills": engine.drills.look,
        }

    async def run(self) -> None:
        while True:
            self._engine.supervisor.take(self._steps)
            await asyncio.sleep(1)

    def _look_at_memory(self) -> None:
        engine, host = self._engine, self._engine.host.sample()
        share = host.used / host.total if host.total else 0.0
        self._shedding.update(share, engine.loading.memory.sample(engine.clock.monotonic()))
        engine.pipeline.planning.least = self._shedding.least
        self._listener.relieve(share, closed=self._shedding.closed)

    def _refresh_breakers(self) -> None:
        for endpoint, circuit in self._engine.lanes.refresh(self._engine.clock.monotonic()):
            self._engine.tidings.circuit_changed(endpoint, circuit, "time for a probe")

    def _expire(self) -> None:
        now = self._engine.clock.monotonic()
        for member in self._engine.members:
            member.monitor.expire(now)

    def _forget_addresses(self) -> None:
        self._engine.execution.forget({endpoint.id for endpoint in self._engine.catalog.all})


async def keep_discovering(
    client: httpx.AsyncClient,
    members: Members,
    own_port: int,
    settings: Callable[[], DiscoverySettings],
    begin: Callable[[BackendSettings, str], Awaitable[None]],
) -> None:
    """Joins model servers found on their usual local ports, while the configuration wants that."""
    while True:
        wanted = settings()
        if not wanted.enabled:
            await asyncio.sleep(1)
            continue
        for found in await discover(client, extra=wanted.ports, skip={own_port, *members.local_ports()}):
            if found.name not in members.names():
                await begin(BackendSettings(name=found.name, kind=found.kind, url=found.url), "discovered")
        await asyncio.sleep(DISCOVERY_SECONDS)
