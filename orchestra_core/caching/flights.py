"""Those who ask the same at the same time: the first is sent, the others wait for its answer.

Theory of operation. A flight is one question on its way. Whoever asks it meanwhile boards and waits. When an answer
lands all of them get it. When the first fails, leaves, or takes too long, who waits must not pay for that, and a
backend in trouble must not get all of them at once: so one is released to ask by itself, at the next such occasion
two, then four. All have gone after as many steps as their number has binary digits, and whichever answer lands first
is everybody's. An answer that may not be shared (cut, degraded, too large) would not be for the next one either:
then all are released.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

A = TypeVar("A")


class Flight(Generic[A]):
    """`on_ground` is told when there is nothing left to board. `timed` is its owner's: whether a timer runs for it."""

    def __init__(self, on_ground: Callable[[], None]) -> None:
        self._on_ground = on_ground
        self._waiting: OrderedDict[int, Callable[[A | None], None]] = OrderedDict()
        self._sent = 1
        self._step = 1
        self._boarded = 0
        self.over = False
        self.timed = False

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def board(self, wake: Callable[[A | None], None]) -> int:
        """A ticket. `wake` is called once, with the answer, or with None: then it is sent by itself."""
        self._boarded += 1
        self._waiting[self._boarded] = wake
        return self._boarded

    def leave(self, ticket: int) -> bool:
        """Whether it was still waiting; who was released already has to be told as failed instead."""
        return self._waiting.pop(ticket, None) is not None

    def land(self, answer: A) -> None:
        """It is everybody's; what else is under way of it goes on for itself."""
        self._end(answer)

    def dissolve(self) -> None:
        """There is no answer to be shared: everybody goes on by itself."""
        self._end(None)

    def fail(self) -> None:
        """One that was sent came back without an answer."""
        self._sent -= 1
        if self.over or self._sent:
            return
        self._release()
        if not self._sent:
            self._end(None)

    def late(self) -> None:
        """Those that wait have waited long enough for those that were sent."""
        if not self.over:
            self._release()

    def _release(self) -> None:
        number = min(self._step, len(self._waiting))
        self._step *= 2
        self._sent += number
        for _ in range(number):
            self._waiting.popitem(last=False)[1](None)

    def _end(self, answer: A | None) -> None:
        if self.over:
            return
        self.over = True
        self._on_ground()
        waiting, self._waiting = self._waiting, OrderedDict()
        for wake in waiting.values():
            wake(answer)


class Flights(Generic[A]):
    """The questions on their way, by name."""

    def __init__(self) -> None:
        self._flights: dict[bytes, Flight[A]] = {}

    def __len__(self) -> int:
        return len(self._flights)

    def get(self, name: bytes) -> Flight[A] | None:
        return self._flights.get(name)

    def begin(self, name: bytes) -> Flight[A]:
        """Its caller is the one that is sent."""
        flight = self._flights[name] = Flight[A](lambda: self._forget(name))
        return flight

    def _forget(self, name: bytes) -> None:
        self._flights.pop(name, None)
