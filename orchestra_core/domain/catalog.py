"""Backends, models and endpoints: what there is to send a call to."""

from math import exp
from typing import Final

from orchestra_core.domain.call import Task
from orchestra_core.domain.facts import (
    BackendKind,
    Circuit,
    EndpointSpec,
    ModelInfo,
    Reliability,
    Residency,
    Speed,
)
from orchestra_core.domain.memory import Need

__all__ = [
    "MEMORY_SECONDS",
    "RECENT_SECONDS",
    "BackendKind",
    "Circuit",
    "Endpoint",
    "EndpointSpec",
    "ModelInfo",
    "Reliability",
    "Residency",
    "Speed",
    "failure_probability",
    "lately",
]

# What is that old counts for 1/e.
MEMORY_SECONDS: Final = 600.0
RECENT_SECONDS: Final = 20.0
# Below this the prior says as much, and nothing needs to be computed for it.
_NEGLIGIBLE: Final = 0.01
# An endpoint nobody has tried is taken to fail once in a hundred calls, with the force of five calls.
_PRIOR_FAILURES: Final = 0.05
_PRIOR_CALLS: Final = 5.0
_PRIOR: Final = _PRIOR_FAILURES / _PRIOR_CALLS


def failure_probability(reliability: Reliability, now: float) -> float:
    """That the next call fails, 0..1: mean of the Beta posterior after forgetting (routing.md 4.2), or what was
    seen just now if that is worse.

    Never less than of an endpoint nobody has tried. In the calls of ten minutes, what is rarer is luck, and who has had
    it would get all the calls: the more of them end well the better it looks, while nobody tries the others.
    """
    failures = reliability.failures
    if not failures and reliability.recent < _NEGLIGIBLE:
        # It never failed, as most: whatever its successes are worth by now, it is the prior.
        return _PRIOR
    at = reliability.at
    kept = exp((at - now) / MEMORY_SECONDS) if now > at else 1.0
    failures *= kept
    usual = (failures + _PRIOR_FAILURES) / (failures + reliability.successes * kept + _PRIOR_CALLS)
    usual = usual if usual > _PRIOR else _PRIOR
    return usual if reliability.recent < _NEGLIGIBLE else max(usual, lately(reliability, now))


def lately(reliability: Reliability, now: float) -> float:
    """The recent share of failures, faded: nobody may have tried since."""
    recent = reliability.recent
    return recent * exp((reliability.at - now) / RECENT_SECONDS) if now > reliability.at else recent


class Endpoint:
    """The live view of one endpoint: the selector reads it, each owner writes its own field.

    Written only on the event loop and never across an await, so a reader always sees one consistent state.
    Of those `inflight`, `awaiting` hold a slot and wait until the model is loaded; `waiting` have no slot yet.
    `work` is predicted seconds of service dispatched and not yet finished (dead reckoning). `external` is
    the expected seconds of reloading that using this endpoint would cost others by eviction, 0 while nothing
    must be evicted.
    Until `cooling_until` (monotonic seconds) nothing is sent to it, because it said that it has had enough.
    `first_token` (seconds) and `rate` (tokens per second) are recent averages as measured, for people.
    `need` is the memory predicted for it, `took` the seconds of its last load, `demand` the requests per second
    expected of it; `ready_since` and `last_done`, its last completion, are monotonic seconds. `barred` is a code and
    words for why it may not be loaded now. `changing_since` (monotonic) is when the load or unload under way
    began, 0 where none is or only its backend knows of it, `changed` when the last one ended. `pin` is as in
    `ModelInfo`.
    """

    __slots__ = (
        "awaiting",
        "barred",
        "calls",
        "changed",
        "changing_since",
        "circuit",
        "cooling_until",
        "demand",
        "draining",
        "external",
        "failed",
        "first_token",
        "id",
        "inflight",
        "last_done",
        "last_used",
        "memory_bytes",
        "need",
        "outputs",
        "pin",
        "progress",
        "rate",
        "reachable",
        "ready_since",
        "reliability",
        "residency",
        "spec",
        "speed",
        "tokens",
        "took",
        "waiting",
        "work",
    )

    def __init__(self, spec: EndpointSpec, residency: Residency = Residency.READY) -> None:
        self.id = spec.id
        self.spec = spec
        self.residency = residency
        self.circuit = Circuit.CLOSED
        self.draining = False
        self.reachable = True
        self.inflight = 0
        self.awaiting = 0
        self.waiting = 0
        self.work = 0.0
        self.cooling_until = 0.0
        self.external = 0.0
        self.speed = Speed()
        self.reliability = Reliability()
        self.outputs: dict[Task, float] = {}
        self.last_used = 0.0
        self.calls = 0
        self.failed = 0
        self.tokens = 0
        self.memory_bytes: int | None = None
        self.progress = ""
        self.first_token: float | None = None
        self.rate: float | None = None
        self.need: Need | None = None
        self.took: float | None = None
        self.demand = 0.0
        self.ready_since = 0.0
        self.last_done = 0.0
        self.changing_since = 0.0
        self.changed = 0.0
        self.barred: tuple[str, str] | None = None
        self.pin: int | None = None

    @property
    def served(self) -> int:
        """Calls in service: those admitted, less those that wait for the model to be loaded."""
        return self.inflight - self.awaiting

    def __repr__(self) -> str:
        return f"<{self.id} {self.residency} {self.circuit} {self.inflight}/{self.spec.slots}>"
