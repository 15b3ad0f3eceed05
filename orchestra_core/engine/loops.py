"""What an engine does by itself while it runs: housekeeping every second, and looking for local servers."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx

from orchestra_core.background.memory import HostMemory
from orchestra_core.background.probing import Probing
from orchestra_core.clock import Clock
from orchestra_core.config import BackendSettings, DiscoverySettings
from orchestra_core.domain.catalog import Circuit, Endpoint
from orchestra_core.engine.accounting import Accounts
from orchestra_core.engine.loading import Loading
from orchestra_core.engine.members import Members
from orchestra_core.engine.steering import Steering
from orchestra_core.engine.traffic import Traffic
from orchestra_core.pipeline.assembly import Pipeline
from orchestra_core.pipeline.lanes import Lanes
from orchestra_core.resilience.shedding import Shedding
from orchestra_core.server.listener import Listener
from orchestra_core.upstream.discovery import discover

DISCOVERY_SECONDS = 30.0


class Housekeeping:
    """Once a second: memory and what follows from it, breakers whose time has come, clients that wait, probes, what
    is drained or stale.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        host: HostMemory,
        loading: Loading,
        lanes: Lanes,
        members: Members,
        steering: Steering,
        probing: Probing,
        circuit_changed: Callable[[Endpoint, Circuit, str], None],
        pipeline: Pipeline,
        accounts: Accounts,
        traffic: Traffic,
    ) -> None:
        self._clock = clock
        self._host = host
        self._loading = loading
        self._shedding = Shedding()
        self._lanes = lanes
        self._members = members
        self._steering = steering
        self._probing = probing
        self._circuit_changed = circuit_changed
        self._pipeline = pipeline
        self._accounts = accounts
        self._traffic = traffic

    async def run(self, listener: Listener) -> None:
        while True:
            now = self._clock.monotonic()
            self._look_at_memory(listener, now)
            for endpoint, circuit in self._lanes.refresh(now):
                self._circuit_changed(endpoint, circuit, "time for a probe")
            self._pipeline.tick()
            self._accounts.tick()
            self._traffic.tick()
            self._steering.look()
            for member in self._members:
                member.monitor.expire(now)
            self._probing.look()
            await asyncio.sleep(1)

    def _look_at_memory(self, listener: Listener, now: float) -> None:
        host = self._host.sample()
        share = host.used / host.total if host.total else 0.0
        self._shedding.update(share, self._loading.memory.sample(now))
        self._pipeline.planning.least = self._shedding.least
        listener.relieve(share, closed=self._shedding.closed)
        self._loading.forecasting.tick()
        self._loading.residencies.tick()


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
