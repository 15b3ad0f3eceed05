"""A reload replaces a backend, or a model vanishes and returns, while requests are under way or wait there."""

import asyncio

from orchestra_core.domain.catalog import Endpoint
from orchestra_core.domain.outcome import Verdict
from orchestra_core.resilience.budget import Retries
from tests.fakes.execution import ScriptedExecution
from tests.fakes.pipeline import World
from tests.fakes.turns import settle


def replaced(world: World, backend: str) -> tuple[Endpoint, Endpoint]:
    """The endpoint there was and the one there is."""
    old = world.endpoint(backend)
    world.leave(backend)
    world.join(backend)
    return old, world.endpoint(backend)


def counts(endpoint: Endpoint) -> tuple[int, int, float]:
    return endpoint.inflight, endpoint.waiting, round(endpoint.work, 6)


async def test_each_request_leaves_the_endpoint_it_was_counted_at() -> None:
    """Nothing of the new one goes below zero, which residency, reload and selector would believe."""
    world = World(ScriptedExecution(), ("a",))
    world.execution.gate = asyncio.Event()
    running = [asyncio.ensure_future(world.ask())]
    await settle()
    old, new = replaced(world, "a")
    running.append(asyncio.ensure_future(world.ask()))
    await settle()
    assert (old.inflight, new.inflight, new.waiting) == (1, 0, 1)
    world.execution.gate.set()
    assert all(result.outcome.ok for result in await asyncio.gather(*running))
    assert counts(old) == counts(new) == (0, 0, 0.0)
    assert world.held() == 0


async def test_who_waited_is_served_by_what_is_there_now() -> None:
    """It was planned for the old one, and counts at the new one, which stays the one of the slots."""
    world = World(ScriptedExecution(), ("a",))
    world.execution.gate = asyncio.Event()
    running = [asyncio.ensure_future(world.ask()) for _ in range(2)]
    await settle()
    old, new = replaced(world, "a")
    lane = world.lanes.of(new)
    running[0].cancel()
    await settle()
    assert (counts(old), new.inflight) == ((0, 0, 0.0), 1)
    assert lane.endpoint is new
    world.execution.gate.set()
    assert (await running[1]).outcome.ok
    assert counts(old) == counts(new) == (0, 0, 0.0)


async def test_another_try_goes_to_what_is_there_by_then() -> None:
    """After its pause: to the new endpoint of the name, or nowhere when there is none."""
    for returns in (True, False):
        execution = ScriptedExecution(a=[Verdict.LOADING])
        world = World(execution, ("a",), retries=Retries(base=0.0))
        asking = asyncio.ensure_future(world.ask())
        await execution.started.wait()
        await settle()
        old = world.endpoint("a")
        world.leave("a")
        if returns:
            world.join("a")
        result = await asking
        assert result.outcome.ok is returns
        assert len(execution.attempts) == 1 + returns
        assert counts(old) == (0, 0, 0.0)
        if returns:
            assert counts(world.endpoint("a")) == (0, 0, 0.0)
            assert world.endpoint("a").calls == 1
