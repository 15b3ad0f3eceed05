"""Who may use the slots of one endpoint: so many at a time, the others by priority and arrival, up to a limit.

The queue is ours because those of backends have no bound. A freed slot goes to the first waiter directly; it
is never free in between, so nobody who arrives then can take it, and no wake-up can be lost: a waiter is
either in the queue, or it holds a slot, or it has withdrawn.
"""

from collections import OrderedDict
from collections.abc import Callable


class Waiter:
    """A place in the queue. `granted` once a slot has been handed over."""

    __slots__ = ("granted", "priority", "wake")

    def __init__(self, wake: Callable[[], None], priority: int) -> None:
        self.wake = wake
        self.priority = priority
        self.granted = False


class Admission:
    """Every slot held is given back by exactly one `release`, however it was got."""

    __slots__ = ("_queues", "held", "limit", "slots")

    def __init__(self, slots: int, limit: int) -> None:
        self.slots = slots
        self.limit = limit
        self.held = 0
        self._queues: dict[int, OrderedDict[Waiter, None]] = {}

    @property
    def waiting(self) -> int:
        return sum(map(len, self._queues.values()))

    def try_acquire(self) -> bool:
        """Takes a slot if one is free; nobody is overtaken, since none is free while someone waits."""
        if self.held >= self.slots:
            return False
        self.held += 1
        return True

    def enqueue(self, wake: Callable[[], None] = lambda: None, priority: int = 0) -> Waiter | None:
        """A place behind those of the same or a higher priority, or None: the queue is full.

        `wake` is called once, when the slot has become the waiter's; it must not call back into this object.
        """
        if self.waiting >= self.limit:
            return None
        waiter = Waiter(wake, priority)
        self._queues.setdefault(priority, OrderedDict())[waiter] = None
        self._grant()
        return waiter

    def release(self) -> Waiter | None:
        """Gives a slot back; the waiter that got it, already woken, if there was one."""
        if self.held <= 0:
            raise ValueError("no slot is held")
        self.held -= 1
        return self._grant()

    def withdraw(self, waiter: Waiter) -> bool:
        """Leaves the queue. False: not in it, and if `granted`, the slot is held and must be released."""
        if waiter not in self._queues.get(waiter.priority, ()):
            return False
        self._remove(waiter)
        return True

    def resize(self, slots: int) -> None:
        """Another number of slots; with more, waiters are woken, with less, those that hold keep theirs."""
        self.slots = slots
        while self._grant() is not None:
            pass

    def _grant(self) -> Waiter | None:
        if not self._queues or self.held >= self.slots:
            return None
        waiter = next(iter(self._queues[max(self._queues)]))
        self._remove(waiter)
        self.held += 1
        waiter.granted = True
        waiter.wake()
        return waiter

    def _remove(self, waiter: Waiter) -> None:
        """An empty queue is dropped, so that the highest key is always somebody's."""
        queue = self._queues[waiter.priority]
        del queue[waiter]
        if not queue:
            del self._queues[waiter.priority]
