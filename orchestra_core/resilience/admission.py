"""Who may use the slots of a model's endpoints: so many at a time each, the others wait in one queue.

The queue is ours because those of backends have no bound, and there is one per model because a waiter does not
care which of its endpoints comes free first. A freed slot goes to the first waiter that accepts it directly; it
is never free in between, so nobody who arrives then can take it, and no wake-up can be lost: a waiter is either
in the queue, or it holds a slot, or it was refused, or it has withdrawn. No waiter accepts a slot that is free.
"""

from math import sqrt
from typing import Final

from orchestra_core.domain.snapshot import QueueView
from orchestra_core.resilience.limit import Limit
from orchestra_core.resilience.waiting import Line, Waiter

__all__ = ["ModelQueue", "Permits", "Room", "Waiter"]

# Places of a model with few slots (reliability.md section 3).
_LEAST: Final = 16


class Room:
    """The places of all queues together: `per_slot` for each slot of a model, and `limit` in all."""

    __slots__ = ("limit", "per_slot", "taken")

    def __init__(self, limit: int = 512, per_slot: int = 8) -> None:
        self.limit = limit
        self.per_slot = per_slot
        self.taken = 0


class Permits:
    """The slots of one endpoint. Each one held is given back by exactly one `release`, however it was got.

    `allowed` of them may be held at a time: the adaptive limit, and a share of it during a slow start, but at
    least one. Who holds one when that falls keeps it.
    """

    __slots__ = ("_share", "allowed", "endpoint", "held", "limit", "queue")

    def __init__(self, endpoint: str, slots: int, queue: "ModelQueue") -> None:
        self.endpoint = endpoint
        self.queue = queue
        self.limit = Limit(max(1, slots))
        self.held = 0
        self._share = 1.0
        self.allowed = self.limit.slots
        queue.permits[endpoint] = self

    @property
    def slots(self) -> int:
        return self.limit.slots

    def try_acquire(self) -> bool:
        """Takes a slot if one is free; nobody is overtaken, since no waiter accepts one that is free."""
        if self.held >= self.allowed:
            return False
        self.held += 1
        return True

    def release(self, now: float) -> None:
        """Gives a slot back, to the first waiter that accepts it."""
        if self.held <= 0:
            raise ValueError(f"no slot of {self.endpoint} is held")
        self.held -= 1
        if self.queue.line.arrived:
            self.queue.grant(self, now)

    def resize(self, slots: int, now: float) -> None:
        self.limit.resize(max(1, slots))
        self._allow(now)

    def start_slowly(self, share: float, now: float) -> None:
        """`share` of the slots, 0..1, may be used; 1 ends a slow start."""
        if share != self._share:
            self._share = share
            self._allow(now)

    def succeeded(self, now: float) -> None:
        if self.limit.succeeded():
            self._allow(now)

    def pushed_back(self, now: float, sent_at: float) -> None:
        self.limit.pushed_back(now, sent_at)
        self._allow(now)

    def _allow(self, now: float) -> None:
        self.allowed = max(1, int(self.limit.value * self._share + 1e-9))
        self.queue.grant(self, now)


class ModelQueue:
    """Those who wait for any endpoint of one model."""

    __slots__ = ("_room", "line", "model", "permits")

    def __init__(self, model: str, room: Room) -> None:
        self.model = model
        self.permits: dict[str, Permits] = {}
        self.line = Line()
        self._room = room

    @property
    def limit(self) -> int:
        return max(_LEAST, self._room.per_slot * sum(permits.slots for permits in self.permits.values()))

    def take(self, accepts: list[str]) -> str:
        """The first of these endpoints that has a free slot, which is then held; empty when none has."""
        for name in accepts:
            if self.permits[name].try_acquire():
                return name
        return ""

    def enqueue(self, waiter: Waiter) -> bool:
        """A place for who found no free slot (see `take`), or False: the queue is full.

        When it is, the key with the most places gives one up to a key that has fewer, or to a higher priority.
        """
        if self._room.taken >= self._room.limit:
            return False
        if len(self.line) >= self.limit:
            other = self.line.to_give_way(waiter.priority, waiter.key)
            if other is None:
                return False
            self._refuse(other, "the queue is full, and others have fewer places in it")
        self.line.add(waiter)
        self._room.taken += 1
        return True

    def expected_wait(
        self, priority: int, key: str, work: float, running: float, variance: float = 0.0
    ) -> tuple[float, float]:
        """Predicted seconds for one who came now and needs `work` seconds, and how far off that may well be.

        Of `running` half is taken to be over. `variance` is that of the logarithm of a service time: what is not
        known of those ahead adds up as independent errors do.
        """
        ahead = self.line.ahead(priority, key)
        each = self.line.work / len(self.line) if self.line else work
        allowed = max(1, sum(permits.allowed for permits in self.permits.values()))
        return (running / 2 + ahead * each) / allowed, each * sqrt(variance * ahead) / allowed

    def withdraw(self, waiter: Waiter) -> bool:
        """Leaves the queue. False: not in it, and if `granted`, that slot is held and must be released."""
        if waiter not in self.line:
            return False
        self.line.remove(waiter)
        self._room.taken -= 1
        return True

    def grant(self, permits: Permits, now: float) -> None:
        """Hands the free slots of an endpoint to those whose turn it is."""
        line = self.line
        while line and permits.held < permits.allowed:
            waiter = line.first(permits.endpoint, now)
            if waiter is None:
                return
            line.served(waiter)
            self._room.taken -= 1
            permits.held += 1
            waiter.granted = permits.endpoint
            waiter.wake()

    def close(self, endpoint: str, why: str) -> None:
        """Nobody is to wait for this endpoint any longer; who has no other is refused."""
        for waiter in tuple(self.line):
            waiter.accepts.discard(endpoint)
            if not waiter.accepts:
                self._refuse(waiter, why)

    def view(self, now: float) -> QueueView:
        oldest = next(iter(self.line), None)
        return QueueView(
            self.model,
            len(self.line),
            0.0 if oldest is None else max(0.0, now - oldest.since),
            self.line.keys,
        )

    def _refuse(self, waiter: Waiter, why: str) -> None:
        self.withdraw(waiter)
        waiter.refused = why
        waiter.wake()
