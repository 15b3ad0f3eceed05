"""Which models are loaded: memory, one load at a time, eviction. Decides and says what it did; no clock.

What a backend believes of a model is its declared size; what it really occupies may be another. A load takes its
memory evenly over its time, an unloaded model gives it back with a delay, and others on the machine use some too.
Where it really ends, a model dies of it.
"""

from collections import deque
from math import inf

from orchestra_core.domain.catalog import Residency
from orchestra_core.simulation.job import Job, draws, lognormal
from orchestra_core.simulation.spec import BackendSpec, ModelSpec, Overflow
from orchestra_core.simulation.trace import Crashed, Doing, Event, LoadFailed, Loading, OutOfMemory, Unloaded


class Resident:
    """The live state of one declared model. `waiting` holds requests that have no slot yet, oldest first.

    Its last load lasted from `began` to `ends`.
    """

    __slots__ = (
        "began",
        "ends",
        "idle_since",
        "keep_alive",
        "loads",
        "residency",
        "running",
        "spec",
        "waiting",
        "watched",
    )

    def __init__(self, spec: ModelSpec, keep_alive: float) -> None:
        self.spec = spec
        self.residency = Residency.READY if spec.resident else Residency.ABSENT
        self.running = 0
        self.waiting: deque[Job] = deque()
        self.keep_alive = keep_alive
        self.idle_since = 0.0
        self.loads = 0
        self.watched = inf
        self.began = self.ends = 0.0

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

    def held(self, now: float) -> float:
        """Bytes it has at this moment."""
        if self.residency is not Residency.LOADING:
            return self.spec.occupied if self.occupies else 0
        share = (now - self.began) / (self.ends - self.began) if self.ends > self.began else 1.0
        return self.spec.occupied * min(1.0, share)


_OCCUPYING = frozenset({Residency.LOADING, Residency.READY, Residency.DRAINING})


class Memory:
    """The models of one backend and the memory they share with others. Never over its total for long.

    `foreign` bytes are used by somebody else.
    """

    def __init__(self, spec: BackendSpec, seed: int) -> None:
        self._spec = spec
        self._seed = seed
        self.total = inf if spec.memory is None else spec.memory
        self.models = {model.name: Resident(model, spec.keep_alive) for model in spec.models}
        self.foreign = 0
        self._foreign_then = 0
        self._releasing: list[tuple[float, int]] = []
        self._wanted: deque[Resident] = deque()
        self._loader: Resident | None = None
        self.blocked = False
        if self.used > self.total:
            raise ValueError(f"{spec.name}: the resident models need more than its {spec.memory} bytes")

    @property
    def used(self) -> int:
        """What the models here occupy, one that loads in full."""
        return sum(model.spec.occupied for model in self.models.values() if model.occupies)

    def taken(self, now: float) -> int:
        """What a meter shows: by models, by what is not given back yet, and by others."""
        return self.foreign + round(self._settled(now) + self._ramp(now))

    def _settled(self, now: float) -> float:
        """All of it but the load under way and others."""
        models = sum(model.held(now) for model in self.models.values() if model is not self._loader)
        return models + sum(size for due, size in self._releasing if due > now)

    def _ramp(self, now: float) -> float:
        return self._loader.held(now) if self._loader is not None else 0.0

    @property
    def loads(self) -> bool:
        """Whether a load is under way or waits for room."""
        return self._loader is not None or bool(self._wanted)

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
        self._releasing = [one for one in self._releasing if one[0] > now]
        events: list[Event] = []
        self.blocked = False
        while self._loader is None and self._wanted and not self.blocked:
            events += self._try(self._wanted[0], now)
        return events

    def _try(self, model: Resident, now: float) -> list[Event]:
        need, overflow = model.spec.memory, self._spec.overflow
        if overflow is Overflow.KILL:
            return [self._begin(model, now)]
        evicts = overflow is Overflow.EVICT and need <= self.total
        events = self._evict(need, now) if evicts else []
        if self._fits(need):
            if self.taken(now) + need <= self.total:
                return [*events, self._begin(model, now)]
            # What was unloaded is not given back yet: Ollama waits for it as well.
            self.blocked = True
            return events
        if evicts and any(one.occupies for one in self.models.values()):
            self.blocked = True
            return events
        self._wanted.popleft()
        if overflow is Overflow.CRASH:
            return [*events, Crashed(now, f"simulated out of memory while loading {model.spec.name}")]
        model.residency = Residency.ABSENT
        return [*events, LoadFailed(model.spec.name, now, self._too_large(need))]

    def _fits(self, need: int) -> bool:
        """Once everything that was unloaded is given back."""
        return self.used + self.foreign + need <= self.total

    def _too_large(self, need: int) -> str:
        free = max(0.0, self.total - self.used - self.foreign)
        need_gib, free_gib = need / 2**30, free / 2**30
        return (
            f"model requires more system memory ({need_gib:.1f} GiB) than is available ({free_gib:.1f} GiB)"
        )

    def _evict(self, need: int, now: float) -> list[Event]:
        """Unloads idle models, those without waiting requests and longest idle first, until `need` fits."""
        events: list[Event] = []
        idle = [model for model in self.models.values() if model.idle]
        for victim in sorted(idle, key=lambda one: (bool(one.waiting), one.idle_since, one.spec.name)):
            if self._fits(need):
                break
            events += self.drop(victim, now)
        return events

    def _begin(self, model: Resident, now: float) -> Loading:
        self._wanted.popleft()
        model.residency = Residency.LOADING
        model.loads += 1
        self._loader = model
        self._foreign_then = self.foreign
        noise = draws(self._seed, self._spec.name, model.spec.name, model.loads)[0]
        model.began = now
        model.ends = now + lognormal(model.spec.load_seconds, self._spec.jitter, noise)
        return Loading(model.spec.name, now, model.ends)

    def loaded(self, model: Resident, now: float) -> None:
        model.residency = Residency.READY
        model.idle_since = now
        self._loader = None

    def stoppable(self, model: Resident) -> bool:
        """Whether it is a process that can be ended in the middle of its load."""
        return model is self._loader and self._spec.overflow is Overflow.KILL and not model.waiting

    def drop(self, model: Resident, now: float) -> list[Event]:
        """Ends an idle model, or a load; requests that still wait for it want it back."""
        if self._spec.release_seconds:
            noise = draws(self._seed, self._spec.name, model.spec.name, "release", model.loads)[0]
            delay = lognormal(self._spec.release_seconds, self._spec.release_spread, noise)
            self._releasing.append((now + delay, round(model.held(now))))
        if model is self._loader:
            self._loader = None
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
        self._releasing.clear()
        self._loader = None
        self.blocked = False
        for model in self.models.values():
            model.residency = Residency.ABSENT
            model.keep_alive = self._spec.keep_alive
            model.running = 0
            model.waiting.clear()

    # -- the end of the memory -------------------------------------------------------------------------

    def next_change(self, now: float) -> float:
        """When memory comes back, or ends, without anything else happening; inf if never."""
        return min(self._ends_at(now), min((due for due, _ in self._releasing if due > now), default=inf))

    def _ends_at(self, now: float) -> float:
        """When the load under way has taken the last byte; inf if it ends before."""
        model = self._loader
        if model is None:
            return inf
        free = self.total - self.foreign - self._settled(now)
        if free >= model.spec.occupied:
            return inf
        return model.began + max(0.0, free) / model.spec.occupied * (model.ends - model.began)

    def kill(self, now: float) -> OutOfMemory | None:
        """What dies now for want of memory: the load under way, or else the largest; None while there is enough.

        Only reported; who holds its requests ends them and calls `died`.
        """
        if self._ends_at(now) > now and self.taken(now) <= self.total:
            return None
        victims = [model for model in self.models.values() if model.occupies]
        victim = self._loader or max(victims, key=lambda one: one.spec.occupied, default=None)
        if victim is None:
            return None
        message = f"simulated out of memory: {victim.spec.name} was killed"
        return OutOfMemory(victim.spec.name, now, self._doing(now), victim is self._loader, message)

    def _doing(self, now: float) -> Doing:
        models = self.used + sum(size for due, size in self._releasing if due > now)
        if models > self.total:
            return Doing.OWN
        return Doing.OCCUPIED if models + self._foreign_then > self.total else Doing.TAKEN

    def died(self, model: Resident) -> None:
        """Its memory is free at once: it was reclaimed by force."""
        if model is self._loader:
            self._loader = None
        model.residency = Residency.ABSENT
        model.keep_alive = self._spec.keep_alive
        model.running = 0
