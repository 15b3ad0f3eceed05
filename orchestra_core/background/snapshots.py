"""Builds the frozen picture of the engine from the live parts, at most a few times a second."""

from collections.abc import Callable, Iterable, Sequence
from math import exp

import msgspec

from orchestra_core.clock import Clock, rfc3339
from orchestra_core.domain.alerts import AlertView
from orchestra_core.domain.budgets import BudgetView
from orchestra_core.domain.caching import CacheView
from orchestra_core.domain.catalog import Circuit, Endpoint, Residency
from orchestra_core.domain.drills import DrillView
from orchestra_core.domain.events import Event
from orchestra_core.domain.memory import Rule
from orchestra_core.domain.price import view as price_view
from orchestra_core.domain.snapshot import (
    BackendView,
    BreakerView,
    EnvironmentView,
    ForesightView,
    MemoryView,
    ModelView,
    PoolView,
    QueueView,
    Snapshot,
    Throughput,
    Totals,
)

FRESH_SECONDS = 0.2


class Standing(msgspec.Struct, frozen=True):
    """What an operator or the configuration says of the engine as a whole."""

    environment: EnvironmentView = EnvironmentView()
    read_only: bool = False
    intake_paused: bool = False


class Sources(msgspec.Struct, frozen=True):
    """Where each part of a snapshot comes from; all are cheap and none waits. `happened` counts events."""

    endpoints: Callable[[], Sequence[Endpoint]]
    backends: Callable[[], Sequence[BackendView]]
    breakers: Callable[[], Sequence[BreakerView]]
    totals: Callable[[], Totals]
    throughput: Callable[[], Throughput]
    events: Callable[[], tuple[Event, ...]]
    happened: Callable[[], int]
    host: Callable[[], MemoryView]
    engine_memory: Callable[[], int]
    database: Callable[[], str]
    address: Callable[[], str]
    notices: Callable[[], Iterable[str]]
    loop: Callable[[], tuple[float, int]]
    queues: Callable[[], tuple[QueueView, ...]] = tuple
    pools: Callable[[], tuple[PoolView, ...]] = tuple
    foresight: Callable[[], tuple[ForesightView, ...]] = tuple
    budgets: Callable[[], tuple[BudgetView, ...]] = tuple
    alerts: Callable[[], tuple[AlertView, ...]] = tuple
    currency: Callable[[], str] = lambda: "USD"
    cache: Callable[[], CacheView] = CacheView
    drills: Callable[[], tuple[DrillView, ...]] = tuple
    standing: Callable[[], Standing] = Standing
    place: Callable[[str], tuple[str | None, Rule]] = lambda _: (None, Rule())
    frees: Callable[[str], int | None] = lambda _: None


class Snapshots:
    def __init__(self, sources: Sources, clock: Clock, version: str, pid: int, *, simulated: bool) -> None:
        self._sources = sources
        self._clock = clock
        self._version = version
        self._pid = pid
        self._simulated = simulated
        self._started_wall = clock.wall()
        self._started = clock.monotonic()
        self._sequence = 0
        self._made_at = float("-inf")
        self._made_after = -1
        self._last: Snapshot | None = None

    def current(self) -> Snapshot:
        """The snapshot, not older than 0.2 s nor than the last event: who was told of it sees what it changed."""
        now, happened = self._clock.monotonic(), self._sources.happened()
        if self._last is None or happened != self._made_after or now - self._made_at > FRESH_SECONDS:
            self._made_at, self._made_after = now, happened
            self._last = self._build(now)
        return self._last

    def lately(self, seconds: float) -> tuple[Snapshot, int]:
        """One that is at most so old, made by whoever needed it, and how many events had happened by then."""
        if self._last is not None and self._clock.monotonic() - self._made_at <= seconds:
            return self._last, self._made_after
        return self.current(), self._made_after

    def _build(self, now: float) -> Snapshot:
        sources = self._sources
        self._sequence += 1
        models = tuple(self._model(endpoint, now) for endpoint in sources.endpoints())
        backends = tuple(sources.backends())
        lag, stalls = sources.loop()
        standing = sources.standing()
        return Snapshot(
            sequence=self._sequence,
            now=rfc3339(self._clock.wall()),
            version=self._version,
            status="unhealthy" if standing.intake_paused else status(models, backends, sources.database()),
            started=rfc3339(self._started_wall),
            uptime=now - self._started,
            pid=self._pid,
            simulated=self._simulated,
            address=sources.address(),
            host=sources.host(),
            engine_memory=sources.engine_memory(),
            totals=sources.totals(),
            throughput=sources.throughput(),
            backends=backends,
            models=models,
            breakers=tuple(sources.breakers()),
            events=sources.events(),
            notices=tuple(sources.notices()),
            database=sources.database(),
            loop_lag=lag,
            loop_stalls=stalls,
            queues=sources.queues(),
            pools=sources.pools(),
            foresight=sources.foresight(),
            currency=sources.currency(),
            budgets=sources.budgets(),
            alerts=sources.alerts(),
            cache=sources.cache(),
            drills=sources.drills(),
            environment=standing.environment,
            read_only=standing.read_only,
            intake_paused=standing.intake_paused,
        )

    def _model(self, endpoint: Endpoint, now: float) -> ModelView:
        spec = endpoint.spec
        last, need = endpoint.last_used, endpoint.need
        pool, rule = self._sources.place(endpoint.id)
        return ModelView(
            id=endpoint.id,
            model=spec.model,
            backend=spec.backend,
            residency=endpoint.residency.value,
            status=model_status(endpoint),
            circuit=endpoint.circuit.value,
            tier=spec.tier.value,
            context=spec.context,
            capabilities=tuple(sorted(spec.capabilities)),
            tasks=tuple(sorted(spec.tasks)),
            slots=spec.slots,
            inflight=endpoint.inflight,
            waiting=endpoint.waiting,
            calls=endpoint.calls,
            failed=endpoint.failed,
            loadable=spec.loadable,
            size_bytes=spec.size_bytes,
            parameters=spec.parameters,
            quantization=spec.quantization,
            memory_bytes=endpoint.memory_bytes,
            price=price_view(spec.price, self._sources.currency(), rfc3339),
            tokens_per_second=None if endpoint.rate is None else round(endpoint.rate, 1),
            first_token_seconds=None if endpoint.first_token is None else round(endpoint.first_token, 4),
            speed_observations=endpoint.speed.observations,
            last_used=rfc3339(self._clock.wall() - (now - last)) if last else None,
            progress=endpoint.progress,
            changing_seconds=round(now - endpoint.changing_since, 1) if endpoint.changing_since else None,
            draining=endpoint.draining,
            need_bytes=None if need is None else need.bytes,
            need_basis="" if need is None else need.basis.value,
            need_error=None if need is None or need.error is None else round(need.error, 3),
            pool=pool or "",
            pinned=rule.pinned,
            demand=round(endpoint.demand, 4),
            load_seconds=None if endpoint.took is None else round(endpoint.took, 1),
            barred="" if endpoint.barred is None else endpoint.barred[1],
            first_token_ratio=max(round(exp(endpoint.speed.ttft), 3), 0.001),
            token_ratio=max(round(exp(endpoint.speed.tpot), 3), 0.001),
            awaiting=endpoint.awaiting,
            frees_bytes=self._sources.frees(endpoint.id),
        )


def model_status(endpoint: Endpoint) -> str:
    """The four words of api.md."""
    if not endpoint.reachable or endpoint.circuit is Circuit.OPEN or endpoint.draining:
        return "unavailable"
    if endpoint.residency is Residency.READY:
        return "running"
    if endpoint.residency in (Residency.LOADING, Residency.RESERVED):
        return "loading"
    return "available" if endpoint.spec.loadable else "unavailable"


def status(models: Sequence[ModelView], backends: Sequence[BackendView], database: str) -> str:
    """unhealthy: nothing can be routed; degraded: a backend, a model of ours or the ledger is out."""
    if not any(view.status in ("running", "available", "loading") for view in models):
        return "unhealthy"
    down = any(view.health == "down" or view.draining for view in backends)
    broken = any(view.circuit != "closed" for view in models)
    return "degraded" if down or broken or database != "connected" else "healthy"
