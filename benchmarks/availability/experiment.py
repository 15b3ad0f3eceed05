"""What is measured: the file of the experiment, and the requests of one run. Pure."""

import tomllib
from pathlib import Path
from random import Random

import msgspec

from orchestra_core.simulation.dialogue import ask_chat
from orchestra_core.simulation.faults import FaultMix
from orchestra_core.simulation.text import span
from orchestra_core.simulation.trace import Request

FILE = Path(__file__).with_name("mix.toml")
NATURE = "simulated"


class Load(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is offered; times in seconds, `rate` in requests a second."""

    seeds: tuple[int, ...]
    seconds: float
    rate: float
    streamed: float
    tokens: tuple[int, int]
    deadline: float


class Fleet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The simulated backends, and which of them share a process."""

    name: str
    model: str
    processes: tuple[tuple[str, ...], ...]
    first: str

    @property
    def backends(self) -> tuple[str, ...]:
        return tuple(sorted(name for process in self.processes for name in process))


class EngineOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    timeouts: dict[str, float] = {}


class Experiment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file. `simulated` says of itself what it is."""

    simulated: bool
    load: Load
    fleet: Fleet
    engine: EngineOptions
    schedule: FaultMix


def read(path: Path = FILE) -> Experiment:
    return msgspec.convert(tomllib.loads(path.read_text()), Experiment)


class Arrival(msgspec.Struct, frozen=True):
    """One request: when it is due, and what it asks for."""

    id: str
    at: float
    stream: bool
    tokens: int

    @property
    def messages(self) -> list[dict[str, object]]:
        return [{"role": "user", "content": f"Question {self.id}: what is under the willow?"}]

    def body(self, model: str) -> bytes:
        fields = {"model": model, "messages": self.messages, "max_tokens": self.tokens, "stream": self.stream}
        return msgspec.json.encode(fields)

    def request(self, model: str) -> Request:
        """The same for the service-time model, without sockets."""
        asked = ask_chat(model, self.messages)
        return Request(
            self.id, model, asked.tokens, max_tokens=self.tokens, stream=self.stream, content=asked.content
        )

    def expected(self, model: str) -> str:
        """The one text that is a complete answer."""
        return span(ask_chat(model, self.messages).content, 0, self.tokens)


def arrivals(load: Load, seed: int) -> list[Arrival]:
    """The requests of one run: Poisson, and the same for every strategy."""
    rng = Random(f"arrivals {seed}")
    due: list[Arrival] = []
    at = rng.expovariate(load.rate)
    while at < load.seconds:
        stream = rng.random() < load.streamed
        due.append(Arrival(f"s{seed}-{len(due)}", at, stream, rng.randint(*load.tokens)))
        at += rng.expovariate(load.rate)
    return due
