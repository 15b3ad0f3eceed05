"""A client that leaves the queue in the very moment in which its slot comes free."""

import asyncio

import pytest

from orchestra_core.domain.outcome import Verdict
from tests.fakes.execution import TakingSink
from tests.fakes.held_execution import HeldExecution
from tests.fakes.pipeline import World
from tests.fakes.turns import settle


@pytest.mark.parametrize("turns", range(8))
async def test_its_slot_goes_to_the_next(turns: int) -> None:
    """However many turns of the loop lie between the two: the next in line is served, and no slot is lost."""
    execution = HeldExecution(lambda held: None)
    world = World(execution, ("a",))
    loop = asyncio.get_running_loop()
    served, leaver, waiter = (
        loop.create_task(world.service(world.call(id=name), TakingSink()))
        for name in ("served", "leaver", "waiter")
    )
    await settle()
    assert [held.call.id for held in execution.open] == ["served"]

    execution.open[0].end(Verdict.SUCCESS)
    await settle(turns)
    leaver.cancel()
    await settle()
    assert [held.call.id for held in execution.open] == ["waiter"]
    assert world.held() == 1

    execution.open[0].end(Verdict.SUCCESS)
    await settle()
    assert (served.done(), leaver.cancelled(), waiter.done()) == (True, True, True)
    assert world.held() == 0
