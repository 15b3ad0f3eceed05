"""What asking a budget for money comes to: it is set aside, it may be in a while, or it is not there."""

from typing import NamedTuple

import msgspec

from orchestra_core.accounting.account import BILLION, Account


class Who(NamedTuple):
    """What an attempt is counted by: the id of a key (or address), the task, the model that answers."""

    key: str
    task: str
    model: str


class Hold:
    """One request: what its attempts have settled, which the journal does not hold before the request has ended.

    `spent` is all of it, `settled` where it went, with the beginning of the period.
    """

    __slots__ = ("settled", "spent")

    def __init__(self) -> None:
        self.settled: list[tuple[Account, float, int]] = []
        self.spent = 0


class Reservation:
    """`amount` set aside in each account of `shares`, from the period that began at the time beside it."""

    __slots__ = ("amount", "hold", "shares", "who")

    def __init__(self, who: Who, accounts: tuple[Account, ...], worst: int, hold: Hold) -> None:
        self.who = who
        self.amount = worst
        self.hold = hold
        self.shares: list[tuple[Account, float]] = []
        for account in accounts:
            self.join(account)

    def join(self, account: Account) -> None:
        account.reserved += self.amount
        self.shares.append((account, account.span.start))


class Wait(msgspec.Struct, frozen=True):
    """It fits once others have settled for less than they reserved, or once what was spent before is known."""

    account: Account

    @property
    def reason(self) -> str:
        budget = self.account.budget
        if not self.account.known:
            return (
                f'what was spent of the budget "{budget.name}" before the engine started is still being read'
            )
        return f'the rest of the budget "{budget.name}" is reserved by requests under way'


class Refusal(msgspec.Struct, frozen=True):
    """It does not fit into what is left of the period, whatever others settle for. `worst` None: no price is known."""

    account: Account
    worst: int | None

    @property
    def needed(self) -> float | None:
        """The limit with which it would have fitted."""
        return None if self.worst is None else (self.account.settled + self.worst) / BILLION

    def reason(self, currency: str) -> str:
        """The budget, what of it is spent and what was asked for."""
        account = self.account
        budget = account.budget
        whole = f"{budget.limit:.12g} {currency} a {budget.period}, {budget.scope(account.owner)}"
        spent = f"{account.settled / BILLION:.12g} {currency} is spent"
        if self.worst is None:
            asked = "no price is known here, so what it costs cannot be bounded"
        else:
            asked = f"this may cost up to {self.worst / BILLION:.12g}"
        return f'the budget "{budget.name}" ({whole}) leaves no room: {spent}, {asked}'


Answer = Reservation | Wait | Refusal
