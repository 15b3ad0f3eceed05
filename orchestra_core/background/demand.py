"""Foresight, once a second: counts what came for each model, says what is expected, and asks for one load ahead.

What came is the growth of calls served, in service and waiting together, so requests pay nothing for it, and those
that wait for a load are seen at once. Who used what after what comes from the requests the ledger has just taken.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from math import ceil

import msgspec

from orchestra_core.clock import Clock
from orchestra_core.domain.catalog import Endpoint, Residency
from orchestra_core.domain.errors import OrchestraError
from orchestra_core.domain.history import History
from orchestra_core.domain.memory import Pressure
from orchestra_core.domain.result import Plan
from orchestra_core.residency.demand import Demand
from orchestra_core.residency.precision import Foresight
from orchestra_core.residency.preload import Preload
from orchestra_core.residency.warmup import remember

Models = Mapping[str, Sequence[Endpoint]]
# A forecast takes some µs; a thousand of them in a row would hold up the requests that come meanwhile.
_EACH_TICK = 250
# Of its share, what a copy is worth that nobody would miss: bursts come. With the whole of it a quarter more loads and
# 9.7 % of requests cold in `make bench-memory` instead of 7.4 % (0.3: 8.1 %, 0.01: 7.4 %).
_SPARE = 0.1
_UP = (Residency.RESERVED, Residency.LOADING, Residency.READY)


class Loads(msgspec.Struct, frozen=True):
    """The scheduler, as far as foresight goes. `ttl` are the idle seconds after which a model has to go."""

    plan: Callable[[Endpoint], Plan]
    pressure: Callable[[Endpoint], Pressure]
    preload: Callable[[Endpoint], object]
    withdraw: Callable[[Endpoint], object]
    ttl: Callable[[str], float | None] = lambda _: None


class Forecasting:
    """`passed` gives who (key or address) used which model since it was last asked; `enabled` allows preloads."""

    def __init__(
        self,
        *,
        clock: Clock,
        models: Callable[[], Models],
        passed: Callable[[], Iterable[tuple[str, str]]],
        loads: Loads,
        enabled: Callable[[], bool],
        say: Callable[[str, str, str, str], None],
    ) -> None:
        self._clock = clock
        self._models = models
        self._passed = passed
        self._loads = loads
        self._enabled = enabled
        self._say = say
        self._turn = 0
        self._counted: dict[str, tuple[tuple[Endpoint, ...], int]] = {}
        self.demand = Demand()
        self.preload = Preload(self.demand, loads.ttl)

    def tick(self) -> None:
        """Call it once a second."""
        now, models = self._clock.monotonic(), self._models()
        self._count(models, now)
        self.demand.used(self._passed(), now)
        due = self._due(models)
        for model, endpoints in due:
            _share(endpoints, self.demand, model, now)
        for endpoint in self.preload.precision.look(now):
            self._loads.withdraw(endpoint)
        if self._enabled():
            self.preload.weigh(due, now)
            self._ahead(models, now)

    async def warm_up(self, history: Callable[[], History]) -> None:
        """Learns from earlier requests, read and digested in a thread; without them it starts knowing nothing."""
        wall, now = self._clock.wall(), self._clock.monotonic()
        try:
            earlier = await asyncio.to_thread(lambda: remember(history(), wall, now))
        except OrchestraError as error:
            self._say(
                "engine.history", "demand", f"starts without earlier requests: {error.message}", "warning"
            )
            return
        self.demand.absorb(earlier, self._clock.monotonic())

    def _due(self, models: Models) -> list[tuple[str, Sequence[Endpoint]]]:
        """Those whose forecast is made anew now: all of them, or where there are many, some in turn."""
        if self._turn >= len(models):
            self._turn = 0
        due = list(islice(models.items(), self._turn, self._turn + _EACH_TICK))
        self._turn += _EACH_TICK
        return due

    def _count(self, models: Models, now: float) -> None:
        """Requests that were cancelled, and probes, do not stay in the sum: the next one only makes up for them."""
        counted = {}
        for model, endpoints in models.items():
            here = tuple(endpoints)
            busy = total = 0
            for endpoint in here:
                busy += endpoint.inflight + endpoint.waiting
                total += endpoint.calls
            total += busy
            before, highest = self._counted.get(model, (here, 0))
            if before != here:  # what the others have served is no arrival, nor is what is gone a loss
                highest = total
            if total > highest:
                self.demand.arrived(model, total - highest, now)
                highest = total
            if busy:
                self.demand.busy(model, busy, now)
            counted[model] = (here, highest)
        self._counted = counted

    def _ahead(self, models: Models, now: float) -> None:
        endpoint = self.preload.choose(models, self._loads.plan, self._loads.pressure, now)
        if endpoint is not None:
            self._say("model.foreseen", endpoint.id, f"{endpoint.spec.model} will be needed soon", "info")
            self._loads.preload(endpoint)

    def unwanted(self, endpoint: Endpoint) -> None:
        """An operator has unloaded it: it is not loaded again before somebody asks for it."""
        self.preload.unwanted(endpoint, self._clock.monotonic())

    def view(self) -> tuple[Foresight, ...]:
        """How well each model was foretold that was ever loaded ahead."""
        return self.preload.precision.view(self._clock.monotonic())


def _share(endpoints: Sequence[Endpoint], demand: Demand, model: str, now: float) -> None:
    """What is expected of a model falls on the endpoints that have it, or else on any of them.

    Copies beyond what the calls of the last minute fill serve nobody who could not be served without them: they are
    worth little, so that they make room before the only copy of another model does.
    """
    up = [e for e in endpoints if e.residency in _UP]
    if not up:
        rate = demand.rate(model, now) / len(endpoints)
        for endpoint in endpoints:
            endpoint.demand = rate
        return
    for endpoint in endpoints:
        endpoint.demand = 0.0
    rate = demand.expected(model, now)
    needed = min(len(up), max(1, ceil(demand.load(model, now) * len(up) / sum(e.spec.slots for e in up))))
    up.sort(key=lambda e: (-(e.inflight + e.waiting), e.ready_since))
    for place, endpoint in enumerate(up):
        endpoint.demand = rate / needed if place < needed else _SPARE * rate / len(up)
