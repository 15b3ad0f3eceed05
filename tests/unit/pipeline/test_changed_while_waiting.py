"""What happened to an endpoint while a request waited for its model: nothing is sent there, and nothing is kept."""

import asyncio
from collections.abc import Callable

import pytest

from orchestra_core.domain.catalog import Circuit, Residency
from orchestra_core.domain.errors import Unavailable
from orchestra_core.domain.outcome import Verdict
from orchestra_core.domain.result import Result
from orchestra_core.resilience.budget import Retries
from orchestra_core.resilience.policy import Policy
from tests.fakes.execution import ScriptedExecution
from tests.fakes.pipeline import World
from tests.fakes.turns import settle

ENDPOINT = "a/llama3:8b"


async def loading(world: World) -> "asyncio.Task[Result]":
    """A request that waits for the model to be loaded on a."""
    world.change("a", loadable=True).residency = Residency.ABSENT
    world.loaded = asyncio.Event()
    asking = asyncio.ensure_future(world.ask())
    await settle()
    assert world.loads == [ENDPOINT]
    return asking


def drained(world: World) -> None:
    world.endpoint("a").draining = True


def unreachable(world: World) -> None:
    world.endpoint("a").reachable = False


def tripped(world: World) -> None:
    lane = world.lanes.of(world.endpoint("a"))
    changed = lane.breaker.trip(world.clock.monotonic(), "by hand")
    assert changed is not None
    world.lanes.changed(lane, changed, world.clock.monotonic())


@pytest.mark.parametrize("happens", [drained, unreachable, tripped])
async def test_nothing_is_sent_to_where_nothing_may_be_sent_any_more(
    happens: Callable[[World], None],
) -> None:
    """The request is refused with a time to come again, and its slot is given back."""
    world = World(ScriptedExecution(), ("a",), retries=Retries(attempts=1))
    asking = await loading(world)
    happens(world)
    assert world.loaded is not None
    world.loaded.set()
    result = await asking
    assert (result.outcome.verdict, world.execution.attempts) == (Verdict.BUSY, [])
    assert (result.outcome.retry_after or 0) >= 1.0
    assert world.held() == 0


async def test_the_breakers_place_is_free_again_after_a_drain() -> None:
    """Half-open, drained while the model was loaded, resumed: the next request is the probe."""
    world = World(ScriptedExecution(a=[Verdict.FAILED] * 5), ("a",), retries=Retries(attempts=1))
    for _ in range(5):
        await world.ask()
    world.clock.advance(60.0)
    list(world.lanes.refresh(world.clock.monotonic()))
    assert world.endpoint("a").circuit is Circuit.HALF_OPEN
    asking = await loading(world)
    drained(world)
    assert world.loaded is not None
    world.loaded.set()
    assert not (await asking).outcome.ok
    world.endpoint("a").draining = False
    assert (await world.ask()).outcome.ok


async def test_no_probe_is_forced_where_no_slot_is_free() -> None:
    """It would wait in the queue with the breaker's place; the request is refused at once instead."""
    world = World(ScriptedExecution(), ("a",), retries=Retries(attempts=1))
    world.execution.gate = asyncio.Event()
    running = asyncio.ensure_future(world.ask(id="running"))
    await settle()
    lane = world.lanes.of(world.endpoint("a"))
    for _ in range(Policy().consecutive):
        token = lane.breaker.admit(world.clock.monotonic())
        assert token is not None
        lane.breaker.record(token, True, world.clock.monotonic())
    world.endpoint("a").circuit = lane.breaker.state(world.clock.monotonic())
    assert world.endpoint("a").circuit is Circuit.OPEN
    with pytest.raises(Unavailable, match="circuit breaker is open"):
        await world.ask(id="late")
    assert len(world.execution.attempts) == 1
    world.execution.gate.set()
    assert (await running).outcome.ok
