"""Wires everything, in diagram order; every collaborator is a constructor argument."""

import asyncio
import contextlib
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx

from orchestra_core.background.hub import Hub
from orchestra_core.background.memory import HostMemory
from orchestra_core.background.probing import Probing
from orchestra_core.background.supervisor import Supervisor
from orchestra_core.background.watchdog import Watchdog
from orchestra_core.clock import Clock
from orchestra_core.config import BackendSettings, Config
from orchestra_core.domain.call import Call
from orchestra_core.domain.catalog import Endpoint, ModelInfo
from orchestra_core.domain.errors import OrchestraError
from orchestra_core.domain.outcome import Outcome
from orchestra_core.engine.accounting import Accounts
from orchestra_core.engine.alerts import Alerts
from orchestra_core.engine.answers import Answers
from orchestra_core.engine.beside import Beside
from orchestra_core.engine.checkup import checkup
from orchestra_core.engine.drills import drills
from orchestra_core.engine.intake import Intake
from orchestra_core.engine.journals import Journals
from orchestra_core.engine.keys import Keys
from orchestra_core.engine.loading import Loading
from orchestra_core.engine.loops import Housekeeping, keep_discovering
from orchestra_core.engine.managed import end_orphans, make_managed
from orchestra_core.engine.members import Member, Members
from orchestra_core.engine.picture import picture
from orchestra_core.engine.ports import ports
from orchestra_core.engine.recorder import flight_recorder
from orchestra_core.engine.reload import Reload
from orchestra_core.engine.restarts import restarts
from orchestra_core.engine.running import Running
from orchestra_core.engine.sections import register, retries, rules, timeouts, whole
from orchestra_core.engine.steering import Steering
from orchestra_core.engine.stopping import Stopping
from orchestra_core.engine.tidings import Tidings, with_lanes
from orchestra_core.engine.traffic import Traffic
from orchestra_core.pipeline.assembly import Pipeline
from orchestra_core.pipeline.lanes import Lanes
from orchestra_core.pipeline.planning import Fallbacks
from orchestra_core.pipeline.suspicion import Suspicion
from orchestra_core.resilience.admission import Room
from orchestra_core.resilience.breaker import Breaker
from orchestra_core.resilience.policy import Policy
from orchestra_core.routing.catalog import Catalog
from orchestra_core.server.gate import Gate
from orchestra_core.server.listener import Listener
from orchestra_core.server.routes import Routes
from orchestra_core.upstream.dialing import Dialer
from orchestra_core.upstream.execution import Execution
from orchestra_core.upstream.guarded import Guarded
from orchestra_core.upstream.managed import Managed
from orchestra_core.upstream.silence import Silence

_FLUSH_SECONDS = 0.5


class Engine:
    """One engine: `start`, then it serves until `stop`. All of it lives on one event loop."""

    def __init__(self, config: Config, clock: Clock, read: Callable[[], Config], *, simulated: bool) -> None:
        self.clock = clock
        self._simulated = simulated
        rng = random.Random()
        self.hub = Hub(clock)
        self.supervisor = Supervisor()
        self.watchdog = Watchdog(clock, self.hub.publish)
        self.catalog = Catalog()
        self.host = HostMemory(config.alerts.memory_warning, config.alerts.memory_critical)
        self.client = httpx.AsyncClient(
            timeout=httpx.Timeout(30, connect=5),
            trust_env=False,
            transport=Guarded(Dialer(asyncio.get_running_loop())),
        )
        # Members and what is loaded on them need each other, hence the lambdas: names looked up when used.
        self.tidings = Tidings(
            self.hub.publish,
            lambda name: self.members.suspect(name),  # noqa: PLW0108  made below
            asyncio.get_running_loop(),
        )
        self.gate = Gate(rules(config), clock)
        self.traffic = Traffic(clock, self.catalog)
        self.accounts = Accounts(
            config,
            clock=clock,
            catalog=self.catalog,
            ended=self.traffic.ended.add,
            gate=self.gate,
            tidings=self.tidings,
            members=lambda: self.members,
        )
        self.ledger = self.accounts.ledger
        self.loading = Loading(
            config,
            clock=clock,
            catalog=self.catalog,
            host=self.host,
            ledger=self.ledger,
            supervisor=self.supervisor,
            control=lambda name: self.members.control(name),  # noqa: PLW0108  made below
            suspect=lambda name: self.members.suspect(name),  # noqa: PLW0108  made below
            predict=lambda: self.config.memory.predict,
            say=self.hub.publish,
            gpu_changed=self.tidings.from_thread,
            simulated=simulated,
        )
        self.memory = self.loading.memory
        self.members = Members(
            clock=clock,
            catalog=self.catalog,
            client=self.client,
            overrides=config.models,
            say=self.hub.publish,
            host_memory=self.host.view,
            thresholds=(config.alerts.memory_warning, config.alerts.memory_critical),
            make_managed=lambda settings, wished: make_managed(
                settings,
                wished,
                config.paths,
                self.hub.publish,
                self.members.suspect,
                self.loading.residencies.died,
            ),
            returned=lambda backend: self.probing.returned(backend),  # noqa: PLW0108  made below
            listed=self._listed,
            left=lambda gone: self.memory.left(gone, clock.monotonic()),
            away=lambda away: self.memory.away(away, clock.monotonic()),
            stays=self.memory.stays,
            prices=self.accounts.prices,
        )

        room = Room(config.queue.total, config.queue.per_slot)
        self.lanes = Lanes(clock, lambda now: Breaker(Policy(), rng, now), room)
        self.execution = Execution(
            self.members.locate,
            self.members.defaults,
            timeouts=timeouts(config),
            keep=config.resilience.continuation,
            retry_non_idempotent=config.resilience.retry_non_idempotent,
        )
        self.pipeline = Pipeline(
            catalog=self.catalog,
            clock=clock,
            lanes=self.lanes,
            execute=self.execution,
            ensure_ready=self.loading.residencies.ensure_ready,
            complete=self.accounts.completion,
            nothing=self.members.why_nothing,
            circuit_changed=self.tidings.circuit_changed,
            misconfigured=self.tidings.misconfigured,
            failed_over=self._failed_over,
            rng=rng,
            fallbacks=Fallbacks(config.fallbacks, config.model_fallbacks),
            queue_seconds=config.queue.seconds,
            retries=retries(config),
            whole=whole(config),
            begin=self.accounts.announcing,
            book=self.accounts.budgets.book,
        )

        self.alerts = self._watching(config)
        self.running, self.drills = self._running(), drills(self, config.paths.state_dir)
        self._operators_side(config, read)
        self.snapshots = picture(self, simulated=simulated)
        self.beside = Beside(clock, self.traffic.series, self.accounts.reports)
        self.recorder = flight_recorder(self)
        self.journals = Journals(config, clock, self.tidings.journal_problem)
        self.routes = Routes(ports(self), self.gate, self.journals.audit)
        self.listener: Listener | None = None
        self.address = ""

    def _watching(self, config: Config) -> Alerts:
        return Alerts(
            config,
            clock=self.clock,
            client=self.client,
            supervisor=self.supervisor,
            say=self.hub.publish,
            snapshot=lambda: self.snapshots.current(),  # noqa: PLW0108  made below
            ledger=self.ledger,
        )

    def _running(self) -> Running:
        self.execution.silence = Silence(Suspicion(self.catalog.get, self.clock))
        return Running(
            clock=self.clock,
            service=self.pipeline.service,
            patience=self.pipeline.patience,
            execution=self.execution,
            names=lambda: {key.id: key.name for key in self.gate.keys},
            say=self.hub.publish,
        )

    def _operators_side(self, config: Config, read: Callable[[], Config]) -> None:
        turned = with_lanes(self.lanes, self.clock, self.tidings.circuit_changed)
        self.probing = Probing(
            clock=self.clock,
            endpoints=lambda: self.catalog.all,
            guard=self.lanes.of,
            execute=self.execution,
            start=self.supervisor.start,
            changed=turned,
        )
        self.steering = Steering(
            clock=self.clock,
            catalog=self.catalog,
            lanes=self.lanes,
            members=self.members,
            circuit_changed=turned,
            say=self.hub.publish,
        )
        self.checkup = checkup(self)
        self.restarts = restarts(self)
        self.reload = Reload(
            config,
            read,
            members=self.members,
            begin=self._begin,
            watch=self._watch,
            supervisor=self.supervisor,
            say=self.hub.publish,
        )
        told = self.accounts.completion
        self.answers = Answers(self.pipeline, told, self.clock, lambda: self.config, self.hub.publish)
        self.stopping = Stopping(
            self.hub,
            lambda: self.config.server.grace_seconds,
            self.execution.interrupt,
            self.pipeline.service.end,
        )
        self.intake = Intake(
            self.clock,
            self.stopping.hold,
            self.hub.publish,
            server=lambda: self.config.server,
            read_only=config.server.read_only,
        )
        tell = (self._keys_changed, self.hub.publish)
        self.keys = Keys(self.gate, self.ledger, self.clock, config.keys, self.supervisor, *tell)
        self._register()

    def _register(self) -> None:
        """Who takes what of a new configuration."""
        register(
            self.reload,
            pipeline=self.pipeline,
            members=self.members,
            host=self.host,
            memory=self.memory,
            gate=self.gate,
            keys=self.keys,
            execution=self.execution,
            accounts=self.accounts,
            alerts=self.alerts,
        )

    @property
    def config(self) -> Config:
        """What is in effect."""
        return self.reload.current

    # -- start and stop --------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listens first, so that whoever waits sees progress; then opens the ledger and joins the backends."""
        settings = self.config.server
        # Before anything listens: an engine that does not know its keys yet would let everybody in.
        self.keys.load()
        self.keys.require(settings.host)
        self.listener = Listener(
            self.journals.around(self.routes),
            clock=self.clock,
            next_id=self.routes.next_id,
            invites=self.routes.invites,
        )
        port = await self.listener.tcp(settings.host, settings.port)
        self.gate.listening(port)
        self.address = f"http://{f'[{settings.host}]' if ':' in settings.host else settings.host}:{port}"
        await self.listener.unix(Path(settings.socket))
        self.accounts.open(self.supervisor)
        await self.loading.start()
        await end_orphans(self.config.paths, self.hub.publish)
        self.answers.start(self.supervisor)
        self.supervisor.keep(Housekeeping(self, self.listener).run, "housekeeping")
        self.alerts.start()
        self.recorder.start(self.supervisor)
        self.beside.start(self.supervisor)
        self.supervisor.keep(self.keys.keep_noting, "when keys were used")
        self.hub.publish("engine.started", "engine", f"{self.address} and {settings.socket}")
        await asyncio.gather(*(self._begin(backend, "configured") for backend in self.config.backends))
        if not self._simulated:
            self.supervisor.keep(self._discover, "discovery")

    async def _begin(self, settings: BackendSettings, origin: str) -> None:
        member = self.members.join(settings, origin=origin, simulated=self._simulated)
        try:
            await self.members.look(member)
        finally:
            self._watch(member)
        if settings.embedded:
            self._preload(member)

    def _listed(self, member: Member, found: Sequence[tuple[Endpoint, ModelInfo]]) -> None:
        self.memory.listed(member.settings, found, self.clock.monotonic(), simulated=member.simulated)

    def _watch(self, member: Member) -> None:
        member.watch = self.supervisor.keep(member.monitor.run, f"monitor of {member.settings.name}")

    def _preload(self, member: Member) -> None:
        """The embedded model is loaded at once: a first answer should not wait for it."""
        for endpoint in self.catalog.of(member.settings.name):
            try:
                self.loading.orders("load", endpoint.spec.model, member.settings.name)
            except OrchestraError as error:
                self.hub.publish("model.refused", endpoint.id, error.message, "warning")

    async def stop(self) -> None:
        """Refuses new work, lets what runs finish for a while, then ends everything; nothing recorded is lost."""
        self.drills.close()
        if self.listener is not None:
            await self.stopping.finish(self.listener)
        await self.recorder.close()
        self.hub.close()
        self.journals.close()
        await self.supervisor.close()
        self.drills.conclude()
        self.alerts.close()
        self.watchdog.close()
        self.loading.close()
        self.execution.close()
        await self.members.close()
        await self.client.aclose()
        await self.answers.close()
        with contextlib.suppress(OrchestraError):
            await self.keys.note_used()
        await self.ledger.close()

    def abandon(self) -> None:
        """Ends the children and stores what is recorded, without waiting for anybody; the process must exit now."""
        Managed.end_children(self.config.paths.state_dir)
        self.ledger.flush(_FLUSH_SECONDS)

    async def _discover(self) -> None:
        own = int(self.address.rpartition(":")[2])
        await keep_discovering(self.client, self.members, own, lambda: self.config.discovery, self._begin)

    # -- what the parts tell ---------------------------------------------------------------------------

    def _keys_changed(self) -> None:
        """Heads of requests hold keys, and streams that wait have to look whether they may go on."""
        if self.listener is not None:
            self.listener.forget_heads()
        self.hub.publish("keys.changed", "keys", "the API keys were changed")

    def _failed_over(self, call: Call, outcome: Outcome, to: str) -> None:
        self.traffic.metrics.failed_over()
        self.tidings.failed_over(call, outcome, to)
