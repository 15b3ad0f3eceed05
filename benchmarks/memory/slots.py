"""Slots of the endpoints in the simulation, and who waits for one."""

from collections import deque
from collections.abc import Callable, Mapping

import msgspec

from benchmarks.memory.simulator import Ticket
from orchestra_core.domain.catalog import Endpoint, Residency
from orchestra_core.domain.decision import Candidate

_READY = Residency.READY


class Place(msgspec.Struct, eq=False):
    """A request that has a slot of an endpoint, and waits for the model where `since` is set."""

    ticket: Ticket
    endpoint: Endpoint
    candidate: Candidate
    since: float | None = None


class Waiter(msgspec.Struct, eq=False):
    """A request without a slot, planned for the first of the endpoints that it may go to."""

    ticket: Ticket
    ranked: tuple[Candidate, ...]


class Slots:
    """`take` is told of who has got one, and of all that it may go to."""

    def __init__(
        self, endpoints: Mapping[str, Endpoint], take: Callable[[Place, tuple[Candidate, ...]], None]
    ) -> None:
        self._endpoints = endpoints
        self._take = take
        self._queues: dict[str, deque[Waiter]] = {}

    def start(self, ticket: Ticket, ranked: tuple[Candidate, ...]) -> None:
        if not self._place(ticket, ranked):
            self._queues.setdefault(ticket.arrival.model, deque()).append(Waiter(ticket, ranked))
            self._planned(ranked[0], 1)

    def _planned(self, candidate: Candidate, sign: int) -> None:
        endpoint = self._endpoints[candidate.endpoint]
        endpoint.waiting += sign
        endpoint.work += sign * candidate.work

    def _place(self, ticket: Ticket, ranked: tuple[Candidate, ...]) -> bool:
        """Takes a slot of the first endpoint that has one; False if none has. Of those behind the first only where the
        model is ready: a load is never quicker than a slot that was expected to be.
        """
        for candidate in ranked:
            endpoint = self._endpoints[candidate.endpoint]
            ready = candidate is ranked[0] or endpoint.residency is _READY
            if ready and endpoint.inflight < endpoint.spec.slots:
                self._take(Place(ticket, endpoint, candidate), ranked)
                return True
        return False

    def forget(self, ticket: Ticket) -> None:
        queue = self._queues.get(ticket.arrival.model, deque())
        for waiter in queue:
            if waiter.ticket is ticket:
                queue.remove(waiter)
                self._planned(waiter.ranked[0], -1)
                return

    def next(self, endpoint: Endpoint) -> None:
        """A free slot goes to whoever has waited longest for it, or for another of the same model."""
        queue = self._queues.get(endpoint.spec.model, deque())
        for waiter in tuple(queue):
            if endpoint.inflight >= endpoint.spec.slots:
                return
            if waiter not in queue:  # gone by what was done for the one before
                continue
            mine = next((one for one in waiter.ranked if one.endpoint == endpoint.id), None)
            if mine is None or not (mine is waiter.ranked[0] or endpoint.residency is _READY):
                continue
            queue.remove(waiter)
            self._planned(waiter.ranked[0], -1)
            self._take(Place(waiter.ticket, endpoint, mine), waiter.ranked)
