"""A model whose only endpoint is half-open: one request finds out, the others wait for what it finds."""

import asyncio

import pytest

from orchestra_core.domain.catalog import Circuit, Reliability, Residency
from orchestra_core.domain.outcome import Verdict
from orchestra_core.domain.result import Result
from orchestra_core.resilience.budget import Retries
from orchestra_core.resilience.policy import Policy
from tests.fakes.execution import ScriptedExecution, TakingSink
from tests.fakes.pipeline import World
from tests.fakes.turns import settle

SLOTS = 4


async def half_open(*then: Verdict, queue_seconds: float = 30.0) -> World:
    """The breaker's time has come; attempts end with these verdicts, and with success after them."""
    failing = [Verdict.FAILED] * 5
    world = World(
        ScriptedExecution(a=[*failing, *then]),
        ("a",),
        SLOTS,
        retries=Retries(attempts=1),
        queue_seconds=queue_seconds,
    )
    for _ in failing:
        await world.ask()
    world.clock.advance(60.0)
    list(world.lanes.refresh(world.clock.monotonic()))
    assert world.endpoint("a").circuit is Circuit.HALF_OPEN
    world.execution.gate = asyncio.Event()
    return world


async def asked(world: World, count: int = SLOTS) -> list["asyncio.Task[Result]"]:
    tasks = [asyncio.ensure_future(world.ask(id=f"r{number}")) for number in range(count)]
    await settle()
    return tasks


async def test_a_cancelled_half_open_probe_frees_its_place() -> None:
    """The next request is the probe then (behaviours.md 4)."""
    world = World(ScriptedExecution(a=[Verdict.FAILED] * 5), ("a",), retries=Retries(attempts=1))
    for _ in range(5):
        await world.ask()
    world.clock.advance(60.0)
    world.execution.gate = asyncio.Event()
    list(world.lanes.refresh(world.clock.monotonic()))
    probe = asyncio.ensure_future(world.ask())
    await settle()
    assert world.endpoint("a").circuit is Circuit.HALF_OPEN
    probe.cancel()
    await asyncio.wait({probe})
    world.execution.gate = None
    assert (await world.ask()).outcome.ok


async def test_one_finds_out_and_the_others_wait() -> None:
    """There are slots enough for all, and one attempt; the others are in the queue, not refused."""
    world = await half_open()
    asking = await asked(world)
    assert len(world.execution.attempts) == 6
    assert (world.endpoint("a").inflight, world.endpoint("a").waiting) == (1, SLOTS - 1)
    assert not any(task.done() for task in asking)
    world.execution.gate.set()
    assert [(await task).outcome.verdict for task in asking] == [Verdict.SUCCESS] * SLOTS
    assert world.endpoint("a").circuit is Circuit.CLOSED
    assert world.held() == 0


async def test_a_probe_that_fails_tells_who_waits_when_to_come_again() -> None:
    """All of them at once, with the seconds to the next probe; none of them is sent."""
    world = await half_open(Verdict.FAILED)
    asking = await asked(world)
    world.execution.gate.set()
    results = await asyncio.gather(*asking)
    assert [result.outcome.verdict for result in results] == ["failed", "busy", "busy", "busy"]
    retry_at = world.lanes.retry_at(["a/llama3:8b"])
    assert retry_at is not None
    for result in results[1:]:
        assert result.outcome.retry_after == pytest.approx(retry_at - world.clock.monotonic())
        assert "breaker" in result.outcome.message
    assert len(world.execution.attempts) == 6
    assert world.held() == 0


async def test_nobody_waits_for_a_probe_for_longer_than_the_queue_allows() -> None:
    """The probe hangs: who waited is refused with a time to come again."""
    world = await half_open(queue_seconds=0.01)
    probe, waiter = await asked(world, 2)
    result = await waiter
    assert (result.outcome.verdict, probe.done()) == (Verdict.BUSY, False)
    assert (result.outcome.retry_after or 0) >= 1.0
    world.execution.gate.set()
    assert (await probe).outcome.ok


async def test_nobody_waits_for_a_probe_beyond_its_own_deadline() -> None:
    """What is left of the time decides, as for every place in the queue."""
    world = await half_open()
    (probe,) = await asked(world, 1)
    late = await world.ask(TakingSink(), id="late", deadline=world.clock.monotonic() + 0.01)
    assert (late.outcome.ok, probe.done()) == (False, False)
    world.execution.gate.set()
    assert (await probe).outcome.ok


async def test_who_waits_behind_a_probe_that_left_is_the_next_one() -> None:
    """Its place is handed on, and nobody has to ask again."""
    world = await half_open()
    probe, waiter = await asked(world, 2)
    probe.cancel()
    await settle()
    assert len(world.execution.attempts) == 7
    world.execution.gate.set()
    assert (await waiter).outcome.ok


@pytest.mark.parametrize("verdict", [Verdict.REJECTED, Verdict.CONTEXT_OVERFLOW, Verdict.CONTENT_FILTER])
async def test_a_probe_that_says_nothing_of_the_endpoint_frees_its_place(verdict: Verdict) -> None:
    """A request that is wrong itself neither closes the breaker nor keeps the next one from finding out."""
    world = await half_open(verdict)
    world.execution.gate = None
    assert (await world.ask()).outcome.verdict is verdict
    assert world.endpoint("a").circuit is Circuit.HALF_OPEN
    assert (await world.ask()).outcome.ok


async def test_a_forced_probe_that_was_never_sent_frees_its_place() -> None:
    """Behind an open breaker the model had to be loaded first, which failed: the next request finds out."""
    world = World(ScriptedExecution(a=[Verdict.FAILED] * 5), ("a",), retries=Retries(attempts=1))
    for _ in range(5):
        await world.ask()
    assert world.endpoint("a").circuit is Circuit.OPEN
    world.change("a", loadable=True).residency = Residency.ABSENT
    world.load_error = "no room"
    assert not (await world.ask()).outcome.ok
    assert world.loads == ["a/llama3:8b"]
    world.load_error = ""
    world.clock.advance(Policy().force_every)
    assert (await world.ask()).outcome.ok
    assert world.endpoint("a").circuit is Circuit.HALF_OPEN


async def test_an_endpoint_that_has_recovered_gets_its_share_again() -> None:
    """It was shunned while it failed; once its breaker has closed, the next request beside another goes there."""
    world = World(ScriptedExecution(a=[Verdict.FAILED] * 5), ("a", "b"), SLOTS, retries=Retries(attempts=1))
    a, b = world.endpoint("a"), world.endpoint("b")
    a.reliability = b.reliability = Reliability(successes=200.0, at=world.clock.monotonic())
    b.draining = True
    for _ in range(5):
        await world.ask()
    world.clock.advance(5.0)
    list(world.lanes.refresh(world.clock.monotonic()))
    assert a.circuit is Circuit.HALF_OPEN
    for _ in range(2):
        await world.ask()
    assert a.circuit is Circuit.CLOSED
    b.draining = False
    b.speed, b.outputs = a.speed, a.outputs
    world.execution.gate = asyncio.Event()
    asking = await asked(world, 2)
    assert {attempt.partition("/")[0] for attempt in world.execution.attempts[-2:]} == {"a", "b"}
    world.execution.gate.set()
    await asyncio.gather(*asking)
