"""What the scheduler is told of memory: pools and how full they are, what each model needs, what operators allow."""

from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlsplit

import msgspec

from orchestra_core.config import BackendSettings, Config, ModelSettings
from orchestra_core.domain.catalog import BackendKind, Endpoint, ModelInfo, Residency
from orchestra_core.domain.memory import HOST, Basis, Need, Pressure, Quota, Reading, Rule
from orchestra_core.domain.snapshot import MemoryView, PoolView
from orchestra_core.residency.estimate import Corrections, size_key, size_of
from orchestra_core.residency.scheduler import Policy, Scheduler
from orchestra_core.residency.wording import no_gpu_words, unread_words
from orchestra_core.trust.hosts import is_loopback

# Where nobody measures, a model's memory is taken to be back so long after its end: Ollama waits as long for a GPU's
# (server/sched.go). In the swap benchmark loads of our own ran out of memory 13 times in 323 without, never in 317.
RETURN_SECONDS = 5.0
# The place of an endpoint whose backend was not looked at yet.
NOWHERE: tuple[str | None, Rule] = (None, Rule())


def policy(config: Config) -> Policy:
    """What the scheduler has to know of the configuration."""
    alerts, memory = config.alerts, config.memory
    return Policy(
        swap_seconds=memory.swap_seconds,
        warning=alerts.memory_warning,
        evict=memory.evict,
        critical=alerts.memory_critical,
        headroom=memory.headroom,
        return_seconds=RETURN_SECONDS,
    )


def pool_of(settings: BackendSettings, gpus: Iterable[str], *, simulated: bool = False) -> str | None:
    """The name of the pool a backend's models take their memory from; None: nobody knows how much there is.

    What an operator says wins. Our own children are on the host. Another server of this machine is on its first GPU,
    where one is seen, else on the host; of any other the memory is what the configuration says.
    """
    if settings.device is not None:
        return settings.device
    if settings.kind is BackendKind.MANAGED and not settings.command:
        return HOST
    if settings.memory is not None or simulated:
        return settings.name if settings.memory is not None else None
    here = settings.kind is BackendKind.MANAGED or is_loopback(urlsplit(settings.url or "").hostname or "")
    if not here or settings.region != "local":
        return None
    gpu = min(gpus, default=None)
    return HOST if gpu is None else gpu


class Memory:
    """`host` is read as of its last sample, `gpus` by the name of each.

    `places` are the pool and the rule of each endpoint, by its id.
    """

    def __init__(
        self,
        config: Config,
        scheduler: Scheduler,
        corrections: Corrections,
        host: Callable[[], MemoryView],
        gpus: Callable[[], Mapping[str, Reading]],
    ) -> None:
        self._scheduler = scheduler
        self._corrections = corrections
        self._host = host
        self._gpus = gpus
        self._models: Mapping[str, ModelSettings] = config.models
        self._ttl = config.memory.ttl_seconds
        self.places: dict[str, tuple[str | None, Rule]] = {}

    def configure(self, config: Config) -> None:
        """A new configuration; rules of models follow with the next look at their backends."""
        self._models = config.models
        self._ttl = config.memory.ttl_seconds
        self._scheduler.configure(policy(config))

    def sample(self, now: float) -> Pressure:
        """Tells how full the pools are that are measured, once a second; returns how full the host is."""
        for name, reading in self._gpus().items():
            self._scheduler.read(name, reading, now)
        host = self._host()
        return self._scheduler.read(HOST, Reading(host.total, host.used), now)

    def listed(
        self,
        settings: BackendSettings,
        found: Iterable[tuple[Endpoint, ModelInfo]],
        now: float,
        *,
        simulated: bool = False,
    ) -> None:
        """A look at a backend: what it has, what that needs, what was found to be loaded."""
        pool = pool_of(settings, self._gpus(), simulated=simulated)
        if pool == settings.name and settings.memory is not None:
            self._scheduler.read(pool, Reading(settings.memory), now)
        self._scheduler.quota(settings.name, self._quota(settings, pool))
        for endpoint, info in found:
            self._learn(endpoint, info)
            endpoint.need = self._need(endpoint, info, pool, now)
            self.places[endpoint.id] = place = pool, self._rule(info.name)
            self._scheduler.join(endpoint, *place)
        if pool != settings.name:
            self._forget(settings.name)

    def _need(self, endpoint: Endpoint, info: ModelInfo, pool: str | None, now: float) -> Need | None:
        """What is reserved for it. One that fits with what is predicted, and not with what is added for safety, may
        have the whole pool: alone there it harms nobody if the prediction was too low.
        """
        need = self._predict(endpoint, info)
        most = None if pool is None else self._scheduler.most(pool, now)
        if need is None or most is None or not need.predicted <= most < need.bytes:
            return need
        return msgspec.structs.replace(need, bytes=most)

    def _predict(self, endpoint: Endpoint, info: ModelInfo) -> Need | None:
        """By what is reported; else by the size its name tells; else what an operator says it may need at most."""
        spec = endpoint.spec
        found = self._corrections.need(spec.kind, endpoint.id, info)
        if found is None and spec.parameters:
            size = size_of(spec.parameters, spec.quantization)
            named = msgspec.structs.replace(info, size_bytes=size, parameters=spec.parameters)
            found = self._corrections.need(spec.kind, endpoint.id, named)
        wish = self._models.get(info.name)
        if found is None and wish is not None and wish.memory is not None:
            found = Need(wish.memory)
        return found

    @staticmethod
    def _quota(settings: BackendSettings, pool: str | None) -> Quota:
        """`memory` of a backend in a pool that is measured is what its models may have of that."""
        return Quota(None if pool == settings.name else settings.memory, settings.max_loaded)

    def _rule(self, model: str) -> Rule:
        wish = self._models.get(model)
        ttl = self._ttl if wish is None or wish.ttl_seconds is None else wish.ttl_seconds
        if wish is None:
            return Rule(ttl=ttl or None)
        return Rule(wish.pinned, wish.group or "", ttl or None, wish.copies, wish.memory)

    def ttl(self, model: str) -> float | None:
        """Seconds a model may be idle, None: as long as nobody needs the room."""
        return self._rule(model).ttl

    def stays(self, model: str) -> float | None:
        """Seconds a server that unloads idle models by itself is to keep this one: -1 for good, None as it likes."""
        rule = self._rule(model)
        return -1 if rule.pinned else rule.ttl

    def _learn(self, endpoint: Endpoint, info: ModelInfo) -> None:
        """What a loaded model was measured to occupy, once for each load and again when it has grown."""
        measured = endpoint.memory_bytes
        if measured is None or endpoint.residency is not Residency.READY:
            return
        # In the size it is loaded in, which need not be the one that was planned.
        need = self._corrections.need(endpoint.spec.kind, endpoint.id, info)
        if need is None:
            return
        basis = Basis.SIZE if info.shape is None else Basis.METADATA
        self._corrections.observe(
            endpoint.spec.kind, endpoint.id, need.predicted, measured, basis=basis, size=size_key(info)
        )

    def left(self, gone: Iterable[Endpoint], now: float) -> None:
        """A backend was removed; what its models hold counts until it is measured to be back."""
        for endpoint in gone:
            self._scheduler.leave(endpoint.id, now)
            self.places.pop(endpoint.id, None)
            self._forget(endpoint.spec.backend)

    def away(self, endpoints: Iterable[Endpoint], now: float) -> None:
        """Their backend is down."""
        for endpoint in endpoints:
            self._scheduler.away(endpoint.id, now)

    def _forget(self, backend: str) -> None:
        """A pool that only a configuration has named goes with its last model."""
        if backend != HOST and backend not in self._gpus():
            self._scheduler.drop(backend)

    def notices(self, backends: Iterable[BackendSettings]) -> list[str]:
        """What keeps models from being loaded until somebody changes the configuration, `backends`, or the machine."""
        seen = self._gpus()
        missing = [
            f"backend {one.name}: {no_gpu_words(one.device, one.name)}"
            for one in backends
            if one.device is not None and one.device != HOST and one.device not in seen
        ]
        return [*missing, *(unread_words(name) for name, reading in seen.items() if reading.used is None)]

    def frees(self, endpoint: str) -> int | None:
        """What the end of a model that is there gives back, as plans say it."""
        return self._scheduler.frees(endpoint)

    def exhausted(self, endpoint: Endpoint) -> None:
        """It died for want of memory: it is taken to need more."""
        self._corrections.raise_(endpoint.id)
        if endpoint.need is not None:
            raised = int(endpoint.need.bytes * 1.3)
            endpoint.need = msgspec.structs.replace(endpoint.need, bytes=raised)

    def view(self, now: float) -> tuple[PoolView, ...]:
        """For people: with who measures each pool."""
        source = self._host().source
        return tuple(
            msgspec.structs.replace(pool, source=source if pool.name == HOST else _source(pool))
            for pool in self._scheduler.view(now)
        )


def _source(pool: PoolView) -> str:
    return "gpu" if pool.name.startswith("gpu:") and pool.used is not None else "configured"
