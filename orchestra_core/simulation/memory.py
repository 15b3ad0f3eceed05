"""Which models are loaded: memory, one load at a time, eviction. Decides and says what it did; no clock."""

from collections import deque
from math import inf

from orchestra_core.domain.catalog import Residency
from orchestra_core.simulation.job import Job, draws, lognormal
from orchestra_core.simulation.spec import BackendSpec, ModelSpec, Overflow
from orchestra_core.simulation.trace import Crashed, Event, LoadFailed, Loading, Unloaded


class Resident:
    """The live state of one declared model. `waiting` holds requests that have no slot yet, oldest first."""

    __slots__ = ("idle_since", "keep_alive", "loads", "residency", "running", "spec", "waiting", "watched")

    def __init__(self, spec: ModelSpec, keep_alive: float) -> None:
        self.spec = spec
        self.residency = Residency.READY if spec.resident else Residency.ABSENT
        self.running = 0
        self.waiting: deque[Job] = deque()
        self.keep_alive = keep_alive
        self.idle_since = 0.0
        self.loads = 0
        self.watched = inf

    @property
    def idle(self) -> bool:
        return self.residency is Residency.READY and not self.running

    @property
    def expires(self) -> float:
        """When an idle model is unloaded; inf for never."""
        return self.idle_since + self.keep_alive

    @property
    def occupies(self) -> bool:
        return self.residency in _OCCUPYING


_OCCUPYING = frozenset({Residency.LOADING, Residency.READY, Residency.DRAINING})


class Memory:
    """The models of one backend and the memory they share. Never over its total."""

    def __init__(self, spec: BackendSpec, seed: int) -> None:
        self._spec = spec
        self._seed = seed
        self.total = inf if spec.memory is None else spec.memory
        self.models = {model.name: Resident(model, spec.keep_alive) for model in spec.models}
        self._wanted: deque[Resident] = deque()
        self._loader: Resident | None = None
        self.blocked = False
        if self.used > self.total:
            raise ValueError(f"{spec.name}: the resident models need more than its {spec.memory} bytes")

    @property
    def used(self) -> int:
        return sum(model.spec.memory for model in self.models.values() if model.occupies)

    def want(self, model: Resident) -> None:
        """Puts an absent model in the queue of loads."""
        if model.residency is Residency.ABSENT:
            model.residency = Residency.RESERVED
            self._wanted.append(model)

    def settle(self, now: float) -> list[Event]:
        """Begins the next load if it can. `blocked` is then whether it waits for busy models to finish.

        A load that waits for memory holds up everything else, as Ollama's scheduler does; a crash is only
        reported, `crash` carries it out.
        """
        events: list[Event] = []
        self.blocked = False
        while self._loader is None and self._wanted and not self.blocked:
            events += self._try(self._wanted[0], now)
        return events

    def _try(self, model: Resident, now: float) -> list[Event]:
        need = model.spec.memory
        if self._spec.overflow is Overflow.EVICT and need <= self.total:
            events, fits = self._evict(need, now)
        else:
            events, fits = [], self.used + need <= self.total
        if fits:
            return [*events, self._begin(model, now)]
        if self._spec.overflow is Overflow.EVICT and need <= self.total:
            self.blocked = True
            return events
        self._wanted.popleft()
        if self._spec.overflow is Overflow.CRASH:
            return [*events, Crashed(now, f"simulated out of memory while loading {model.spec.name}")]
        model.residency = Residency.ABSENT
        return [*events, LoadFailed(model.spec.name, now, self._too_large(need))]

    def _too_large(self, need: int) -> str:
        free = max(0.0, self.total - self.used)
        need_gib, free_gib = need / 2**30, free / 2**30
        return (
            f"model requires more system memory ({need_gib:.1f} GiB) than is available ({free_gib:.1f} GiB)"
        )

    def _evict(self, need: int, now: float) -> tuple[list[Event], bool]:
        """Unloads idle models, those without waiting requests and longest idle first, until `need` fits."""
        events: list[Event] = []
        idle = [model for model in self.models.values() if model.idle]
        for victim in sorted(idle, key=lambda one: (bool(one.waiting), one.idle_since, one.spec.name)):
            if self.used + need <= self.total:
                break
            events += self.drop(victim, now)
        return events, self.used + need <= self.total

    def _begin(self, model: Resident, now: float) -> Loading:
        self._wanted.popleft()
        model.residency = Residency.LOADING
        model.loads += 1
        self._loader = model
        noise = draws(self._seed, self._spec.name, model.spec.name, model.loads)[0]
        seconds = lognormal(model.spec.load_seconds, self._spec.jitter, noise)
        return Loading(model.spec.name, now, now + seconds)

    def loaded(self, model: Resident, now: float) -> None:
        model.residency = Residency.READY
        model.idle_since = now
        self._loader = None

    def drop(self, model: Resident, now: float) -> list[Event]:
        """Frees an idle model's memory; requests that still wait for it want it back."""
        model.residency = Residency.ABSENT
        model.keep_alive = self._spec.keep_alive
        if model.waiting:
            self.want(model)
        return [Unloaded(model.spec.name, now)]

    def forget(self, model: Resident) -> None:
        """Takes a load that has not begun out of the queue."""
        if model.residency is Residency.RESERVED:
            self._wanted.remove(model)
            model.residency = Residency.ABSENT

    def crash(self) -> None:
        """Everything is gone at once."""
        self._wanted.clear()
        self._loader = None
        self.blocked = False
        for model in self.models.values():
            model.residency = Residency.ABSENT
            model.keep_alive = self._spec.keep_alive
            model.running = 0
            model.waiting.clear()
