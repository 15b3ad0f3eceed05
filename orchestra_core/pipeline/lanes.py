"""What stands before an endpoint: its breaker and its slots, one lane each, made when first needed."""

from collections.abc import Callable, Iterable, Sequence, Set

from orchestra_core.clock import Clock
from orchestra_core.domain.catalog import Circuit, Endpoint
from orchestra_core.domain.snapshot import BreakerView, QueueView
from orchestra_core.resilience.admission import ModelQueue, Permits, Room
from orchestra_core.resilience.breaker import Breaker
from orchestra_core.telemetry.performance import recovered


class Lane:
    """One endpoint with what guards it."""

    __slots__ = ("breaker", "endpoint", "permits")

    def __init__(self, endpoint: Endpoint, breaker: Breaker, queue: ModelQueue) -> None:
        self.endpoint = endpoint
        self.breaker = breaker
        self.permits = Permits(endpoint.id, endpoint.spec.slots, queue)


class Lanes:
    def __init__(
        self, clock: Clock, make_breaker: Callable[[float], Breaker], room: Room | None = None
    ) -> None:
        self._clock = clock
        self._make_breaker = make_breaker
        self._lanes: dict[str, Lane] = {}
        self._queues: dict[str, ModelQueue] = {}
        self._room = room or Room()

    def of(self, endpoint: Endpoint) -> Lane:
        lane = self._lanes.get(endpoint.id)
        if lane is None:
            return self._open(endpoint)
        if lane.endpoint is not endpoint:
            lane.endpoint = endpoint  # it was gone, and came back
        if lane.permits.limit.slots != endpoint.spec.slots:
            lane.permits.resize(endpoint.spec.slots, self._clock.monotonic())
        return lane

    def _open(self, endpoint: Endpoint) -> Lane:
        model = endpoint.spec.model
        queue = self._queues.get(model)
        if queue is None:
            queue = self._queues[model] = ModelQueue(model, self._room)
        lane = Lane(endpoint, self._make_breaker(self._clock.monotonic()), queue)
        self._lanes[endpoint.id] = lane
        return lane

    def retry_at(self, endpoint_ids: Sequence[str]) -> float | None:
        """The first moment (monotonic) one of these breakers lets a probe through."""
        times = [
            at
            for name in endpoint_ids
            if (lane := self._lanes.get(name)) and (at := lane.breaker.retry_at()) is not None
        ]
        return min(times, default=None)

    def changed(self, lane: Lane, circuit: Circuit, now: float) -> None:
        """The breaker changed: publishes it, and who waits in vain goes elsewhere."""
        lane.endpoint.circuit = circuit
        if circuit is Circuit.CLOSED:
            lane.endpoint.reliability = recovered(lane.endpoint.reliability)
        elif circuit is Circuit.OPEN:
            lane.permits.queue.close(lane.endpoint.id, f"the breaker of {lane.endpoint.id} has opened")
        lane.permits.start_slowly(lane.breaker.allowance(now), now)

    def refresh(self, now: float) -> Iterable[tuple[Endpoint, Circuit]]:
        """Brings circuits and slow starts up to date; yields the endpoints whose circuit changed with time alone."""
        for lane in tuple(self._lanes.values()):
            state = lane.breaker.state(now)
            if state is not lane.endpoint.circuit:
                self.changed(lane, state, now)
                yield lane.endpoint, state
            else:
                lane.permits.start_slowly(lane.breaker.allowance(now), now)
            if lane.permits.queue.line and (lane.endpoint.draining or state is Circuit.OPEN):
                lane.permits.queue.close(lane.endpoint.id, f"{lane.endpoint.id} takes no more requests")

    def forget(self, backends: Set[str]) -> None:
        """Drops the lanes of backends other than these, once nothing runs there: their slots make no room."""
        for name, lane in tuple(self._lanes.items()):
            if lane.endpoint.spec.backend not in backends and not lane.permits.held:
                lane.permits.queue.close(name, f"{name} was removed")
                del self._lanes[name], lane.permits.queue.permits[name]

    def views(self) -> tuple[BreakerView, ...]:
        now = self._clock.monotonic()
        return tuple(lane.breaker.view(name, now) for name, lane in sorted(self._lanes.items()))

    def queues(self) -> tuple[QueueView, ...]:
        """Those in which somebody waits."""
        now = self._clock.monotonic()
        return tuple(queue.view(now) for _, queue in sorted(self._queues.items()) if queue.line)
