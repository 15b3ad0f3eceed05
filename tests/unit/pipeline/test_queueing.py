"""Waiting for a slot: across the endpoints of a model, in bounds, and told to who waits."""

import asyncio

import pytest

from orchestra_core.domain.catalog import Circuit, Residency, Speed
from orchestra_core.domain.outcome import Verdict
from orchestra_core.domain.result import Result
from orchestra_core.resilience.budget import Retries
from tests.fakes.execution import ScriptedExecution, TakingSink
from tests.fakes.pipeline import World
from tests.fakes.turns import settle


class Busy:
    """Every slot of every backend is taken by a call that waits at the gate."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.execution.gate = asyncio.Event()

    async def fill(self, count: int) -> None:
        self.tasks = [asyncio.ensure_future(self.world.ask()) for _ in range(count)]
        await settle()

    def ask(self, sink: TakingSink | None = None, **fields: object) -> "asyncio.Task[Result]":
        task = asyncio.ensure_future(self.world.ask(sink, **fields))
        self.tasks.append(task)
        return task

    async def open(self) -> list[Result]:
        assert self.world.execution.gate is not None
        self.world.execution.gate.set()
        return await asyncio.gather(*self.tasks)


async def test_a_waiter_goes_to_whichever_endpoint_comes_free_first() -> None:
    """Its predicted work moves with it, and everything is given back in the end."""
    world = World(ScriptedExecution())
    busy = Busy(world)
    await busy.fill(2)
    first, second = world.endpoint("a"), world.endpoint("b")
    busy.ask()
    await settle()
    planned = first if first.waiting else second
    other = second if planned is first else first
    assert (planned.waiting, planned.inflight, other.inflight) == (1, 1, 1)
    # The call in service on the other endpoint ends first.
    on_other = next(t for t, e in zip(busy.tasks, world.execution.attempts, strict=False) if e == other.id)
    on_other.cancel()
    await settle()
    assert (planned.waiting, other.inflight, world.execution.attempts[-1]) == (0, 1, other.id)
    assert other.work > 0.0
    busy.tasks.remove(on_other)
    assert all(result.outcome.ok for result in await busy.open())
    assert [(e.work, e.inflight, e.waiting) for e in (first, second)] == [(pytest.approx(0.0), 0, 0)] * 2
    assert world.held() == 0


async def test_a_wait_that_would_be_too_long_is_refused_at_once() -> None:
    """Judged by what was learned of the endpoint, against thirty seconds and the deadline."""
    world = World(ScriptedExecution(), ("a",))
    endpoint = world.change("a", decode_rate=1.0)
    busy = Busy(world)
    await busy.fill(1)
    queued = busy.ask()
    await settle()
    assert not queued.done()
    endpoint.speed = Speed(observations=9)
    refused = await world.ask()
    assert refused.outcome.verdict is Verdict.BUSY
    assert "the wait would be" in refused.outcome.message
    assert refused.outcome.retry_after == 30.0
    await busy.open()


async def test_who_may_well_wait_in_vain_is_refused_at_once() -> None:
    """Nine ahead would take just less than there is time; where service times vary that is refused, else not."""
    world = World(ScriptedExecution(), ("a",))
    endpoint = world.change("a", decode_rate=100.0)
    endpoint.speed = Speed(observations=9, variance=0.0)
    busy = Busy(world)
    await busy.fill(10)
    work = world.pipeline.planning(world.call()).ranked[0].work
    due = world.clock.monotonic() + endpoint.work
    sure = busy.ask(deadline=due + 0.75 * work)
    await settle()
    assert not sure.done()
    sure.cancel()
    await settle()
    busy.tasks.remove(sure)
    endpoint.speed = Speed(observations=9, variance=0.25)
    refused = await world.ask(deadline=due + 0.75 * work)
    assert refused.outcome.verdict is Verdict.BUSY
    assert "the wait would be" in refused.outcome.message
    await busy.open()


async def test_nobody_waits_for_longer_than_allowed() -> None:
    """The queue's own limit ends a wait with 503, and the place is free."""
    world = World(ScriptedExecution(), ("a",), queue_seconds=0.01)
    busy = Busy(world)
    await busy.fill(1)
    late = await world.ask()
    assert (late.outcome.verdict, late.outcome.status) == (Verdict.BUSY, 503)
    assert "no free slot" in late.outcome.message
    assert world.endpoint("a").waiting == 0
    await busy.open()
    assert world.held() == 0


async def test_keys_take_turns() -> None:
    """Who asked once is served before the second request of who asked often."""
    world = World(ScriptedExecution(), ("a",))
    busy = Busy(world)
    await busy.fill(1)
    done: list[str] = []
    for name in ("often", "often", "often", "once"):
        busy.ask(key=name).add_done_callback(lambda _, name=name: done.append(name))
    await settle()
    await busy.open()
    await settle()
    assert done == ["often", "once", "often", "often"]


async def test_a_waiting_stream_is_told_its_position() -> None:
    """Every fifteen seconds, and the snapshot shows the queue."""
    world = World(ScriptedExecution(), ("a",))
    busy = Busy(world)
    await busy.fill(1)
    sink = TakingSink(streaming=True)
    busy.ask(key="x")
    busy.ask(sink, stream=True, key="x")
    await settle()
    for _ in range(3):
        world.clock.advance(7.5)
        world.pipeline.tick()
    assert sink.notes == ["queued, position 2"]
    (view,) = world.lanes.queues()
    assert (view.waiting, view.oldest, view.keys) == (2, 22.5, 1)
    await busy.open()
    assert world.lanes.queues() == ()
    world.clock.advance(60.0)
    world.pipeline.tick()
    assert len(sink.notes) == 1


async def test_who_waits_for_an_endpoint_whose_breaker_opens_is_told_at_once() -> None:
    """Not after the thirty seconds a hanging call might hold its slot."""
    world = World(ScriptedExecution(), ("a",))
    busy = Busy(world)
    await busy.fill(1)
    waiting = busy.ask()
    await settle()
    lane = world.lanes.of(world.endpoint("a"))
    world.lanes.changed(lane, Circuit.OPEN, world.clock.monotonic())
    result = await waiting
    assert (result.outcome.verdict, "breaker" in result.outcome.message) == (Verdict.BUSY, True)
    await busy.open()


async def test_a_drained_endpoint_sends_its_waiters_elsewhere() -> None:
    """Who waits there is served by the other endpoint or refused, and nothing new is sent to it."""
    world = World(ScriptedExecution(), ("a",))
    busy = Busy(world)
    await busy.fill(1)
    waiting = busy.ask()
    await settle()
    world.endpoint("a").draining = True
    list(world.lanes.refresh(world.clock.monotonic()))
    assert (await waiting).outcome.verdict is Verdict.BUSY
    assert len(world.execution.attempts) == 1
    await busy.open()


async def test_after_recovery_an_endpoint_gets_its_slots_back_slowly() -> None:
    """One in ten at first, all of them ten seconds later; the others wait and are not refused."""
    failing = [Verdict.FAILED] * 5
    world = World(ScriptedExecution(a=failing), ("a",), slots=10, retries=Retries(attempts=1))
    for _ in range(5):
        await world.ask()
    world.clock.advance(60.0)
    for _ in range(2):
        assert (await world.ask()).outcome.ok
    assert world.endpoint("a").circuit is Circuit.CLOSED
    busy = Busy(world)
    await busy.fill(10)
    assert (world.endpoint("a").inflight, world.endpoint("a").waiting) == (1, 9)
    world.clock.advance(5.0)
    list(world.lanes.refresh(world.clock.monotonic()))
    await settle()
    assert world.endpoint("a").inflight == 5
    world.clock.advance(5.0)
    list(world.lanes.refresh(world.clock.monotonic()))
    await settle()
    assert world.endpoint("a").inflight == 10
    assert all(result.outcome.ok for result in await busy.open())


async def test_a_backend_that_pushes_back_gets_less_at_a_time() -> None:
    """A full queue there lowers what it is given; answers raise it again."""
    world = World(ScriptedExecution(a=[Verdict.BUSY]), ("a",), slots=10)
    assert (await world.ask()).outcome.ok
    permits = world.lanes.of(world.endpoint("a")).permits
    assert permits.allowed == 9
    for _ in range(9):
        await world.ask()
    assert permits.allowed == 10


async def test_a_backend_that_left_makes_no_room_and_shows_no_breaker() -> None:
    """While something runs there it is kept; then its breaker and its places in the queue are gone."""
    world = World(ScriptedExecution(), slots=4)
    world.execution.gate = asyncio.Event()
    running = [asyncio.ensure_future(world.ask()) for _ in range(2)]
    await settle()
    world.leave("a")
    world.pipeline.tick()
    assert [view.endpoint.partition("/")[0] for view in world.lanes.views()] == ["a", "b"]
    world.execution.gate.set()
    assert all(result.outcome.ok for result in await asyncio.gather(*running))
    world.pipeline.tick()
    assert [view.endpoint.partition("/")[0] for view in world.lanes.views()] == ["b"]


async def test_a_full_endpoint_is_waited_for_rather_than_its_model_loaded_once_more() -> None:
    """A free slot where the model is not is none: its load would take longer, and somebody else's room."""
    world = World(ScriptedExecution())
    world.change("b", loadable=True, load_seconds=600.0).residency = Residency.ABSENT
    busy = Busy(world)
    await busy.fill(1)
    busy.ask()
    await settle()
    assert (world.endpoint("a").waiting, world.loads) == (1, [])
    assert all(result.outcome.ok for result in await busy.open())
    assert world.loads == []
