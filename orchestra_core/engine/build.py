"""Wires everything, in diagram order; every collaborator is a constructor argument."""

import asyncio
import contextlib
import os
import random
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import httpx

from orchestra_core import __version__
from orchestra_core.background.hub import Hub
from orchestra_core.background.memory import HostMemory
from orchestra_core.background.residency import Residencies
from orchestra_core.background.snapshots import Snapshots, Sources
from orchestra_core.background.supervisor import Supervisor
from orchestra_core.clock import Clock
from orchestra_core.config import BackendSettings, Config
from orchestra_core.domain.call import Call
from orchestra_core.domain.catalog import Circuit, Endpoint
from orchestra_core.domain.errors import ConfigError, OrchestraError
from orchestra_core.domain.outcome import Outcome, Verdict
from orchestra_core.domain.snapshot import Throughput, Totals
from orchestra_core.engine.keys import Keys
from orchestra_core.engine.members import Member, Members
from orchestra_core.pipeline.chain import Chain
from orchestra_core.pipeline.completion import Completion
from orchestra_core.pipeline.lanes import Lanes
from orchestra_core.pipeline.placement import Placement
from orchestra_core.pipeline.planning import Planning
from orchestra_core.pipeline.service import Service
from orchestra_core.resilience.breaker import Breaker, Policy
from orchestra_core.routing.catalog import Catalog
from orchestra_core.server.connection import Handler
from orchestra_core.server.gate import Gate, Rules
from orchestra_core.server.journal import Access, Audit, Journal
from orchestra_core.server.listener import Listener
from orchestra_core.server.ports import Ports
from orchestra_core.server.routes import Routes
from orchestra_core.storage.ledger import Ledger
from orchestra_core.telemetry.metrics import Metrics, prometheus
from orchestra_core.telemetry.window import Latencies, Series
from orchestra_core.trust.hosts import is_loopback
from orchestra_core.upstream.discovery import discover
from orchestra_core.upstream.embedded import NAME, embedded_model
from orchestra_core.upstream.execution import Execution
from orchestra_core.upstream.launch import ManagedModel
from orchestra_core.upstream.managed import Managed

DISCOVERY_SECONDS = 30.0
GRACE_SECONDS = 10.0
_NO_KEYS = (
    "listening on {host} lets other machines in, so it needs an API key first: `ai-orchestra keys create NAME` makes "
    "one in the database, [[keys]] declares one in the configuration; 127.0.0.1 needs none"
)


class Engine:
    """One engine: `start`, then it serves until `stop`. All of it lives on one event loop."""

    def __init__(self, config: Config, clock: Clock, *, simulated: bool) -> None:
        self.config = config
        self.clock = clock
        self.stopping = asyncio.Event()
        self._simulated = simulated
        self._loop = asyncio.get_running_loop()
        rng = random.Random()
        ids = count(1)
        boot = int(clock.wall() * 1000)

        self.hub = Hub(clock)
        self.supervisor = Supervisor()
        self.catalog = Catalog()
        self.memory = HostMemory(config.alerts.memory_warning, config.alerts.memory_critical)
        self.client = httpx.AsyncClient(timeout=httpx.Timeout(30, connect=5), trust_env=False)
        self.members = Members(
            clock=clock,
            catalog=self.catalog,
            client=self.client,
            overrides=config.models,
            say=self.hub.publish,
            host_memory=self.memory.view,
            thresholds=(config.alerts.memory_warning, config.alerts.memory_critical),
            make_managed=self._managed,
        )
        self.residencies = Residencies(
            clock=clock,
            serving=self.catalog.serving,
            beside=self.catalog.of,
            loader=self.members.control,
            free=self.members.free_memory,
            start=self.supervisor.start,
            say=self.hub.publish,
            looked=self.members.suspect,
        )

        self.gate = Gate(_rules(config), clock)
        self.metrics = Metrics()
        self.series = Series()
        self.latencies = Latencies()
        self.first_tokens = Latencies()
        self._database = "connected"
        self.ledger = Ledger(config.storage.url, clock, self._ledger_problem)

        self.lanes = Lanes(clock, lambda now: Breaker(Policy(), rng, now))
        self.execution = Execution(self.members.locate, self.members.defaults)
        placement = Placement(
            self.lanes, self.execution, clock, self.residencies.ensure_ready, self._circuit_changed
        )
        chain = Chain(placement, self.catalog.get, config.fallbacks, self._failed_over)
        completion = Completion(
            clock=clock,
            find=self.catalog.get,
            metrics=self.metrics,
            series=self.series,
            latencies=self.latencies,
            first_tokens=self.first_tokens,
            record=self.ledger.record,
            failed=self._failed,
            spent=self.gate.spent,
        )
        planning = Planning(self.catalog, clock, self.lanes.retry_at, self.members.why_nothing)
        self.service = Service(planning, chain, completion, clock)

        self.snapshots = Snapshots(
            Sources(
                endpoints=lambda: self.catalog.all,
                backends=self.members.views,
                breakers=self.lanes.views,
                totals=self._totals,
                throughput=self._throughput,
                events=lambda: self.hub.recent,
                host=self.memory.view,
                engine_memory=self.memory.own,
                database=lambda: self._database,
                address=lambda: self.address,
                notices=self._notices,
            ),
            clock,
            __version__,
            os.getpid(),
            simulated=simulated,
        )
        self.keys = Keys(self.gate, self.ledger, clock, config.keys)
        self.audit = Journal(config.paths.state_dir / "audit.log", self._journal_problem)
        self.access: Access | None = None
        self.routes = Routes(
            Ports(
                clock=clock,
                next_id=lambda: f"req-{boot:x}-{next(ids):06x}",
                answer=self.service,
                plan=planning,
                snapshot=self.snapshots.current,
                metrics_text=lambda: prometheus(self.snapshots.current(), self.metrics),
                events=lambda interval: self.hub.subscribe(interval, self.snapshots.current),
                operate=self.residencies.operate,
                shutdown=self.stopping.set,
                keys=self.keys,
            ),
            self.gate,
            Audit(self.audit, clock),
        )
        self.listener: Listener | None = None
        self.address = ""

    # -- start and stop --------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listens first, so that whoever waits sees progress; then opens the ledger and joins the backends."""
        settings = self.config.server
        # Before anything listens: an engine that does not know its keys yet would let everybody in.
        self.keys.load()
        if not is_loopback(settings.host) and not any(key.revoked is None for key in self.gate.keys):
            raise ConfigError(_NO_KEYS.format(host=settings.host))
        self.listener = Listener(self._handler(), clock=self.clock, next_id=self.routes.next_id)
        port = await self.listener.tcp(settings.host, settings.port)
        self.gate.listening(port)
        self.address = f"http://{f'[{settings.host}]' if ':' in settings.host else settings.host}:{port}"
        await self.listener.unix(Path(settings.socket))
        self.ledger.open()
        for ended in await asyncio.to_thread(Managed.end_orphans, self.config.paths.state_dir):
            self.hub.publish(
                "engine.orphan", "engine", f"ended a child of a crashed engine: {ended}", "warning"
            )
        self.supervisor.keep(self._tick, "housekeeping")
        self.supervisor.keep(self._note_keys, "when keys were used")
        self.hub.publish("engine.started", "engine", f"{self.address} and {settings.socket}")
        await asyncio.gather(*(self._begin(backend, "configured") for backend in self.config.backends))
        if self.config.discovery.enabled and not self._simulated:
            self.supervisor.keep(self._discover, "discovery")

    def _handler(self) -> Handler:
        """The routes, with the access log around them where there is one."""
        self._prepare(self.audit)
        path = self.config.logging.access
        if path is None:
            return self.routes
        journal = Journal(path, self._journal_problem)
        self._prepare(journal)
        self.access = Access(journal, self.clock, self.routes)
        return self.access

    def _prepare(self, journal: Journal) -> None:
        try:
            journal.prepare()
        except OSError as error:
            raise ConfigError(f"{journal.path} cannot be written: {error.strerror}") from error

    async def _begin(self, settings: BackendSettings, origin: str) -> None:
        member = self.members.join(settings, origin=origin, simulated=self._simulated)
        await member.monitor.look()
        self.supervisor.keep(member.monitor.run, f"monitor of {settings.name}")
        if settings.embedded:
            self._preload(member)

    def _preload(self, member: Member) -> None:
        """The embedded model is loaded at once: a first answer should not wait for it."""
        for endpoint in self.catalog.of(member.settings.name):
            self.residencies.operate("load", endpoint.spec.model, member.settings.name)

    async def stop(self) -> None:
        """Refuses new work, lets what runs finish for a while, then ends everything; nothing recorded is lost."""
        self.hub.publish("engine.stopping", "engine", "stopping")
        self.hub.close()
        if self.listener is not None:
            self.listener.stop_accepting()
            deadline = self._loop.time() + GRACE_SECONDS
            while any(e.inflight for e in self.catalog.all) and self._loop.time() < deadline:  # noqa: ASYNC110  once
                await asyncio.sleep(0.05)
            await self.listener.close()
        if self.access is not None:
            self.access.close()
        await self.supervisor.close()
        self.execution.close()
        await self.members.close()
        await self.client.aclose()
        with contextlib.suppress(OrchestraError):
            await self.keys.note_used()
        await self.ledger.close()

    # -- loops -----------------------------------------------------------------------------------------

    async def _tick(self) -> None:
        """Once a second: memory, and breakers whose time has come."""
        while True:
            self.memory.sample()
            if self.listener is not None:
                host = self.memory.view()
                self.listener.relieve(host.used / host.total if host.total else 0.0)
            for endpoint, circuit in self.lanes.refresh(self.clock.monotonic()):
                self._circuit_changed(endpoint, circuit, "time for a probe")
            await asyncio.sleep(1)

    async def _note_keys(self) -> None:
        """Once a minute, when each key was used last."""
        while True:
            await asyncio.sleep(60)
            with contextlib.suppress(OrchestraError):
                await self.keys.note_used()

    async def _discover(self) -> None:
        """Joins model servers found on their usual local ports."""
        while True:
            own = int(self.address.rpartition(":")[2])
            extra = self.config.discovery.ports
            for found in await discover(self.client, extra=extra, skip={own, *self.members.local_ports()}):
                if found.name not in self.members.names():
                    settings = BackendSettings(name=found.name, kind=found.kind, url=found.url)
                    await self._begin(settings, "discovered")
            await asyncio.sleep(DISCOVERY_SECONDS)

    # -- what the parts tell ---------------------------------------------------------------------------

    def _managed(self, settings: BackendSettings) -> Managed:
        paths = self.config.paths
        given = {
            name: value for name in ("context", "parallel") if (value := getattr(settings, name)) is not None
        }
        if settings.embedded:
            models = {NAME: embedded_model(paths.cache_dir, **given)}
        else:
            models = {name: ManagedModel(path=Path(file), **given) for name, file in settings.files.items()}
            models |= {name: ManagedModel(**given) for name in settings.models if name not in models}

        def exited(model: str, code: int, lines: Sequence[str]) -> None:
            last = lines[-1] if lines else "nothing in its log"
            self.hub.publish(
                "model.failed", f"{settings.name}/{model}", f"its process ended ({code}): {last}", "error"
            )
            self.members.suspect(settings.name)

        return Managed(
            settings.name,
            models,
            command=settings.command,
            runtime_dir=paths.runtime_dir,
            state_dir=paths.state_dir,
            on_exit=exited,
        )

    def _circuit_changed(self, endpoint: Endpoint, circuit: Circuit, why: str) -> None:
        endpoint.circuit = circuit
        level = {Circuit.OPEN: "error", Circuit.HALF_OPEN: "warning"}.get(circuit, "info")
        self.hub.publish(f"breaker.{circuit}", endpoint.id, why or "", level)
        if circuit is Circuit.OPEN:
            self.members.suspect(endpoint.spec.backend)

    def _failed_over(self, call: Call, outcome: Outcome, to: str) -> None:
        self.metrics.failed_over()
        self.hub.publish(
            "request.failover", call.id, f"{outcome.endpoint} -> {to}: {outcome.message}", "warning"
        )
        if outcome.verdict in (Verdict.UNREACHABLE, Verdict.DROPPED):
            self.members.suspect(outcome.endpoint.partition("/")[0])

    def _failed(self, call: Call, outcome: Outcome) -> None:
        self.hub.publish(
            "request.failed", call.id, f"{outcome.endpoint}: {outcome.verdict}: {outcome.message}", "error"
        )

    def _ledger_problem(self, problem: str) -> None:
        """Called from the writer's thread."""
        self._loop.call_soon_threadsafe(self._tell_ledger, problem)

    def _tell_ledger(self, problem: str) -> None:
        self._database = f"unavailable: {problem}" if problem else "connected"
        self.hub.publish(
            "engine.ledger", "ledger", problem or "records are written again", "error" if problem else "info"
        )

    def _journal_problem(self, problem: str) -> None:
        self.hub.publish("engine.journal", "journal", problem, "error")

    def _notices(self) -> list[str]:
        notices = list(self.config.notes)
        if not self.catalog.all:
            notices.append(self.members.why_nothing())
        return notices

    def _throughput(self) -> Throughput:
        return self.series.view(int(self.clock.monotonic()))

    def _totals(self) -> Totals:
        now = self.clock.monotonic()
        return self.metrics.totals(
            now,
            inflight=sum(endpoint.inflight for endpoint in self.catalog.all),
            waiting=sum(endpoint.waiting for endpoint in self.catalog.all),
            series=self.series,
            latencies=self.latencies,
            first_tokens=self.first_tokens,
        )


def _rules(config: Config) -> Rules:
    """What the gate has to know of the configuration."""
    server, limits = config.server, config.limits
    return Rules(
        host=server.host,
        allowed_hosts=server.allowed_hosts,
        cors_origins=server.cors_origins,
        require_key=server.require_key,
        requests_per_minute=limits.requests_per_minute,
        tokens_per_minute=limits.tokens_per_minute,
    )
