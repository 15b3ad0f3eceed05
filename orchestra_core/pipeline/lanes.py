"""What stands before an endpoint: its breaker and its queue, one lane each, made when first needed."""

from collections.abc import Callable, Iterable, Sequence

from orchestra_core.clock import Clock
from orchestra_core.domain.catalog import Circuit, Endpoint
from orchestra_core.domain.snapshot import BreakerView
from orchestra_core.resilience.admission import Admission
from orchestra_core.resilience.breaker import Breaker


class Lane:
    """One endpoint with what guards it."""

    __slots__ = ("admission", "breaker", "endpoint")

    def __init__(self, endpoint: Endpoint, breaker: Breaker) -> None:
        self.endpoint = endpoint
        self.breaker = breaker
        slots = max(1, endpoint.spec.slots)
        # Waiting room: 8 per slot but at least 16, reliability.md section 3; backends' own queues have no bound.
        self.admission = Admission(slots, max(16, 8 * slots))


class Lanes:
    def __init__(self, clock: Clock, make_breaker: Callable[[float], Breaker]) -> None:
        self._clock = clock
        self._make_breaker = make_breaker
        self._lanes: dict[str, Lane] = {}

    def of(self, endpoint: Endpoint) -> Lane:
        lane = self._lanes.get(endpoint.id)
        if lane is None:
            lane = self._lanes[endpoint.id] = Lane(endpoint, self._make_breaker(self._clock.monotonic()))
        elif lane.admission.slots != endpoint.spec.slots:
            lane.admission.resize(max(1, endpoint.spec.slots))
        return lane

    def retry_at(self, endpoint_ids: Sequence[str]) -> float | None:
        """The first moment (monotonic) one of these breakers lets a probe through."""
        times = [
            at
            for name in endpoint_ids
            if (lane := self._lanes.get(name)) and (at := lane.breaker.retry_at()) is not None
        ]
        return min(times, default=None)

    def refresh(self, now: float) -> Iterable[tuple[Endpoint, Circuit]]:
        """Brings every endpoint's published circuit up to date; yields those that changed with time alone."""
        for lane in self._lanes.values():
            state = lane.breaker.state(now)
            if state is not lane.endpoint.circuit:
                lane.endpoint.circuit = state
                yield lane.endpoint, state

    def views(self) -> tuple[BreakerView, ...]:
        now = self._clock.monotonic()
        return tuple(lane.breaker.view(name, now) for name, lane in sorted(self._lanes.items()))
