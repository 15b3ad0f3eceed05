"""Discrete events: the boxes of a seed under a virtual clock, and a strategy that says where requests go."""

from collections.abc import Sequence
from functools import partial
from math import inf
from typing import Protocol

import msgspec

from benchmarks.memory.workload import Arrival, Workload, arrivals, fleet, foreign
from orchestra_core.domain.catalog import Residency
from orchestra_core.simulation.agenda import Agenda
from orchestra_core.simulation.service_model import ServiceModel
from orchestra_core.simulation.trace import (
    Doing,
    Done,
    Event,
    Failed,
    Loaded,
    LoadFailed,
    Loading,
    OutOfMemory,
    Request,
    Timings,
    Unloaded,
)

SLICE_SECONDS = 1.0


class Ticket(msgspec.Struct, eq=False):
    """One request on its way. `ready`: boxes that had its model when it came, `loading`: those with a load to do."""

    arrival: Arrival
    ready: frozenset[str]
    loading: frozenset[str]
    box: str = ""
    sent: float = 0.0
    ended: float = inf
    timings: Timings | None = None
    failed: str = ""
    cold: bool = False

    @property
    def first_token(self) -> float:
        """Seconds from when it was due."""
        return (self.timings.prefilled if self.timings is not None else self.ended) - self.arrival.at

    @property
    def answered(self) -> bool:
        return self.timings is not None and not self.failed


class Strategy(Protocol):
    """`alone`: the boxes load and evict by themselves."""

    alone: bool

    def begin(self, world: "World") -> None: ...
    def arrive(self, ticket: Ticket) -> None: ...
    def told(self, box: str, event: Event) -> None: ...
    def finished(self, ticket: Ticket) -> None: ...
    def tick(self) -> None: ...
    def loads(self, box: str) -> bool:
        """Whether a load is under way there or waits for room."""
        ...


class Counts(msgspec.Struct):
    """What the boxes did, warm-up excluded. `ends` of memory, by whose doing they were."""

    loads: int = 0
    load_failures: int = 0
    unloads: int = 0
    ends: dict[Doing, int] = {}


class World:
    """One run. `now` is the virtual clock, which begins at 0."""

    def __init__(self, workload: Workload, seed: int, rate: float, strategy: Strategy) -> None:
        self.workload = workload
        self.seed = seed
        self.now = 0.0
        specs = fleet(workload, seed, alone=strategy.alone)
        self.boxes = {spec.name: ServiceModel(spec, seed) for spec in specs}
        self.agenda = Agenda()
        self.tickets: list[Ticket] = []
        self.counts = Counts()
        self._loaded: dict[tuple[str, str], float] = {}
        self._open: dict[str, Ticket] = {}
        self._strategy = strategy
        for use in foreign(workload, seed):
            self.agenda.add(use.at, partial(self.boxes[use.box].occupy, use.bytes))
        for arrival in arrivals(workload, seed, rate):
            self.agenda.add(arrival.at, partial(self._arrive, arrival))

    def run(self) -> Sequence[Ticket]:
        """Every request that was due after the warm-up, ended."""
        load = self.workload.load
        self._strategy.begin(self)
        self._tick(0.0)
        end = load.seconds + load.patience + 1.0
        while True:
            due = min(self.agenda.next_time(), *(box.next_event() for box in self.boxes.values()))
            if due > end:
                break
            self.now = max(self.now, due)
            while self.agenda.next_time() <= self.now:
                self.agenda.fire()
            self._tell()
        return [ticket for ticket in self.tickets if ticket.arrival.at >= load.warm_up]

    def _tell(self) -> None:
        """What happened in the boxes, until nothing more follows from it now."""
        again = True
        while again:
            again = False
            for name, box in self.boxes.items():
                for event in box.advance(self.now):
                    again = True
                    self._note(name, event)

    def _tick(self, at: float) -> None:
        self._strategy.tick()
        if at < self.workload.load.seconds + self.workload.load.patience:
            self.agenda.add(at + SLICE_SECONDS, self._tick)

    # -- requests --------------------------------------------------------------------------------------

    def _arrive(self, arrival: Arrival, _: float) -> None:
        names = [name for name, box in self.boxes.items() if arrival.model in box.memory.models]
        ready = frozenset(name for name in names if self.is_ready(name, arrival.model))
        loading = frozenset(name for name in names if self._strategy.loads(name))
        ticket = Ticket(arrival, ready, loading)
        self.tickets.append(ticket)
        self._open[arrival.id] = ticket
        self.agenda.add(arrival.at + self.workload.load.patience, lambda _: self._leave(ticket))
        self._strategy.arrive(ticket)

    def is_ready(self, box: str, model: str) -> bool:
        return self.boxes[box].memory.models[model].residency is Residency.READY

    def send(self, ticket: Ticket, box: str) -> None:
        """Gives a request to a box; what it does not take has failed."""
        arrival = ticket.arrival
        ticket.box, ticket.sent = box, self.now
        request = Request(arrival.id, arrival.model, arrival.prompt, arrival.output, stream=False)
        denial = self.boxes[box].submit(request, self.now)
        if denial is not None:
            self.fail(ticket, denial.why)

    def fail(self, ticket: Ticket, why: str) -> None:
        self._open.pop(ticket.arrival.id, None)
        ticket.failed, ticket.ended = why, self.now
        self._strategy.finished(ticket)

    def _leave(self, ticket: Ticket) -> None:
        """The client has waited long enough."""
        if self._open.pop(ticket.arrival.id, None) is None:
            return
        if ticket.box:
            self.boxes[ticket.box].cancel(ticket.arrival.id, self.now)
        self.fail(ticket, "patience")

    # -- boxes -----------------------------------------------------------------------------------------

    def _note(self, box: str, event: Event) -> None:
        counted = self.counts if self.now >= self.workload.load.warm_up else Counts()
        match event:
            case Done() | Failed():
                self._ended(box, event)
                return
            case Loading():
                counted.loads += 1
            case Loaded():
                self._loaded[box, event.model] = event.at
            case LoadFailed():
                counted.load_failures += 1
            case Unloaded():
                counted.unloads += 1
            case OutOfMemory():
                counted.ends[event.doing] = counted.ends.get(event.doing, 0) + 1
            case _:
                pass
        self._strategy.told(box, event)

    def _ended(self, box: str, event: Done | Failed) -> None:
        ticket = self._open.pop(event.id, None)
        if ticket is None:
            return
        if isinstance(event, Failed):
            self.fail(ticket, event.why)
            return
        ticket.timings, ticket.ended = event.timings, event.at
        # Whatever it waited for besides: its model was not there, and came after it had been asked for.
        ticket.cold = self._loaded.get((box, ticket.arrival.model), -inf) > ticket.arrival.at
        self._strategy.finished(ticket)
