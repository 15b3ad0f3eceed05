"""How many retries the whole engine may make: so few that they never make an outage worse."""

import msgspec


class Retries(msgspec.Struct, frozen=True):
    """What may be tried again. Times in seconds; sources: reliability.md section 3.

    `attempts` are all those of one request. Each request adds `budget` to what may be retried, beyond a reserve
    of `reserve`; `most` bounds what a quiet hour saves up (as many as may wait in all queues). Before it goes
    where a fault was just met it waits a random part of `base`, doubled each time up to `longest`. A backend's
    own Retry-After is waited for up to `honoured`, a model that is being loaded up to `load`.
    `continuation`: an answer that was cut goes on elsewhere where that is possible.
    """

    attempts: int = 3
    budget: float = 0.2
    reserve: float = 3.0
    most: float = 512.0
    base: float = 0.1
    longest: float = 2.0
    honoured: float = 10.0
    load: float = 300.0
    continuation: bool = True


class RetryBudget:
    """One for all requests: retries that fail never exceed `budget` x requests + `reserve`.

    A retry that is answered gives back what it took: it was no extra load on something sick, and a quiet engine
    with one bad backend and one good one must not run dry. In a total outage none is answered, so attempts stay
    below 1.2 x requests + 3.
    """

    __slots__ = ("balance", "retries")

    def __init__(self, retries: Retries) -> None:
        self.retries = retries
        self.balance = retries.reserve

    def deposit(self) -> None:
        """A request came."""
        balance = self.balance + self.retries.budget
        self.balance = balance if balance < self.retries.most else self.retries.most

    def refund(self) -> None:
        """The retry was answered."""
        self.balance = min(self.retries.most, self.balance + 1.0)

    def withdraw(self) -> bool:
        """Whether a retry may be made, which then counts."""
        if self.balance < 1.0:
            return False
        self.balance -= 1.0
        return True
