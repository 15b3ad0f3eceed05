"""What no gateway could exceed in this mix without continuing answers: a client that knows everything but the future.

It knows at once that a backend has broken or is well again, sends each request to the well backend with the fewest,
and moves whatever has not begun without losing a moment. What it cannot know is which backend breaks next; whoever
has begun to read an answer there loses it. The backends are equal and break independently, so placing requests
otherwise changes who is hit, not how many: what is left is how many answers are being read at the moment of a fault.
"""

import heapq
from collections.abc import Callable
from math import inf

import msgspec

from benchmarks.availability.experiment import Experiment, arrivals
from orchestra_core.simulation.faults import plan
from orchestra_core.simulation.fleet import FLEETS
from orchestra_core.simulation.service_model import ServiceModel
from orchestra_core.simulation.trace import (
    Done,
    Event,
    Failed,
    FaultKind,
    InjectedFault,
    Loaded,
    Repaired,
    Request,
    Tokens,
)

# Under these the whole backend stands or crawls, so what it has not begun is asked for elsewhere.
_STALLS = frozenset({FaultKind.HANG, FaultKind.SLOW})


class Bound(msgspec.Struct, frozen=True):
    """One seed. `cut` of the `offered` had begun when their backend crashed, hung or became slow, and were lost."""

    offered: int
    good: int
    cut: int

    @property
    def share(self) -> float:
        return self.good / self.offered if self.offered else 1.0


def bound(experiment: Experiment, seed: int, hold: float = 0.0) -> Bound:
    """The answers of one seed that can be had. `hold`: seconds for which a stream is kept back once it has begun."""
    return _Oracle(experiment, seed, hold).run()


class _Oracle:
    def __init__(self, experiment: Experiment, seed: int, hold: float) -> None:
        load, setup = experiment.load, experiment.fleet
        self._name = setup.model
        self._hold = hold
        self._models = [ServiceModel(spec) for spec in FLEETS[setup.name]]
        self._due: list[tuple[float, int, Callable[[float], None]]] = []
        self._number = 0
        self._asked: dict[str, Request] = {}
        self._at: dict[str, ServiceModel] = {}
        self._began: dict[str, float] = {}
        self._homeless: list[str] = []
        self._good = self._cut = 0
        offered = arrivals(load, seed)
        self._offered = len(offered)
        for one in offered:
            self._asked[one.id] = one.request(self._name)
            self._on(one.at, lambda at, id=one.id: self._place(id, at))
            self._on(one.at + load.deadline, lambda at, id=one.id: self._give_up(id, at))
        for model in self._models:
            for fault in plan(experiment.schedule, model.spec.name, seed, load.seconds):
                self._on(fault.at, lambda at, m=model, f=fault.fault: self._break(m, f, at))

    def run(self) -> Bound:
        while self._due:
            at = min(self._due[0][0], *(model.next_event() for model in self._models))
            for model in self._models:
                self._hear(model, at)
            while self._due and self._due[0][0] <= at:
                heapq.heappop(self._due)[2](at)
        return Bound(self._offered, self._good, self._cut)

    def _on(self, at: float, do: Callable[[float], None]) -> None:
        self._number += 1
        heapq.heappush(self._due, (at, self._number, do))

    def _place(self, id: str, at: float) -> None:
        well = [model for model in self._models if self._well(model)]
        if not well:
            self._homeless.append(id)
            return
        self._at[id] = chosen = min(well, key=lambda model: model.running + model.waiting)
        chosen.submit(self._asked[id], at)

    def _well(self, model: ServiceModel) -> bool:
        return model.fault is None and model.reachable and model.is_ready(self._name)

    def _break(self, model: ServiceModel, fault: InjectedFault, at: float) -> None:
        self._hear(model, at)
        model.inject(fault, at)
        if fault.kind in _STALLS:
            for id in [id for id, where in self._at.items() if where is model and not self._read(id, at)]:
                model.cancel(id, at)
                self._move(id, at)
        self._hear(model, at)

    def _read(self, id: str, at: float) -> bool:
        """Whether its client has the beginning of the answer."""
        return self._began.get(id, inf) + self._hold <= at

    def _move(self, id: str, at: float) -> None:
        del self._at[id]
        self._began.pop(id, None)
        self._place(id, at)

    def _hear(self, model: ServiceModel, at: float) -> None:
        for event in model.advance(at):
            self._follow(event)

    def _follow(self, event: Event) -> None:
        match event:
            case Tokens(id, _, _, at):
                self._began.setdefault(id, at)
            case Done(id):
                self._good += self._at.pop(id, None) is not None
            case Failed(id, at) if self._read(id, at):
                self._cut += self._at.pop(id, None) is not None
            case Failed(id, at):
                self._move(id, at)
            case Loaded(_, at) | Repaired(at):
                waiting, self._homeless = self._homeless, []
                for id in waiting:
                    self._place(id, at)

    def _give_up(self, id: str, at: float) -> None:
        where = self._at.pop(id, None)
        if where is not None:
            where.cancel(id, at)
            self._cut += self._read(id, at)
        elif id in self._homeless:
            self._homeless.remove(id)
