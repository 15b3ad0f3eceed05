"""Those who wait for money that others have reserved, in the order they came.

Whoever fits goes at once, also past those who wait for more: their turn comes when what is reserved settles. Nobody is
passed for longer than `PATIENCE` seconds, though: from then on those behind leave the same budgets alone until the
one who waits has been served. Pure: the shell wakes those that `look` returns.
"""

from orchestra_core.accounting.account import Account
from orchestra_core.accounting.budget import Book, obstacle_in
from orchestra_core.accounting.reservation import Answer, Hold, Refusal, Reservation, Wait, Who

PATIENCE = 5.0


class Want:
    """One attempt that asks since `since` for `worst` (None: price unknown); `answer` is set once it is decided."""

    __slots__ = ("answer", "hold", "since", "who", "worst")

    def __init__(self, who: Who, worst: int | None, hold: Hold, since: float) -> None:
        self.who = who
        self.worst = worst
        self.hold = hold
        self.since = since
        self.answer: Reservation | Refusal | None = None


class Line:
    def __init__(self, book: Book) -> None:
        self._book = book
        self._waiting: list[Want] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def ask(self, want: Want, now: float) -> Wait | None:
        """Decides it now (`want.answer`), or lets it wait and says for what."""
        closed: set[Account] = set()
        for before in self._waiting:
            self._close(before, now, closed)
        return self._ask(want, now, closed)

    def withdraw(self, want: Want) -> bool:
        """Whether it still waited; where not, it has its answer."""
        if want not in self._waiting:
            return False
        self._waiting.remove(want)
        return True

    def look(self, now: float) -> list[Want]:
        """Who of those that waited is decided: to be asked when something was settled, and as time passes."""
        if not self._waiting:
            return []
        waiting, self._waiting = self._waiting, []
        closed: set[Account] = set()
        for want in waiting:
            if self._ask(want, now, closed) is not None:
                self._close(want, now, closed)
        return [want for want in waiting if want.answer is not None]

    def waiting_for(self, account: Account, now: float) -> int:
        return sum(account in self._book.of(want.who, now) for want in self._waiting)

    def _ask(self, want: Want, now: float, closed: set[Account]) -> Wait | None:
        """`closed` are the accounts that somebody has waited for too long."""
        answer: Answer | None
        accounts = self._book.of(want.who, now) if closed and want.worst else ()
        taken = next((account for account in accounts if account in closed), None)
        if taken is None:
            answer = self._book.reserve(want.who, want.worst, now, want.hold)
        else:
            answer = obstacle_in(accounts, want.worst) or Wait(taken)
        if isinstance(answer, Wait):
            self._waiting.append(want)
            return answer
        want.answer = answer
        return None

    def _close(self, want: Want, now: float, closed: set[Account]) -> None:
        if now - want.since >= PATIENCE:
            closed.update(one for one in self._book.of(want.who, now) if one.budget.hard)
