"""Concurrent requests against hard budgets through the whole pipeline, with failures, retries, streams that are cut
and continued, and clients that leave: a budget is never exceeded, nobody is turned away for whom there is room.
"""

import asyncio

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from orchestra_core.accounting.account import BILLION
from orchestra_core.domain.budgets import Budget, Strictness
from orchestra_core.domain.catalog import Residency
from orchestra_core.domain.errors import OverBudget
from orchestra_core.domain.outcome import Verdict
from orchestra_core.domain.price import Price
from orchestra_core.domain.result import Result
from orchestra_core.resilience.budget import Retries
from tests.fakes.execution import TakingSink
from tests.fakes.held_execution import ClockLoop, Held, HeldExecution
from tests.fakes.paid_world import DEAR, Paid
from tests.fakes.turns import settle

PICK = st.integers(0, 10**6)
QUEUE_SECONDS = 30.0
FAILURES = [
    Verdict.FAILED,
    Verdict.DROPPED,
    Verdict.UNREACHABLE,
    Verdict.TIMEOUT,
    Verdict.LIMITED,
    Verdict.REJECTED,
]
# One may cost up to 3.7 there, and half of that at `cheap`.
BUDGETS = (
    Budget("team", 12.0),
    Budget("each", 8.0, per_key=True),
    Budget("big", 11.0, model="big"),
    Budget("wish", 1.0, kind=Strictness.SOFT),
)


class BudgetMachine(RuleBasedStateMachine):
    @initialize(retries=st.integers(1, 3))
    def begin(self, retries: int) -> None:
        self.execution = HeldExecution(lambda _: None)
        self.world = Paid(
            self.execution,
            *BUDGETS,
            home=False,
            queue_seconds=QUEUE_SECONDS,
            retries=Retries(attempts=retries, reserve=100.0),
        )
        self.world.change("cloud", "big", prefill=True)
        self.world.join("cheap", 4, ["big"])
        price = Price(DEAR.input / 2, DEAR.output / 2)
        self.world.change("cheap", "big", price=price, prefill=True, context=4000)
        self.loop = ClockLoop(self.world.clock)
        self.asked: list[asyncio.Task[Result]] = []
        self.waits: dict[asyncio.Task[Result], tuple[float, float]] = {}

    @rule(
        clients=st.integers(1, 4),
        key=st.sampled_from("xy"),
        stream=st.booleans(),
        tokens=st.integers(1, 10),
        wait=st.sampled_from([None, 3.0, 60.0]),
    )
    def arrive(self, clients: int, key: str, stream: bool, tokens: int, wait: float | None) -> None:
        now = self.world.clock.monotonic()
        for _ in range(clients):
            call = self.world.call(
                id=f"r{len(self.asked)}",
                stream=stream,
                key=key,
                max_tokens=tokens,
                model="big",
                deadline=None if wait is None else now + wait,
            )
            task = self.loop.create_task(self.world.service(call, TakingSink(streaming=stream)))
            self.asked.append(task)
            self.waits[task] = (now, min(QUEUE_SECONDS, wait or QUEUE_SECONDS))
        self.turn()

    @precondition(lambda self: self.execution.open)
    @rule(which=PICK, tokens=st.integers(1, 3))
    def answer(self, which: int, tokens: int) -> None:
        held = self.open(which)
        for _ in range(min(tokens, held.call.max_tokens or 1)):
            held.token("t ")
        self.end(held, Verdict.SUCCESS)

    @precondition(lambda self: self.execution.open)
    @rule(which=PICK, verdict=st.sampled_from(FAILURES), begun=st.booleans())
    def fail(self, which: int, verdict: Verdict, begun: bool) -> None:
        held = self.open(which)
        if begun and held.call.stream:
            held.token("t ")
        self.end(held, verdict)

    @precondition(lambda self: self.running())
    @rule(which=PICK)
    def leave(self, which: int) -> None:
        running = self.running()
        running[which % len(running)].cancel()
        self.turn()

    @rule(seconds=st.sampled_from([0.5, 6.0, 31.0]))
    def pass_time(self, seconds: float) -> None:
        self.world.clock.advance(seconds)
        self.tick()

    @rule()
    def recover(self) -> None:
        now = self.world.clock.monotonic()
        for endpoint in self.world.catalog.all:
            endpoint.reachable, endpoint.cooling_until = True, 0.0
            endpoint.residency = Residency.READY
            self.world.lanes.of(endpoint).breaker.reset(now)
        self.tick()

    # -- what must hold --------------------------------------------------------------------------------

    @invariant()
    def no_budget_is_exceeded(self) -> None:
        for view in self.world.purse.views():
            assert view.overruns == 0
            if view.kind == "hard":
                assert view.settled + view.reserved <= view.limit + 1e-9

    @invariant()
    def what_is_settled_is_in_the_ledger(self) -> None:
        """But for what requests under way have spent on attempts that failed."""
        book, now = self.world.purse.book, self.world.clock.wall()
        team = next(one for one in book.accounts(now) if one.budget.name == "team")
        assert book.journaled(team) / BILLION == pytest.approx(self.world.costs, abs=1e-7)

    @invariant()
    def who_waits_for_money_waits_for_somebody(self) -> None:
        if any(view.waiting for view in self.world.purse.views()):
            assert any(view.reserved for view in self.world.purse.views())

    @invariant()
    def nobody_is_turned_away_for_whom_there_is_room(self) -> None:
        """An error at once: what is spent leaves no room. A refusal after a wait: all the time there was has passed."""
        now = self.world.clock.monotonic()
        for task in [one for one in self.asked if one.done() and not one.cancelled()]:
            began, patience = self.waits.pop(task, (0.0, -1.0))
            if patience < 0:
                continue
            error = task.exception()
            if isinstance(error, OverBudget):
                assert any(
                    view.settled + 1.6 > view.limit
                    for view in self.world.purse.views()
                    if view.kind == "hard"
                )
            elif error is None and "reserved by requests" in task.result().outcome.message:
                assert now - began >= patience - 1e-6

    def teardown(self) -> None:
        """When everything has ended nothing is reserved any more, and nobody was forgotten."""
        if not hasattr(self, "world"):
            return
        for _ in range(400):
            for held in tuple(self.execution.open):
                self.end(held, Verdict.SUCCESS)
            if not self.running():
                break
            self.world.clock.advance(5)
            self.tick()
        assert not self.running()
        for view in self.world.purse.views():
            assert (view.reserved, view.waiting) == (0, 0)
        assert self.world.held() == 0
        self.what_is_settled_is_in_the_ledger()
        self.loop.close()

    # -- how -------------------------------------------------------------------------------------------

    def end(self, held: Held, verdict: Verdict) -> None:
        held.end(verdict)
        self.turn()

    def open(self, which: int) -> Held:
        return self.execution.open[which % len(self.execution.open)]

    def running(self) -> list["asyncio.Task[Result]"]:
        return [task for task in self.asked if not task.done()]

    def tick(self) -> None:
        self.turn()
        for _ in self.world.lanes.refresh(self.world.clock.monotonic()):
            continue
        self.world.pipeline.tick()
        self.turn()

    def turn(self) -> None:
        self.loop.run_until_complete(settle(60))


TestBudgetMachine = BudgetMachine.TestCase
TestBudgetMachine.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
