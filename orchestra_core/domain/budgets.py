"""Limits on what may be spent, and how they stand: the words that configuration, accounting and surfaces share."""

from enum import StrEnum

import msgspec


class Period(StrEnum):
    """Local calendar periods in the configured time zone; a week begins on Monday."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Strictness(StrEnum):
    """A `hard` budget is never exceeded; a `soft` one makes cost weigh more the further spending is ahead of time."""

    HARD = "hard"
    SOFT = "soft"


class Over(StrEnum):
    """What follows where a hard budget leaves no room: something of less quality answers, or nobody does."""

    DEGRADE = "degrade"
    REFUSE = "refuse"


THRESHOLDS = (0.5, 0.8, 1.0)


class Budget(msgspec.Struct, frozen=True):
    """`limit` per period, in the configured currency. At most one of `key` (its id or name), `task` and `model` is set.

    With none of them it is over everything, or with `per_key` one for each key (or address, where none is needed).
    `alerts` are shares of the limit, rising. `configured` is the limit of the configuration where an operator has set
    another.
    """

    name: str
    limit: float
    period: Period = Period.MONTH
    kind: Strictness = Strictness.HARD
    over: Over = Over.DEGRADE
    key: str | None = None
    task: str | None = None
    model: str | None = None
    per_key: bool = False
    alerts: tuple[float, ...] = THRESHOLDS
    configured: float | None = None

    @property
    def hard(self) -> bool:
        return self.kind is Strictness.HARD

    @property
    def signature(self) -> str:
        """What its spending is counted over: while this stays the same, so does what was spent."""
        parts = (self.period, self.key, self.task, self.model, "each" if self.per_key else None)
        return "|".join("" if part is None else str(part) for part in parts)

    def scope(self, key: str = "") -> str:
        """In words; `key` is whose budget it is where each key has one."""
        if self.per_key:
            return f"key {key}" if key else "each key"
        for name in ("key", "task", "model"):
            if (value := getattr(self, name)) is not None:
                return f"{name} {value}"
        return "everything"


class BudgetView(msgspec.Struct, frozen=True):
    """How a budget stands in its present period. Amounts are in `currency`; `starts` and `resets` RFC 3339.

    `settled` is spent, `reserved` what requests under way may cost at most, `left` the rest of the limit. Of `settled`,
    `presumed` is what requests may have cost that a crash interrupted, at most; `unpriced` requests went where no price
    is known. `used` is settled by limit, `elapsed` the share of the period that is over, and `pace` used by elapsed:
    above 1 the money ends before the period does (None: too early to say). Cost weighs `weight` times as much as usual.
    `alert` is the highest of `thresholds` that `used` has reached. `waiting` requests wait for others to settle,
    `refused` were refused or sent elsewhere. `known` is false until what was spent before the engine started is read.
    `overruns` counts answers that cost more than what was reserved for them. `configured` is the limit of the
    configuration where an operator has set another.
    """

    name: str
    scope: str
    period: str
    kind: str
    over: str
    currency: str
    limit: float
    reserved: float
    settled: float
    left: float
    starts: str
    resets: str
    resets_in: float
    used: float
    elapsed: float
    pace: float | None = None
    weight: float = 1.0
    thresholds: tuple[float, ...] = THRESHOLDS
    alert: float | None = None
    presumed: float = 0.0
    unpriced: int = 0
    waiting: int = 0
    refused: int = 0
    overruns: int = 0
    known: bool = True
    key: str | None = None
    task: str | None = None
    model: str | None = None
    configured: float | None = None
