"""What one budget has reserved and spent in its present period. Amounts are whole billionths, so sums are exact."""

from datetime import tzinfo
from math import ceil

from orchestra_core.accounting.pacing import weight
from orchestra_core.accounting.periods import Span, span
from orchestra_core.domain.budgets import Budget

BILLION = 1_000_000_000


def amount(money: float) -> int:
    return round(money * BILLION)


def at_most(money: float) -> int:
    """Never less than `amount` of anything that is not more."""
    return max(ceil(money * BILLION), amount(money))


class Account:
    """`owner` is whose it is where each key has one. Whatever asks rolls it over first, when its period has ended."""

    __slots__ = (
        "budget",
        "known",
        "limit",
        "overruns",
        "owner",
        "presumed",
        "refused",
        "reserved",
        "settled",
        "span",
        "unpriced",
        "zone",
    )

    def __init__(
        self, budget: Budget, zone: tzinfo, now: float, owner: str = "", *, known: bool = True
    ) -> None:
        self.budget = budget
        self.limit = amount(budget.limit)
        self.zone = zone
        self.owner = owner
        self.known = known
        self.reserved = 0
        self.refused = 0
        self._begin(span(budget.period, now, zone))

    def _begin(self, new: Span) -> None:
        self.span = new
        self.settled = self.presumed = 0
        self.unpriced = self.overruns = 0

    def roll(self, now: float) -> None:
        """What is still reserved was set aside from the money of the period that has ended."""
        if now >= self.span.end:
            self._begin(span(self.budget.period, now, self.zone))
            self.reserved = self.refused = 0
            self.known = True

    def weight(self, now: float) -> float:
        """What cost weighs by this budget; 1 for a hard one."""
        if self.budget.hard:
            return 1.0
        return weight(self.settled / self.limit if self.limit else 1.0, self.span.elapsed(now))

    def change(self, budget: Budget) -> None:
        """Another limit or policy for what has been spent already."""
        self.budget = budget
        self.limit = amount(budget.limit)
