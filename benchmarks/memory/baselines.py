"""What people do without an engine: every request to one of the boxes that have its model, which do the rest."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from hashlib import blake2b

from benchmarks.memory.simulator import Strategy, Ticket, World
from orchestra_core.simulation.trace import Event


class Baseline(ABC):
    """A choice of the box. The boxes load on demand, and evict the idle model longest unused, as Ollama does."""

    alone = True

    def __init__(self) -> None:
        self.world: World
        self.names: dict[str, list[str]] = {}
        self.busy: dict[str, int] = {}

    def begin(self, world: World) -> None:
        self.world = world
        self.busy = dict.fromkeys(world.boxes, 0)
        for name, box in world.boxes.items():
            for model in box.memory.models:
                self.names.setdefault(model, []).append(name)

    @abstractmethod
    def choose(self, model: str) -> str:
        """The box, of those that have the model."""

    def arrive(self, ticket: Ticket) -> None:
        box = self.choose(ticket.arrival.model)
        self.busy[box] += 1
        self.world.send(ticket, box)

    def told(self, box: str, event: Event) -> None:  # noqa: B027  the boxes see to it themselves
        pass

    def finished(self, ticket: Ticket) -> None:
        self.busy[ticket.box] -= 1

    def tick(self) -> None:  # noqa: B027  they look at nothing
        pass

    def loads(self, box: str) -> bool:
        return self.world.boxes[box].memory.loads


class RoundRobin(Baseline):
    """Each of a model's boxes in turn."""

    def choose(self, model: str) -> str:
        names = self.names[model]
        names.append(names.pop(0))
        return names[-1]


class Sticky(Baseline):
    """Always the same box for a model, by hash."""

    def choose(self, model: str) -> str:
        names = self.names[model]
        return names[int.from_bytes(blake2b(model.encode(), digest_size=4).digest()) % len(names)]


class LeastBusy(Baseline):
    """The box with the fewest requests of this client under way, in turn among equals."""

    def choose(self, model: str) -> str:
        names = self.names[model]
        chosen = min(names, key=self.busy.__getitem__)
        names.remove(chosen)
        names.append(chosen)
        return chosen


ROUND_ROBIN, STICKY, LEAST_BUSY = "load on demand, round-robin", "sticky", "least-busy"
MAKE: Mapping[str, Callable[[], Strategy]] = {
    ROUND_ROBIN: RoundRobin,
    STICKY: Sticky,
    LEAST_BUSY: LeastBusy,
}
