"""The service-time model of one backend: slots, queue, batching slowdown, loads, memory, faults.

Pure and event driven: it is told what arrives and what time it is, and says when it next has something to
tell. A discrete-event simulation drives it with a virtual clock, a socket server with timers; both get the
same events for the same arrivals, because every draw comes from the seed and an id, and because nothing
depends on how often it is asked.
"""

from functools import partial
from math import inf

from orchestra_core.domain.catalog import Residency
from orchestra_core.simulation.agenda import Agenda
from orchestra_core.simulation.intake import deny_model, deny_request
from orchestra_core.simulation.job import Job
from orchestra_core.simulation.memory import Memory, Resident
from orchestra_core.simulation.outbox import Outbox
from orchestra_core.simulation.sharing import SharedTime
from orchestra_core.simulation.spec import BackendSpec
from orchestra_core.simulation.trace import (
    Crashed,
    Denial,
    Event,
    Failed,
    FaultKind,
    InjectedFault,
    Loaded,
    LoadFailed,
    Loading,
    Repaired,
    Request,
    Restarted,
    Started,
    Why,
)


class ServiceModel:
    """One simulated backend. `now` never runs back: an earlier one counts as the latest seen."""

    def __init__(self, spec: BackendSpec, seed: int = 0, now: float = 0.0) -> None:
        self.spec = spec
        self.memory = Memory(spec, seed)
        self.fault: InjectedFault | None = None
        self.down = False
        self._seed = seed
        self._now = now
        self._shared = SharedTime(spec.alpha, now)
        self._jobs: dict[str, Job] = {}
        self._running: set[str] = set()
        self._agenda = Agenda()
        self._outbox = Outbox()
        self._memory_due = inf
        self._fault_number = 0
        self._lives = 0
        for model in self.memory.models.values():
            model.idle_since = now
            self._watch(model, now)

    # -- what is asked of it ---------------------------------------------------------------------------

    def submit(self, request: Request, now: float) -> Denial | None:
        """A request arrives; None means taken, and that `Done` or `Failed` will follow unless cancelled."""
        now = self._catch_up(now)
        denial = self._deny(request)
        if denial is not None:
            return denial
        if request.id in self._jobs:
            raise ValueError(f"a request {request.id!r} is already there")
        model = self.memory.models[request.model]
        job = Job(request, model.spec, self.spec, self._seed, now)
        if self.fault is not None and self.fault.kind in (FaultKind.ERROR, FaultKind.CUT):
            job.meet(self.fault, self._seed)
        self._jobs[request.id] = job
        model.waiting.append(job)
        self.memory.want(model)
        self._pump(now)
        return None

    def cancel(self, id: str, now: float) -> bool:
        """The client left: its slot or place in the queue is free at once. False if the id is unknown."""
        now = self._catch_up(now)
        job = self._jobs.pop(id, None)
        if job is None:
            return False
        model = self.memory.models[job.request.model]
        if id in self._running:
            self._free(job, model, now)
        else:
            model.waiting.remove(job)
            if not model.waiting:
                self.memory.forget(model)
                self._watch(model, now)
        self._pump(now)
        return True

    def load(self, name: str, now: float, keep_alive: float | None = None) -> Denial | None:
        """Loads a model; `Loaded` or `LoadFailed` follows unless it is ready already."""
        now = self._catch_up(now)
        denial = self._deny_model(name)
        if denial is not None:
            return denial
        model = self.memory.models[name]
        self._touch(model, keep_alive, now)
        if model.residency is Residency.DRAINING:
            model.residency = Residency.READY
        self.memory.want(model)
        self._pump(now)
        return None

    def unload(self, name: str, now: float) -> Denial | None:
        """Unloads a model once what runs on it has finished; `Unloaded` follows if it was loaded."""
        now = self._catch_up(now)
        denial = self._deny_model(name)
        if denial is not None:
            return denial
        model = self.memory.models[name]
        if model.residency is Residency.READY and model.running:
            model.residency = Residency.DRAINING
        elif model.residency is Residency.READY or self.memory.stoppable(model):
            self._outbox.add(*self.memory.drop(model, now))
        elif not model.waiting:
            model.keep_alive = 0.0
            self.memory.forget(model)
        self._pump(now)
        return None

    def occupy(self, foreign: int, now: float) -> None:
        """Somebody else on the machine uses so many bytes from now on; models may die of it."""
        now = self._catch_up(now)
        self.memory.foreign = foreign
        self._end_memory(now)

    def inject(self, fault: InjectedFault, now: float) -> None:
        """Breaks the backend; the fault before it, if any, ends first."""
        now = self._catch_up(now)
        self._repair(now)
        if fault.kind is FaultKind.CRASH:
            seconds = self.spec.restart_seconds if fault.seconds is None else fault.seconds
            self._crash("simulated crash", seconds, now)
            return
        self.fault = fault
        self._fault_number += 1
        number = self._fault_number
        if fault.kind is FaultKind.HANG:
            self._shared.set_speed(0.0, now)
        elif fault.kind is FaultKind.SLOW:
            self._shared.set_speed(1.0 / fault.factor, now)
        if fault.seconds is not None:
            self._agenda.add(now + fault.seconds, lambda at: self._repair(at, number))

    def repair(self, now: float) -> None:
        """Ends the injected fault."""
        self._repair(self._catch_up(now))

    def next_event(self) -> float:
        """When `advance` next has something to do; inf if never without further arrivals.

        Sometimes nothing comes of it: a timer that was overtaken.
        """
        return self._now if self._outbox else min(self._shared.next_time(), self._agenda.next_time())

    def advance(self, now: float) -> list[Event]:
        """Everything that happened up to `now` and was not told yet, in the order it happened.

        Tokens of one request that became due since the last call are one event.
        """
        self._catch_up(now)
        return self._outbox.take()

    # -- what can be seen of it ------------------------------------------------------------------------

    @property
    def reachable(self) -> bool:
        """Whether it takes connections at all."""
        return not self.down and (self.fault is None or self.fault.kind is not FaultKind.REFUSE)

    def is_ready(self, name: str) -> bool:
        return self.memory.models[name].residency is Residency.READY

    @property
    def memory_used(self) -> int:
        """What a meter on the machine shows, others' use included."""
        return self.memory.taken(self._now)

    @property
    def running(self) -> int:
        return self._shared.running

    @property
    def waiting(self) -> int:
        return len(self._jobs) - len(self._running)

    @property
    def served(self) -> float:
        """Seconds of work done so far, as requests running alone would have taken, up to the last change."""
        return self._shared.served

    # -- turning away ----------------------------------------------------------------------------------

    def _deny(self, request: Request) -> Denial | None:
        denial = self._deny_model(request.model)
        if denial is not None:
            return denial
        model = self.memory.models[request.model]
        starts = self._open(model) and model.running < model.spec.parallel
        return deny_request(request, model, self.spec, self.fault, None if starts else self.waiting)

    def _deny_model(self, name: str) -> Denial | None:
        return deny_model(name, self.memory.models, self.reachable)

    # -- time ------------------------------------------------------------------------------------------

    def _catch_up(self, now: float) -> float:
        now = max(now, self._now)
        self._run_until(now)
        self._now = now
        return now

    def _run_until(self, now: float) -> None:
        while True:
            milestone, timer = self._shared.next_time(), self._agenda.next_time()
            if (due := min(milestone, timer)) > now or due == inf:
                return
            if timer <= milestone:
                self._agenda.fire()
            else:
                self._reach(self._jobs[self._shared.pop()], milestone)

    # -- requests --------------------------------------------------------------------------------------

    def _open(self, model: Resident) -> bool:
        """Whether waiting requests of a loaded model may start."""
        return model.residency is Residency.READY and not self.memory.blocked

    def _pump(self, now: float) -> None:
        """Begins the loads and the requests that can begin."""
        for event in self.memory.settle(now):
            if isinstance(event, Crashed):
                self._crash(event.message, self.spec.restart_seconds, now)
                return
            self._outbox.add(event)
            if isinstance(event, Loading):
                self._agenda.add(event.until, partial(self._loaded, self.memory.models[event.model]))
            elif isinstance(event, LoadFailed):
                self._lose_all(self.memory.models[event.model], event.message, now)
        for model in self.memory.models.values():
            if model.waiting and self._open(model):
                self._fill(model, now)
        self._watch_memory(now)

    def _fill(self, model: Resident, now: float) -> None:
        while model.waiting and model.running < model.spec.parallel:
            job = model.waiting.popleft()
            model.running += 1
            self._running.add(job.request.id)
            if job.request.keep_alive is not None:
                model.keep_alive = job.request.keep_alive
            job.started = now
            job.origin = self._shared.join(now)
            self._shared.schedule(job.request.id, job.next_point())
            self._outbox.add(Started(job.request.id, now))

    def _reach(self, job: Job, now: float) -> None:
        """A running request reached its milestone."""
        if job.emitted < 0:
            job.emitted = 0
            job.prefilled = job.first_token = now
        else:
            job.emitted = job.next_token
            if job.emitted == 1:
                job.first_token = now
            if job.request.stream:
                self._outbox.token(job, now)
        if job.emitted < job.limit:
            self._shared.schedule(job.request.id, job.next_point())
        else:
            self._finish(job, now)

    def _finish(self, job: Job, now: float) -> None:
        del self._jobs[job.request.id]
        self._outbox.add(job.done(now))
        self._outbox.ended(job.request.id)
        self._free(job, self.memory.models[job.request.model], now)
        self._pump(now)

    def _free(self, job: Job, model: Resident, now: float) -> None:
        self._shared.leave(job.request.id, now)
        self._running.discard(job.request.id)
        model.running -= 1
        if model.running:
            return
        model.idle_since = now
        if model.residency is Residency.DRAINING:
            self._outbox.add(*self.memory.drop(model, now))
        else:
            self._watch(model, now)

    def _lose_all(self, model: Resident, message: str, now: float) -> None:
        """Every request for a model for which the memory did not suffice."""
        for job in [job for job in self._jobs.values() if job.request.model == model.spec.name]:
            id = job.request.id
            del self._jobs[id]
            if id in self._running:
                self._shared.leave(id, now)
                self._running.discard(id)
                self._outbox.ended(id)
            self._outbox.add(Failed(id, now, Why.OUT_OF_MEMORY, message, max(0, job.emitted)))
        model.waiting.clear()

    # -- models ----------------------------------------------------------------------------------------

    def _loaded(self, model: Resident, now: float) -> None:
        if model.residency is not Residency.LOADING or model.ends != now:
            return
        self.memory.loaded(model, now)
        self._outbox.add(Loaded(model.spec.name, now))
        for job in model.waiting:
            job.loaded = now
        # Its own requests first: a load waiting for memory would otherwise evict it before it served any.
        self._fill(model, now)
        self._watch(model, now)
        self._pump(now)

    def _touch(self, model: Resident, keep_alive: float | None, now: float) -> None:
        model.keep_alive = self.spec.keep_alive if keep_alive is None else keep_alive
        if model.idle:
            model.idle_since = now
            self._watch(model, now)

    def _watch(self, model: Resident, now: float) -> None:
        """Sets the timer that unloads an idle model, unless an earlier one is set that will look again."""
        expires = max(now, model.expires)
        if self.spec.autoload and model.idle and not model.waiting and expires < model.watched:
            model.watched = expires
            self._agenda.add(expires, lambda at: self._expire(model, at))

    def _expire(self, model: Resident, now: float) -> None:
        if now == model.watched:
            model.watched = inf
        if model.idle and not model.waiting and model.expires <= now:
            self._outbox.add(*self.memory.drop(model, now))
            self._pump(now)
        else:
            self._watch(model, now)

    # -- the end of the memory -------------------------------------------------------------------------

    def _watch_memory(self, now: float) -> None:
        """Sets the timer for the next release or the end of the memory, unless an earlier one is set."""
        due = self.memory.next_change(now)
        if due < self._memory_due:
            self._memory_due = due
            self._agenda.add(due, self._look_at_memory)

    def _look_at_memory(self, now: float) -> None:
        self._memory_due = inf
        self._end_memory(now)

    def _end_memory(self, now: float) -> None:
        """Kills what there is no memory for, with all requests for it, and goes on."""
        while (killed := self.memory.kill(now)) is not None:
            model = self.memory.models[killed.model]
            self._outbox.add(killed)
            if killed.loading:
                self._outbox.add(LoadFailed(killed.model, now, killed.message))
            self._lose_all(model, killed.message, now)
            self.memory.died(model)
        self._pump(now)

    # -- faults ----------------------------------------------------------------------------------------

    def _repair(self, now: float, number: int | None = None) -> None:
        """Ends the fault there is, or only the one of that number."""
        if self.fault is not None and number in (None, self._fault_number):
            kind, self.fault = self.fault.kind, None
            self._fault_number += 1
            self._shared.set_speed(1.0, now)
            self._outbox.add(Repaired(now, kind))

    def _crash(self, message: str, seconds: float, now: float) -> None:
        self._lives += 1
        self.down = True
        self._outbox.add(Crashed(now, message))
        for job in self._jobs.values():
            self._outbox.add(Failed(job.request.id, now, Why.CRASHED, message, max(0, job.emitted)))
        self._jobs.clear()
        self._running.clear()
        self._shared.clear(now)
        self.memory.crash()
        lives = self._lives
        self._agenda.add(now + seconds, lambda at: self._restart(at) if lives == self._lives else None)

    def _restart(self, now: float) -> None:
        self.down = False
        self._outbox.add(Restarted(now))
        for model in self.memory.models.values():
            if model.spec.resident:
                self.memory.want(model)
        self._pump(now)
