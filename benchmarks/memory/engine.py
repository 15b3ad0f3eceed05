"""This engine in the simulation: its own selector, scheduler, estimates and forecasts under the virtual clock.

What stands in here for the engine's shell does what that does: a slot first, then the model, one look at memory a
second. Nothing is sent twice: a request whose load fails has failed, as it has for the baselines.
"""

from math import inf

import msgspec

from benchmarks.memory.simulator import Ticket, World
from benchmarks.memory.slots import Place, Slots
from orchestra_core.background.demand import Forecasting, Loads
from orchestra_core.domain.call import NO_REQUIREMENTS, Kind, Profile, Task
from orchestra_core.domain.catalog import BackendKind, Endpoint, ModelInfo, Residency
from orchestra_core.domain.decision import Candidate
from orchestra_core.domain.memory import Basis, Pressure, Reading, Rule
from orchestra_core.domain.outcome import Outcome, Verdict
from orchestra_core.domain.reply import Usage
from orchestra_core.pipeline.learning import learn_speed
from orchestra_core.residency.estimate import Corrections, size_key
from orchestra_core.residency.scheduler import PERMANENT, Load, Policy, Refuse, Scheduler, Unload
from orchestra_core.routing.capability import BackendFacts, describe
from orchestra_core.routing.selector import decide
from orchestra_core.simulation.spec import ModelSpec
from orchestra_core.simulation.trace import Event, Loaded, OutOfMemory, Unloaded

_READY = Residency.READY
_TASK = Task.CONVERSATION
# Between two looks at a backend.
_LOOK_SECONDS = 10


class Options(msgspec.Struct, frozen=True):
    """What is switched off for an ablation. `measured`: each box tells how much of its memory is used."""

    preload: bool = True
    demand: bool = True
    measured: bool = True
    external: bool = True
    policy: Policy = Policy()


class Draining(msgspec.Struct, eq=False):
    until: float


class SimulatedEngine:
    """Boxes that do what they are told, and this engine that tells them."""

    alone = False

    def __init__(self, options: Options) -> None:
        self._options = options
        self._scheduler = Scheduler(options.policy)
        self._corrections = Corrections()
        self._endpoints: dict[str, Endpoint] = {}
        self._infos: dict[str, ModelInfo] = {}
        self._models: dict[str, list[Endpoint]] = {}
        self._slots = Slots(self._endpoints, self._take)
        self._places: dict[str, Place] = {}
        self._draining: dict[str, Draining] = {}
        self._acting = False
        self._ticks = 0
        self.preloads = 0

    # -- what there is ---------------------------------------------------------------------------------

    def begin(self, world: World) -> None:
        self.world = world
        for name, box in world.boxes.items():
            for model in box.spec.models:
                self._join(name, model)
        loads = Loads(
            plan=lambda endpoint: self._scheduler.plan(endpoint, self.world.now),
            pressure=lambda _: self._scheduler.pressure,
            preload=self._preload,
            withdraw=lambda endpoint: self._scheduler.unwant(endpoint, self.world.now),
        )
        self._forecasting = Forecasting(
            clock=self,
            models=lambda: self._models,
            passed=self._take_passed,
            loads=loads,
            enabled=lambda: self._options.preload,
            say=lambda *_: None,
        )
        self._passed: list[tuple[str, str]] = []

    def monotonic(self) -> float:
        return self.world.now

    def wall(self) -> float:
        return self.world.now

    def _join(self, box: str, model: ModelSpec) -> None:
        """As a look at an Ollama server finds it: the size of the file is what is known of its memory."""
        info = ModelInfo(
            model.name,
            Residency.ABSENT,
            size_bytes=model.weights,
            parameters=model.parameters,
            context=model.context,
            quantization=model.quantization,
            family=model.family,
            capabilities=model.capabilities,
            slots=model.parallel,
            loadable=True,
        )
        endpoint = Endpoint(
            describe(BackendFacts(box, BackendKind.OLLAMA, model.parallel), info), Residency.ABSENT
        )
        self._infos[endpoint.id] = info
        self._endpoints[endpoint.id] = endpoint
        self._models.setdefault(model.name, []).append(endpoint)
        endpoint.need = self._corrections.need(endpoint.spec.kind, endpoint.id, info)
        self._read(box)
        self._scheduler.join(endpoint, box, Rule())

    def _read(self, box: str) -> Pressure:
        memory = self.world.boxes[box].memory
        used = memory.taken(self.world.now) if self._options.measured else None
        return self._scheduler.read(box, Reading(int(memory.total), used), self.world.now)

    def _take_passed(self) -> list[tuple[str, str]]:
        passed, self._passed = self._passed, []
        return passed

    def _preload(self, endpoint: Endpoint) -> None:
        self._scheduler.want(endpoint, self.world.now, speculative=True, evicting=True)

    # -- requests --------------------------------------------------------------------------------------

    def arrive(self, ticket: Ticket) -> None:
        arrival, now = ticket.arrival, self.world.now
        profile = Profile(
            _TASK,
            Kind.CHAT,
            arrival.prompt,
            None,
            frozenset(),
            NO_REQUIREMENTS,
            arrival.model,
            inferred=False,
            deadline=now + self.world.workload.load.patience,
        )
        ranked = decide(profile, self._models[arrival.model], now, arrival.id).ranked
        if not ranked:
            self.world.fail(ticket, "refused")
        else:
            self._slots.start(ticket, ranked)

    def _take(self, place: Place, ranked: tuple[Candidate, ...]) -> None:
        """Who is refused goes to the next, as long as there is one."""
        endpoint = place.endpoint
        endpoint.inflight += 1
        endpoint.work += place.candidate.work
        self._places[place.ticket.arrival.id] = place
        if endpoint.residency is _READY:
            self.world.send(place.ticket, endpoint.spec.backend)
            return
        place.since = self.world.now
        plan = self._scheduler.want(endpoint, place.since)
        if plan.code not in PERMANENT:
            self._act()
            return
        place.since = None
        others = tuple(one for one in ranked if one.endpoint != endpoint.id)
        if not others:
            self.world.fail(place.ticket, plan.code)
            return
        del self._places[place.ticket.arrival.id]
        endpoint.inflight -= 1
        endpoint.work -= place.candidate.work
        self._slots.start(place.ticket, others)

    def finished(self, ticket: Ticket) -> None:
        """Gives everything back, and lets the next one have it."""
        place = self._places.pop(ticket.arrival.id, None)
        if place is None:
            self._slots.forget(ticket)
            return
        endpoint, now = place.endpoint, self.world.now
        endpoint.inflight -= 1
        endpoint.work -= place.candidate.work
        if place.since is not None:
            self._scheduler.unwant(endpoint, now, place.since)
        if ticket.answered:
            self._learn(place)
        self._drained(endpoint)
        self._slots.next(endpoint)
        self._act()

    def _learn(self, place: Place) -> None:
        ticket, endpoint, now = place.ticket, place.endpoint, self.world.now
        times = ticket.timings
        assert times is not None
        endpoint.calls += 1
        endpoint.last_used = endpoint.last_done = now
        usage = Usage(ticket.arrival.prompt, ticket.arrival.output)
        outcome = Outcome(
            Verdict.SUCCESS,
            endpoint.id,
            usage=usage,
            first_token=times.prefilled - ticket.sent,
            seconds=times.finished - ticket.sent,
        )
        learn_speed(endpoint, place.candidate, outcome, _TASK)
        self._passed.append((ticket.arrival.session, endpoint.spec.model))

    # -- loads and unloads -----------------------------------------------------------------------------

    def loads(self, box: str) -> bool:
        """Whether anything is loaded there, or waits for room."""
        return self.world.boxes[box].memory.loads or any(
            place.since is not None and place.endpoint.spec.backend == box for place in self._places.values()
        )

    def tick(self) -> None:
        for box in self.world.boxes:
            self._read(box)
        self._ticks += 1
        if self._ticks % _LOOK_SECONDS == 0:
            for endpoint in self._endpoints.values():
                self._look(endpoint)
        self._forecasting.tick()
        if not self._options.demand:
            for endpoint in self._endpoints.values():
                endpoint.demand = 0.0
        self._scheduler.publish(self.world.now)
        if not self._options.external:
            for endpoint in self._endpoints.values():
                endpoint.external = 0.0
        self._act()

    def _act(self) -> None:
        """Begins what can begin now. What follows from that comes here again, and is done after it."""
        if self._acting:
            return
        self._acting = True
        while actions := self._scheduler.actions(self.world.now):
            for action in actions:
                match action:
                    case Load():
                        self._load(action)
                    case Unload():
                        self._unload(action)
                    case Refuse():
                        self._refuse(action.endpoint, action.plan.code)
        self._acting = False

    def _load(self, action: Load) -> None:
        endpoint = action.endpoint
        self.preloads += action.speculative
        self.world.boxes[endpoint.spec.backend].load(endpoint.spec.model, self.world.now, inf)

    def _unload(self, action: Unload) -> None:
        endpoint, now = action.endpoint, self.world.now
        self._draining[endpoint.id] = drain = Draining(now + action.patience)
        self.world.agenda.add(drain.until, lambda _: self._keep(endpoint, drain))
        self._drained(endpoint)

    def _served(self, endpoint: Endpoint) -> int:
        return sum(place.endpoint is endpoint and place.since is None for place in self._places.values())

    def _drained(self, endpoint: Endpoint) -> None:
        """Ends a model that is to go, once nothing runs on it."""
        if endpoint.id in self._draining and not self._served(endpoint):
            del self._draining[endpoint.id]
            endpoint.residency = Residency.UNLOADING
            self.world.boxes[endpoint.spec.backend].unload(endpoint.spec.model, self.world.now)

    def _keep(self, endpoint: Endpoint, drain: Draining) -> None:
        """It was still busy when patience was over: it stays."""
        if self._draining.get(endpoint.id) is drain:
            del self._draining[endpoint.id]
            self._scheduler.kept(endpoint, self.world.now)
            self._serve(endpoint)
            self._act()

    def _refuse(self, endpoint: Endpoint, why: str) -> None:
        for place in self._waiting_for(endpoint):
            self.world.fail(place.ticket, why)

    def _waiting_for(self, endpoint: Endpoint) -> list[Place]:
        return [
            place for place in self._places.values() if place.endpoint is endpoint and place.since is not None
        ]

    def told(self, box: str, event: Event) -> None:
        match event:
            case Loaded():
                self._arrived(self._endpoints[f"{box}/{event.model}"])
            case OutOfMemory():
                self._died(self._endpoints[f"{box}/{event.model}"], event)
            case Unloaded():
                self._scheduler.unloaded(self._endpoints[f"{box}/{event.model}"], self.world.now)
            case _:
                return
        self._act()

    def _arrived(self, endpoint: Endpoint) -> None:
        """A load has ended: what the model occupies is what the server says of it."""
        now, info = self.world.now, self._infos[endpoint.id]
        model = self.world.boxes[endpoint.spec.backend].spec.model(endpoint.spec.model)
        assert model is not None
        assert endpoint.need is not None
        self._scheduler.loaded(endpoint, None, now)
        endpoint.memory_bytes = model.occupied
        self._corrections.observe(
            endpoint.spec.kind,
            endpoint.id,
            endpoint.need.predicted,
            model.occupied,
            basis=Basis.SIZE,
            size=size_key(info),
        )
        self._look(endpoint)
        self._serve(endpoint)

    def _look(self, endpoint: Endpoint) -> None:
        """As after a look at its backend: what it needs by what is known now."""
        endpoint.need = self._corrections.need(endpoint.spec.kind, endpoint.id, self._infos[endpoint.id])
        self._scheduler.join(endpoint, endpoint.spec.backend, Rule())

    def _serve(self, endpoint: Endpoint) -> None:
        """Those who waited for the model go on."""
        if endpoint.residency is not _READY:
            return
        for place in self._waiting_for(endpoint):
            assert place.since is not None
            self._scheduler.unwant(endpoint, self.world.now, place.since)
            place.since = None
            self.world.send(place.ticket, endpoint.spec.backend)

    def _died(self, endpoint: Endpoint, event: OutOfMemory) -> None:
        self._draining.pop(endpoint.id, None)
        self._corrections.raise_(endpoint.id)
        endpoint.need = self._corrections.need(endpoint.spec.kind, endpoint.id, self._infos[endpoint.id])
        if event.loading:
            self._scheduler.failed(endpoint, self.world.now, out_of_memory=True)
            self._refuse(endpoint, "out_of_memory")
        else:
            self._scheduler.lost(endpoint, self.world.now)
