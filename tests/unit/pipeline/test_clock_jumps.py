"""Fault matrix: the machine's clock is set by a day, forward or back, and no limit, breaker or queue notices."""

import asyncio

import pytest

from orchestra_core.domain.outcome import Outcome, Verdict
from orchestra_core.resilience.budget import Retries
from tests.fakes.execution import ScriptedExecution
from tests.fakes.pipeline import World
from tests.fakes.turns import settle

DAY = 86_400.0


async def story(jump: float) -> list[object]:
    """A breaker that opens and recovers, a cool-down, a queue and a deadline, the clock set in the middle of each."""
    limited = Outcome(Verdict.LIMITED, "", 429, retry_after=8.0)
    world = World(
        ScriptedExecution(a=[Verdict.FAILED] * 5, b=[limited]), ("a", "b"), retries=Retries(attempts=1)
    )
    clock, a, b = world.clock, world.endpoint("a"), world.endpoint("b")
    told: list[object] = []

    async def ask(**fields: object) -> None:
        outcome = (await world.ask(**fields)).outcome
        told.append((outcome.endpoint, outcome.verdict, outcome.retry_after, outcome.message))

    b.draining = True
    for _ in range(5):
        await ask()
    clock.jump(jump)
    told.append((a.circuit, world.lanes.retry_at([a.id])))
    a.draining, b.draining = True, False
    await ask()
    clock.jump(-jump)
    clock.advance(4.9)
    told.append([circuit for _, circuit in world.lanes.refresh(clock.monotonic())])
    clock.advance(0.2)
    told.append([circuit for _, circuit in world.lanes.refresh(clock.monotonic())])
    a.draining = False
    clock.jump(jump)
    for _ in range(2):
        await ask()
    told.append((a.circuit, world.lanes.of(a).breaker.allowance(clock.monotonic()), b.cooling_until))
    world.execution.gate = asyncio.Event()
    asking = [asyncio.ensure_future(ask(id=name, key=name)) for name in ("x", "y")]
    await settle()
    clock.jump(-2 * jump)
    asking.append(asyncio.ensure_future(ask(id="late", deadline=clock.monotonic() - 1.0)))
    await settle()
    told.append([view.waiting for view in world.lanes.queues()])
    world.execution.gate.set()
    await asyncio.gather(*asking)
    return told


@pytest.mark.parametrize("jump", [DAY, -DAY])
async def test_setting_the_clock_changes_nothing(jump: float) -> None:
    """The same outcomes, waits, states and order as if nobody had touched it."""
    undisturbed = await story(0.0)
    assert await story(jump) == undisturbed
    assert "closed" in str(undisturbed)
    assert "limited" in str(undisturbed)
