"""Budgets as requests meet them: routes that are left, waiting for others, errors that say when to come back."""

import asyncio

import pytest

from orchestra_core.domain.budgets import Budget
from orchestra_core.domain.call import Call, Task
from orchestra_core.domain.catalog import Endpoint
from orchestra_core.domain.errors import OverBudget
from orchestra_core.domain.outcome import Outcome, Partial, Verdict
from orchestra_core.domain.price import Price
from orchestra_core.domain.reply import Usage
from orchestra_core.domain.sink import Serving, Sink
from orchestra_core.server.failures import failure
from tests.fakes.execution import ScriptedExecution, TakingSink
from tests.fakes.held_execution import ClockLoop
from tests.fakes.paid_world import COST, DEAR, Paid
from tests.fakes.turns import settle, until


async def test_a_request_that_fits_once_others_settle_waits_for_them() -> None:
    """Two of which only one fits at its worst: the second is sent when the first has cost less; nobody is refused."""
    execution = ScriptedExecution()
    execution.gate = asyncio.Event()
    world = Paid(execution, Budget("team", 4.5))
    first = world.chat("big")
    await settle()
    reserved = world.view().reserved
    assert 3.5 < reserved < 4.5
    assert world.view().settled == 0
    second = world.chat("big")
    await settle()
    assert (len(execution.attempts), world.view().waiting) == (1, 1)

    execution.gate.set()
    assert (await first).outcome.ok
    assert (await second).outcome.ok
    view = world.view()
    assert (view.reserved, view.waiting, view.refused) == (0, 0, 0)
    assert view.settled == pytest.approx(2 * COST)
    assert view.left == pytest.approx(4.5 - 2 * COST)


CUT = Outcome(
    Verdict.INTERRUPTED, "", 200, "cut", Usage(0, 7, estimated=True), committed=True,
    partial=Partial("Once upon", 7), first_token=0.1, seconds=2.0,
)  # fmt: skip
BURNT = Outcome(Verdict.TIMEOUT, "", 200, "silent", Usage(0, 7, estimated=True), seconds=2.0)
AWAY = Outcome(Verdict.UNREACHABLE, "", 0, "away", seconds=2.0)
SILENT = Outcome(Verdict.SUCCESS, "", 200, "", Usage(0, 6, estimated=True), seconds=1.0, committed=True)
REFUSED = Outcome(Verdict.REJECTED, "", 400, "no", seconds=0.1)


@pytest.mark.parametrize("first", [CUT, BURNT, AWAY, SILENT, REFUSED], ids=lambda one: one.verdict.value)
@pytest.mark.parametrize("second", [None, 0.01])
async def test_what_the_budget_settles_is_what_the_ledger_says(first: Outcome, second: float | None) -> None:
    """Of failures, failovers and answers that were cut and continued: to the billionth, and seconds cost as well."""
    execution = ScriptedExecution(a=[first])
    budgets = (Budget("team", 1000.0), Budget("big", 1000.0, model="big"))
    world = Paid(execution, *budgets, home=False)
    for name in ("a", "b"):
        world.join(name, 4, ["big"])
        price = Price(10_000.0, 100_000.0, second=second or 0.0)
        world.change(name, "big", price=price, prefill=True, context=4000)
    world.leave("cloud")
    world.prefer("a", "b")
    fields = {"messages": [{"role": "user", "content": "Tell a tale"}]}
    result = await world.ask(
        TakingSink(streaming=True), stream=True, fields=fields, max_tokens=20, model="big"
    )
    assert len(result.tried) == (1 if first in (REFUSED, SILENT) else 2)
    assert world.costs > 0 or first is REFUSED
    for view in world.purse.views():
        assert view.settled == pytest.approx(world.costs, abs=2e-9)
        assert view.reserved == view.overruns == 0


class Leaving:
    """An attempt that ends when it is cancelled, and says what had arrived."""

    def __init__(self) -> None:
        self.sent = asyncio.Event()

    async def __call__(
        self, _call: Call, endpoint: Endpoint, sink: Sink, serving: Serving, *_: object
    ) -> Outcome:
        sink.open(serving)
        self.sent.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as gone:
            usage = Usage(0, 4, estimated=True)
            gone.args = (
                Outcome(Verdict.CANCELLED, endpoint.id, 499, "left", usage, 0.5, 2.0, committed=True),
            )
            raise
        raise AssertionError


@pytest.mark.parametrize("deadline", [None, 0.05])
async def test_what_was_streamed_to_a_client_that_left_is_settled(deadline: float | None) -> None:
    """The prompt and the tokens that had arrived, also where it was the deadline that ended it."""
    execution = Leaving()
    world = Paid(execution, Budget("team", 10.0))
    asking = world.chat("big", deadline=None if deadline is None else world.clock.monotonic() + deadline)
    await execution.sent.wait()
    if deadline is None:
        asking.cancel()
    await asyncio.wait({asking})
    view = world.view()
    assert view.reserved == 0
    assert view.settled == pytest.approx(world.costs, abs=1e-8)
    assert view.settled >= 4 * 0.1


async def test_a_client_that_leaves_while_it_waits_for_money_holds_none() -> None:
    """And whoever waits behind it gets on."""
    execution = ScriptedExecution()
    execution.gate = asyncio.Event()
    world = Paid(execution, Budget("team", 4.5))
    first, second, third = (world.chat("big") for _ in range(3))
    await settle()
    assert world.view().waiting == 2
    second.cancel()
    execution.gate.set()
    await asyncio.gather(first, third)
    await asyncio.wait({second})
    view = world.view()
    assert (view.waiting, view.reserved) == (0, 0)
    assert view.settled == pytest.approx(2 * COST)


async def test_money_that_comes_as_its_client_leaves_goes_to_the_next() -> None:
    """Granted and cancelled in one turn of the loop: nothing of it stays reserved, and who waits behind is sent."""
    execution = ScriptedExecution()
    execution.gate = asyncio.Event()
    world = Paid(execution, Budget("team", 4.5))
    first, second, third = (world.chat("big") for _ in range(3))
    await settle()
    one = world.view().reserved
    world.purse.configure([Budget("team", 9.0)])
    second.cancel()
    await settle()
    assert len(execution.attempts) == 2
    assert world.view().reserved == pytest.approx(2 * one)
    execution.gate.set()
    await asyncio.gather(first, third)
    await asyncio.wait({second})
    assert world.view().settled == pytest.approx(2 * COST)
    assert world.view().reserved == 0


@pytest.mark.parametrize(("limit", "sent"), [(100.0, ["a/big", "b/big"]), (40.0, ["a/big", "a/big"])])
async def test_a_dearer_place_of_the_same_model_is_used_where_there_is_money_for_it(
    limit: float, sent: list[str]
) -> None:
    """Its only slot is taken at the cheap one: whoever can pay goes to the dear one, who cannot waits for the slot."""
    execution = ScriptedExecution()
    execution.gate = asyncio.Event()
    world = Paid(execution, Budget("team", limit), home=False)
    for name, price in (("a", DEAR), ("b", Price(10 * DEAR.input, 10 * DEAR.output))):
        world.join(name, 1, ["big"])
        world.change(name, "big", price=price, context=4000, weight=1e9 if name == "a" else 1.0)
    world.leave("cloud")
    asked = [world.chat("big") for _ in range(2)]
    await settle()
    assert world.view().waiting == 0
    execution.gate.set()
    await asyncio.gather(*asked)
    assert execution.attempts == sent
    assert world.view().settled == pytest.approx(COST * (11 if limit == 100.0 else 2))
    assert world.view().overruns == 0


def test_nobody_waits_for_money_longer_than_for_a_slot() -> None:
    """After the seconds of the queue it is a 429 that names the budget; the request that holds the money goes on."""
    execution = ScriptedExecution()
    execution.gate = asyncio.Event()
    world = Paid(execution, Budget("team", 4.5), home=False, queue_seconds=20.0)
    loop = ClockLoop(world.clock)
    first, second = (loop.create_task(world.ask(max_tokens=10, model="big")) for _ in range(2))
    loop.run_until_complete(settle())
    world.clock.advance(19.0)
    loop.run_until_complete(settle())
    assert not second.done()
    world.clock.advance(2.0)
    loop.run_until_complete(settle())
    outcome = second.result().outcome
    assert (outcome.verdict, outcome.status) == (Verdict.OVER_BUDGET, 429)
    error = failure(outcome)
    assert isinstance(error, OverBudget)
    assert (error.status, error.code, error.should_retry) == (429, "insufficient_quota", None)
    assert 'the rest of the budget "team" is reserved' in error.message
    execution.gate.set()
    loop.run_until_complete(first)
    assert world.view().settled == pytest.approx(COST)
    loop.close()


async def test_until_it_is_known_what_was_spent_a_hard_budget_waits() -> None:
    """What is free goes on; what costs money goes on as soon as the ledger has been read."""
    world = Paid(ScriptedExecution())
    world.purse.configure([Budget("team", 10.0)])
    assert not world.view().known
    paid = world.chat("big")
    await settle()
    assert not paid.done()
    assert (await world.chat("small")).outcome.ok
    world.purse.book.learn("team", {"": 1.0}, {}, world.clock.wall())
    world.purse.tick()
    assert (await paid).outcome.ok
    assert world.view().settled == pytest.approx(1.0 + COST)


async def test_a_new_limit_keeps_what_was_spent_and_frees_who_waits() -> None:
    """A reload that raises it lets the waiting request go at once; a budget taken out is no obstacle any more."""
    execution = ScriptedExecution()
    execution.gate = asyncio.Event()
    world = Paid(execution, Budget("team", 4.5))
    tasks = [world.chat("big") for _ in range(3)]
    await settle()
    assert len(execution.attempts) == 1
    world.purse.configure([Budget("team", 9.0)])
    await settle()
    assert len(execution.attempts) == 2
    assert world.view().known
    world.purse.configure([])
    await until(lambda: len(execution.attempts) == 3)
    execution.gate.set()
    await asyncio.gather(*tasks)
    assert world.purse.views() == ()


async def test_what_is_under_way_counts_for_a_budget_that_is_new() -> None:
    """A reload adds one over a model while a request for it runs: it is reserved there and settled there."""
    execution = ScriptedExecution()
    execution.gate = asyncio.Event()
    world = Paid(execution, Budget("team", 100.0))
    asking = world.chat("big")
    await settle()
    world.purse.configure([Budget("team", 100.0), Budget("big", 50.0, model="big")])
    team, big = world.purse.views()
    assert big.reserved == team.reserved > 0
    execution.gate.set()
    await asking
    team, big = world.purse.views()
    assert (big.reserved, big.settled) == (0, pytest.approx(COST))


async def test_what_is_free_reserves_nothing() -> None:
    """With budgets on, a request to a model that costs nothing takes the short way."""
    world = Paid(ScriptedExecution(), Budget("team", 0.0))
    result = await world.chat("small")
    assert result.outcome.ok
    assert result.call.task is None, "it went through the chain"
    assert world.view().alert == 1.0


async def test_each_key_has_a_budget_of_its_own() -> None:
    """One that has spent it all does not stand in the way of another."""
    world = Paid(ScriptedExecution(), Budget("each", 10.0, per_key=True), home=False)
    world.spend(9.9, key="ann")
    with pytest.raises(OverBudget, match="key ann"):
        await world.chat("big", key="ann")
    assert (await world.chat("big", key="bob")).outcome.ok
    assert [(view.key, view.scope) for view in world.purse.views()] == [
        ("ann", "key ann"),
        ("bob", "key bob"),
    ]


async def test_a_budget_counts_only_what_it_is_over() -> None:
    """Of one task, of one model, of one key: nothing else is spent from it."""
    world = Paid(
        ScriptedExecution(),
        Budget("tales", 10.0, task="creative"),
        Budget("big", 10.0, model="big"),
        Budget("ann", 10.0, key="ann"),
    )
    world.change("home", "small", price=DEAR)
    await world.chat("small", task=Task.TEXT_GENERATION, key="bob")
    assert [view.settled for view in world.purse.views()] == [0, 0, 0]
    await world.chat("small", task=Task.CREATIVE, key="bob")
    await world.chat("big", task=Task.TEXT_GENERATION, key="ann")
    assert [view.settled for view in world.purse.views()] == pytest.approx([COST, COST, COST])
