"""A pipeline with a model that costs money and one that does not, and budgets over them."""

import asyncio
from typing import Any

from orchestra_core.domain.budgets import Budget, BudgetView
from orchestra_core.domain.call import Call, Level
from orchestra_core.domain.decision import Decision
from orchestra_core.domain.outcome import Outcome
from orchestra_core.domain.price import Price
from orchestra_core.domain.result import Result, Tried
from orchestra_core.pipeline.completion import Completion
from tests.fakes.pipeline import World

# An answer of 3 tokens to a prompt of 5 costs 0.35 there; what may be said in 10 tokens up to 1.27 or so.
DEAR = Price(10_000.0, 100_000.0)
COST = 0.35
MODELS = {"cloud": ["big"], "home": ["small"]}


class Paid(World):
    """`big` costs money in the cloud and is better; `small` is free at home. Rows are what the ledger would get."""

    def __init__(self, execution: Any, *budgets: Budget, home: bool = True, **more: Any) -> None:
        super().__init__(
            execution, ("cloud", "home") if home else ("cloud",), 4, models=MODELS, budgets=budgets, **more
        )
        self.change("cloud", "big", price=DEAR, tier=Level.HIGH, quality=0.9, context=4000)
        if home:
            self.change("home", "small", tier=Level.LOW, quality=0.3)
        self.rows: list[tuple[object, ...]] = []
        self._told = Completion(
            clock=self.clock,
            find=self.catalog.get,
            ended=lambda _: None,
            record=lambda row, *_: self.rows.append(row),
            failed=lambda *_: None,
            spent=lambda *_: None,
        )

    def _complete(
        self, call: Call, decision: Decision, tried: tuple[Tried, ...], outcome: Outcome, seconds: float
    ) -> float | None:
        super()._complete(call, decision, tried, outcome, seconds)
        return self._told(call, decision, tried, outcome, seconds)

    @property
    def costs(self) -> float:
        """What the ledger says was spent."""
        return sum(float(str(row[20] or 0.0)) for row in self.rows)

    def view(self, place: int = 0) -> BudgetView:
        return self.purse.views()[place]

    def chat(self, model: str | None = None, **more: Any) -> "asyncio.Task[Result]":
        """Up to ten tokens."""
        return asyncio.ensure_future(self.ask(max_tokens=10, model=model, **more))

    def spend(self, cost: float, key: str = "") -> None:
        """As if an earlier engine had spent it."""
        now, book = self.clock.wall(), self.purse.book
        for budget in book.budgets:
            book.learn(budget.name, {key: cost}, book.marks(budget.name, now), now)
