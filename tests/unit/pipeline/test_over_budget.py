"""What a request gets that a budget leaves too little for: another route, a label, or an error with a time."""

import asyncio
from datetime import UTC, datetime

import pytest

from orchestra_core.domain.budgets import Budget, Over, Period, Strictness
from orchestra_core.domain.call import Level, Requirements
from orchestra_core.domain.errors import OverBudget
from orchestra_core.domain.outcome import Verdict
from orchestra_core.domain.price import Price
from orchestra_core.server.failures import failure
from tests.fakes.execution import ScriptedExecution
from tests.fakes.paid_world import DEAR, Paid
from tests.fakes.turns import settle


async def test_over_budget_a_cheaper_route_answers_and_says_so() -> None:
    """What would have been answered by a model of a higher tier is degraded; explained by the reason `budget`."""
    execution = ScriptedExecution()
    world = Paid(execution, Budget("team", 10.0))
    high = Requirements(quality=Level.HIGH)
    assert (await world.chat(requirements=high)).tried[0].candidate.model == "big"
    world.spend(9.9)
    result = await world.chat(requirements=high)
    assert result.tried[0].candidate.model == "small"
    assert result.tried[0].degraded
    (rejection,) = [one for one in result.decision.rejected if one.reason == "budget"]
    assert rejection.endpoint == "cloud/big"
    assert '"team" (10 USD a month, everything)' in rejection.detail
    serving = execution.servings[-1]
    assert serving.asked == "quality high"
    assert "leaves no room" in serving.reason
    assert world.view().refused == 1


async def test_without_a_wish_for_quality_the_tier_that_was_passed_over_is_told() -> None:
    """`auto` would have gone to the better model: what it gets instead is labelled with its tier."""
    execution = ScriptedExecution()
    world = Paid(execution, Budget("team", 10.0))
    world.change("cloud", "big", price=DEAR, quality=1.0, weight=1000.0)
    # Ten tokens of a price that weighs less than quality and preference.
    world.change("cloud", "big", price=Price(1.0, 10.0))
    assert (await world.chat()).tried[0].candidate.model == "big"
    world.spend(10.0)
    result = await world.chat()
    assert (result.tried[0].candidate.model, result.tried[0].degraded) == ("small", True)
    assert execution.servings[-1].asked == "quality high"


async def test_a_model_that_was_named_is_stood_in_for_only_by_its_fallbacks() -> None:
    """With one configured the answer is degraded and says so; without, it is an error."""
    execution = ScriptedExecution()
    world = Paid(execution, Budget("team", 10.0), model_fallbacks={"big": ["small"]})
    world.spend(9.9)
    result = await world.chat("big")
    assert (result.tried[0].candidate.model, result.decision.asked) == ("small", "big")

    alone = Paid(ScriptedExecution(), Budget("team", 10.0))
    alone.spend(9.9)
    with pytest.raises(OverBudget):
        await alone.chat("big")


@pytest.mark.parametrize("model", [None, "big"])
async def test_a_budget_that_refuses_lets_nothing_lesser_answer(model: str | None) -> None:
    """402 with the words of OpenAI, the budget, what is spent and when it starts anew; a retry is of no use."""
    world = Paid(
        ScriptedExecution(), Budget("team", 10.0, over=Over.REFUSE), model_fallbacks={"big": ["small"]}
    )
    world.spend(9.9)
    with pytest.raises(OverBudget) as caught:
        await world.chat(model, requirements=Requirements(quality=Level.HIGH))
    error = caught.value
    assert (error.status, error.type, error.code) == (402, "insufficient_quota", "insufficient_quota")
    assert (error.retry_after, error.should_retry) == (None, False)
    now = datetime.fromtimestamp(world.clock.wall(), UTC)
    following = now.replace(
        year=now.year + now.month // 12, month=now.month % 12 + 1, day=1, hour=0, minute=0, second=0
    )
    assert f"starts anew at {following:%Y-%m-%dT%H:%M:%S}.000Z" in error.message
    assert "9.9 USD is spent" in error.message
    # What costs nothing is not refused to who asks for it.
    assert (await world.chat("small")).outcome.ok


@pytest.mark.parametrize(
    ("minutes", "status", "again"), [(50, 429, False), (0.5, 429, None), (120, 402, False)]
)
async def test_a_reset_that_is_near_is_said_as_retry_after(
    minutes: float, status: int, again: bool | None
) -> None:
    """Within the hour it is 429; libraries are told not to try by themselves what they would try at once."""
    world = Paid(ScriptedExecution(), Budget("team", 10.0, Period.DAY))
    now = world.clock.wall()
    world.clock.advance((-now) % 86_400 - 60 * minutes)
    world.spend(10.0)
    with pytest.raises(OverBudget) as caught:
        await world.chat("big")
    assert (caught.value.status, caught.value.should_retry) == (status, again)
    assert caught.value.retry_after == (pytest.approx(60 * minutes) if status == 429 else None)
    world.clock.advance(60 * minutes)
    assert (await world.chat("big")).outcome.ok, "a new day has new money"


async def test_a_budget_that_refuses_lets_no_lower_tier_answer_either() -> None:
    """Also where no quality was wished for: what would have answered is of a higher tier than what is left."""
    world = Paid(ScriptedExecution(), Budget("team", 10.0, over=Over.REFUSE))
    world.change("cloud", "big", price=Price(1.0, 10.0), weight=1000.0)
    world.spend(10.0)
    with pytest.raises(OverBudget):
        await world.chat()
    world.change("home", "small", tier=Level.HIGH)
    result = await world.chat()
    assert (result.tried[0].candidate.model, result.tried[0].degraded) == ("small", False)


@pytest.mark.parametrize("over", list(Over))
async def test_money_that_runs_out_while_a_request_waits_for_it(over: Over) -> None:
    """It is sent to what may stand in for the model, and says so; or, where nothing may, it is an error."""
    execution = ScriptedExecution()
    execution.gate = asyncio.Event()
    world = Paid(execution, Budget("team", 4.5, over=over), model_fallbacks={"big": ["small"]})
    first, second = world.chat("big"), world.chat("big")
    await settle()
    world.spend(1.0)
    execution.gate.set()
    await first
    result = await second
    if over is Over.DEGRADE:
        assert (result.tried[0].candidate.model, result.tried[0].degraded) == ("small", True)
    else:
        assert (result.outcome.verdict, result.outcome.status, result.tried) == (Verdict.OVER_BUDGET, 402, ())
        assert isinstance(failure(result.outcome), OverBudget)


async def test_where_no_price_is_known_a_hard_budget_lets_nothing_pass() -> None:
    """Its cost could not be bounded; a soft budget lets it pass and counts it."""
    world = Paid(ScriptedExecution(), Budget("team", 10.0), home=False)
    world.change("cloud", "big", price=None)
    with pytest.raises(OverBudget, match="no price is known") as caught:
        await world.chat("big")
    assert caught.value.status == 402

    soft = Paid(ScriptedExecution(), Budget("wish", 10.0, kind=Strictness.SOFT), home=False)
    soft.change("cloud", "big", price=None)
    assert (await soft.chat("big")).outcome.ok
    assert (soft.view().unpriced, soft.view().settled) == (1, 0)


async def test_a_soft_budget_ahead_of_the_calendar_makes_cost_weigh_more() -> None:
    """On pace the better model answers, with the money gone in a tenth of the time the free one; nobody is refused."""
    budget = Budget("wish", 1.0, kind=Strictness.SOFT)
    world = Paid(ScriptedExecution(), budget)
    world.change("cloud", "big", price=Price(10.0, 100.0), weight=30.0)
    now = datetime.fromtimestamp(world.clock.wall(), UTC)
    world.clock.advance((now.replace(month=2, day=4, hour=0, minute=0) - now).total_seconds())
    assert (await world.chat()).tried[0].candidate.model == "big"
    assert world.view().weight == 1.0
    world.spend(0.99)
    result = await world.chat()
    assert result.tried[0].candidate.model == "small"
    assert not result.tried[0].degraded
    assert world.view().weight > 50
    best, other = result.decision.ranked
    assert sum(term.points for term in other.terms) == pytest.approx(other.utility)
    assert best.utility > other.utility
    assert (await world.chat("big")).outcome.ok
