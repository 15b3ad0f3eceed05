"""Whether to load a model before anybody asks, and which: only what is likely to spare more waiting than it costs.

    P(needed within H) x load time > sum over the evicted of P(needed within H) x load time + the load's own trouble

(routing.md 4.7). Into free memory whatever is likely goes, the most valuable first, with a long H; to evict others
for it, its time must be near. The scheduler has the last word: such a load comes last there, and is given up as soon
as a real request needs the room.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from math import ceil

from orchestra_core.domain.catalog import Circuit, Endpoint, Residency
from orchestra_core.domain.memory import Pressure
from orchestra_core.domain.result import Plan
from orchestra_core.residency.demand import Demand
from orchestra_core.residency.precision import Precision

LONGEST_SECONDS = 600.0
# Loads this short still have to be seen coming, with looks a second apart.
_SHORTEST_SECONDS = 30.0
# What a load costs even where nothing is evicted: discs, buses and cores are busy for as long as it takes, and a
# share of all guesses is wrong. In load times; judgement.
_TROUBLE = 0.35
# Planned loads a look: a plan costs more than everything else here together.
_PLANS = 4
_AGAIN_SECONDS = 10.0
# Calls in service per slot that an endpoint is meant to have (routing.md 4.7).
_UTILISATION = 0.7
_HERE = (Residency.RESERVED, Residency.LOADING, Residency.READY)
Models = Mapping[str, Sequence[Endpoint]]


class Preload:
    """`ttl` says after how many idle seconds a model has to go: it is then loaded shortly before its time only."""

    def __init__(self, demand: Demand, ttl: Callable[[str], float | None] = lambda _: None) -> None:
        self.precision = Precision()
        self._demand = demand
        self._ttl = ttl
        self._values: dict[str, float] = {}
        self._refused: dict[str, float] = {}
        self._unwanted: dict[str, float] = {}

    def unwanted(self, endpoint: Endpoint, now: float) -> None:
        """Somebody has unloaded it on purpose: it is left alone until its model is asked for again."""
        self._unwanted[endpoint.id] = now

    def weigh(self, due: Iterable[tuple[str, Sequence[Endpoint]]], now: float) -> None:
        """Puts a value on each of these models: seconds of waiting that having it ready would probably spare."""
        for model, endpoints in due:
            value = self._value(model, endpoints, now)
            if value > 0.0:
                self._values[model] = value
            else:
                self._values.pop(model, None)

    def choose(
        self,
        models: Models,
        plan: Callable[[Endpoint], Plan],
        pressure: Callable[[Endpoint], Pressure],
        now: float,
    ) -> Endpoint | None:
        """The endpoint that is worth loading now, if there is one. Follows what becomes of it from here on."""
        if self.precision.loading:
            return None
        self._refused = {key: at for key, at in self._refused.items() if now - at < _AGAIN_SECONDS}
        for model, endpoint in islice(self._candidates(models, pressure, now), _PLANS):
            horizon = self._worth(endpoint, model, plan(endpoint), models, now)
            if horizon is not None:
                self.precision.begin(endpoint, horizon, now)
                return endpoint
            self._refused[endpoint.id] = now
        return None

    def _candidates(
        self, models: Models, pressure: Callable[[Endpoint], Pressure], now: float
    ) -> Iterator[tuple[str, Endpoint]]:
        """The most valuable first, and of each model the quickest to load."""
        for model in sorted(self._values, key=self._values.__getitem__, reverse=True):
            able = self._able(model, models.get(model, ()), now)
            if not able:
                del self._values[model]
            for endpoint in sorted(able, key=lambda e: (load_seconds(e), e.id)):
                if endpoint.id in self._refused or self._left_alone(model, endpoint):
                    continue
                if pressure(endpoint) <= Pressure.CALM:
                    yield model, endpoint

    def _able(self, model: str, endpoints: Sequence[Endpoint], now: float) -> list[Endpoint]:
        """Where it could be loaded, if it is to be loaded anywhere."""
        able = [e for e in endpoints if e.residency is Residency.ABSENT and self._loadable(e)]
        if able and (self._served(model, endpoints, now) or not self.precision.allows(model, now)):
            return []
        return able

    def _value(self, model: str, endpoints: Sequence[Endpoint], now: float) -> float:
        able = self._able(model, endpoints, now)
        if not able:
            return 0.0
        seconds = min(map(load_seconds, able))
        likely = self._demand.probability(model, self._horizon(model, seconds, free=True), now)
        return likely * seconds if likely > _TROUBLE else 0.0

    @staticmethod
    def _loadable(endpoint: Endpoint) -> bool:
        return (
            endpoint.spec.loadable
            and endpoint.reachable
            and not endpoint.draining
            and endpoint.barred is None
            and endpoint.circuit is not Circuit.OPEN
            and not (
                endpoint.inflight or endpoint.waiting
            )  # it is being asked for: that is no guess any more
        )

    def _left_alone(self, model: str, endpoint: Endpoint) -> bool:
        at = self._unwanted.get(endpoint.id)
        if at is None:
            return False
        if (self._demand.arrived_at(model) or 0.0) <= at:
            return True
        del self._unwanted[endpoint.id]
        return False

    def _served(self, model: str, endpoints: Sequence[Endpoint], now: float) -> bool:
        """Whether there are as many copies as the load of the last minute needs; one if it is not in use."""
        here = [e for e in endpoints if e.residency in _HERE and e.reachable and not e.draining]
        if not here:
            return False
        slots = sum(e.spec.slots for e in here) / len(here)
        return len(here) >= ceil(self._demand.load(model, now) / (_UTILISATION * slots))

    def _horizon(self, model: str, seconds: float, *, free: bool) -> float:
        """How far to look ahead for a model that takes so many seconds to load."""
        if free and self._ttl(model) is None:
            return LONGEST_SECONDS
        return min(max(2 * seconds, _SHORTEST_SECONDS), LONGEST_SECONDS)

    def _worth(
        self,
        endpoint: Endpoint,
        model: str,
        plan: Plan,
        models: Models,
        now: float,
    ) -> float | None:
        """The horizon for which this load pays; None if for none."""
        if not plan.fits or plan.code or plan.waits_for:
            return None
        seconds = load_seconds(endpoint)
        horizon = self._horizon(model, seconds, free=not plan.evicts)
        gain = self._demand.probability(model, horizon, now) * seconds
        lost = 0.0
        for victim, copies in _victims(plan.evicts, models):
            if victim.inflight or victim.waiting:
                return None
            name = victim.spec.model
            lost += self._demand.probability(name, horizon, now) * load_seconds(victim) / copies
            # Asked for while this is being loaded, it gets its room back, and both are gone.
            gain *= 1.0 - self._demand.probability(name, seconds, now) / copies
        return horizon if gain > lost + _TROUBLE * seconds else None


def load_seconds(endpoint: Endpoint) -> float:
    """What a load takes: as measured the last time, else the prior."""
    return endpoint.spec.load_seconds if endpoint.took is None else endpoint.took


def _victims(ids: Sequence[str], models: Models) -> Iterator[tuple[Endpoint, int]]:
    """Each with the number of endpoints that have its model ready."""
    wanted = set(ids)
    for endpoints in models.values() if wanted else ():
        for endpoint in endpoints:
            if endpoint.id in wanted:
                ready = sum(e.residency is Residency.READY for e in endpoints)
                yield endpoint, max(1, ready)
