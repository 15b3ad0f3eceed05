"""The stages of a request over a scripted inner service: no sockets, no real time."""

import asyncio

import pytest

from orchestra_core.domain.call import Task
from orchestra_core.domain.catalog import Circuit, Residency
from orchestra_core.domain.errors import ContextTooLong, InvalidRequest, Unavailable, UnknownModel
from orchestra_core.domain.outcome import Verdict
from orchestra_core.resilience.budget import Retries
from tests.fakes.execution import ScriptedExecution, TakingSink
from tests.fakes.pipeline import World
from tests.fakes.turns import settle


async def test_a_request_is_answered_and_everything_given_back() -> None:
    """One attempt, one completion, no slot or predicted work left behind; speed is learned."""
    world = World(ScriptedExecution())
    result = await world.ask()
    served = world.catalog.get(result.outcome.endpoint)

    assert result.outcome.ok
    assert [outcome.verdict for outcome, _ in world.completed] == [Verdict.SUCCESS]
    assert served is not None
    assert (served.inflight, served.work, served.calls, served.speed.observations) == (0, 0.0, 1, 1)
    assert world.lanes.of(served).permits.held == 0


@pytest.mark.parametrize("deadline", [None, 1060.0])
async def test_a_request_takes_from_its_arrival_to_the_end_of_its_answer(deadline: float | None) -> None:
    """By the direct way and through the chain."""
    world = World(ScriptedExecution(), ("a",))
    world.execution.gate = asyncio.Event()
    asking = asyncio.ensure_future(world.ask(deadline=deadline))
    await world.execution.started.wait()
    world.clock.advance(2.5)
    world.execution.gate.set()

    assert (await asking).seconds == 2.5
    assert world.endpoint("a").last_done == world.clock.monotonic()


@pytest.mark.parametrize(
    "verdict",
    [Verdict.UNREACHABLE, Verdict.FAILED, Verdict.TIMEOUT, Verdict.BUSY, Verdict.LOADING, Verdict.MISSING],
)
async def test_a_failure_before_the_first_token_moves_on(verdict: Verdict) -> None:
    """One failover, to another endpoint; the client sees only the answer."""
    world = World(ScriptedExecution(a=[verdict]))
    world.endpoint("b").last_used = 1.0
    sink = TakingSink()
    result = await world.ask(sink)

    assert world.execution.attempts == ["a/llama3:8b", "b/llama3:8b"]
    assert result.outcome.ok
    assert [serving.attempt for serving in sink.opened] == [2]
    assert world.events[-1] == "a/llama3:8b -> b/llama3:8b"


@pytest.mark.parametrize("verdict", [Verdict.REJECTED, Verdict.CONTENT_FILTER, Verdict.INTERRUPTED])
async def test_what_another_endpoint_would_not_mend_stops(verdict: Verdict) -> None:
    """A bad request and a stream cut after its first token are never tried again."""
    world = World(ScriptedExecution(a=[verdict], b=[verdict]))
    result = await world.ask()

    assert result.outcome.verdict is verdict
    assert len(world.execution.attempts) == 1


async def test_three_attempts_are_made_at_most() -> None:
    """Three endpoints failing end the request, even with a fourth one left; the client is told not to repeat it."""
    down = [Verdict.UNREACHABLE] * 3
    world = World(ScriptedExecution(a=down, b=down, c=down, d=down), ("a", "b", "c", "d"))
    result = await world.ask()

    assert result.outcome.verdict is Verdict.UNREACHABLE
    assert len(set(world.execution.attempts)) == len(result.tried) == 3
    assert result.outcome.exhausted


async def test_five_failures_open_the_breaker_and_a_success_later_closes_it() -> None:
    """An endpoint that keeps failing is left alone, probed after its time, and taken back."""
    world = World(ScriptedExecution(a=[Verdict.FAILED] * 6), ("a",), retries=Retries(attempts=1))
    for _ in range(5):
        assert not (await world.ask()).outcome.ok
    assert world.endpoint("a").circuit is Circuit.OPEN
    assert not (await world.ask()).outcome.ok  # the one probe a second that the last endpoint of a model gets
    with pytest.raises(Unavailable) as raised:
        await world.ask()
    assert raised.value.retry_after == pytest.approx(5.0, abs=2.6)

    world.clock.advance(60)
    assert list(world.lanes.refresh(world.clock.monotonic())) == [(world.endpoint("a"), Circuit.HALF_OPEN)]
    for _ in range(2):
        assert (await world.ask()).outcome.ok
    assert world.endpoint("a").circuit is Circuit.CLOSED


async def test_a_cancelled_request_frees_its_slot_and_is_recorded() -> None:
    """A client that leaves frees everything and never counts against the endpoint."""
    world = World(ScriptedExecution(), ("a",))
    world.execution.gate = asyncio.Event()
    task = asyncio.ensure_future(world.ask())
    await world.execution.started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert world.execution.cancelled == ["a/llama3:8b"]
    assert [outcome.verdict for outcome, _ in world.completed] == [Verdict.CANCELLED]
    assert (world.endpoint("a").inflight, world.endpoint("a").work) == (0, 0.0)
    assert world.lanes.of(world.endpoint("a")).permits.held == 0
    assert world.lanes.views()[0].failures == 0


async def test_requests_beyond_the_slots_wait_in_order_and_a_full_queue_refuses() -> None:
    """One slot and sixteen places: the eighteenth request is told to come back."""
    world = World(ScriptedExecution(), ("a",))
    world.execution.gate = asyncio.Event()
    tasks = [asyncio.ensure_future(world.ask()) for _ in range(17)]
    await world.execution.started.wait()
    await settle()
    refused = await world.ask()

    assert refused.outcome.verdict is Verdict.BUSY
    assert world.endpoint("a").inflight == 1
    world.execution.gate.set()
    assert all(result.outcome.ok for result in await asyncio.gather(*tasks))
    assert (world.endpoint("a").waiting, world.endpoint("a").inflight) == (0, 0)


@pytest.mark.parametrize(("times", "refused"), [(1.5, True), (4.0, False)])
async def test_who_would_be_answered_too_late_does_not_queue(times: float, refused: bool) -> None:
    """The wait may fit into what is left and the answer not: then it is refused at once, and keeps nobody waiting."""
    world = World(ScriptedExecution(), ("a",))
    await world.ask()
    world.execution.gate = asyncio.Event()
    first = asyncio.ensure_future(world.ask())
    await world.execution.started.wait()
    await settle()
    service = world.endpoint("a").work
    second = asyncio.ensure_future(world.ask(deadline=world.clock.monotonic() + times * service))
    await settle()
    assert second.done() is refused
    if refused:
        assert "the wait would be" in second.result().outcome.message
    world.execution.gate.set()
    assert (await first).outcome.ok
    assert (await second).outcome.ok is not refused


async def test_a_higher_priority_is_served_first() -> None:
    """Of those that wait, `high` goes before `normal` before `low`, whoever came first."""
    world = World(ScriptedExecution(), ("a",))
    world.execution.gate = asyncio.Event()
    done: list[int] = []

    async def ask(priority: int) -> None:
        await world.ask(priority=priority)
        done.append(priority)

    tasks = [asyncio.ensure_future(ask(0))]
    await world.execution.started.wait()
    tasks += [asyncio.ensure_future(ask(priority)) for priority in (-1, 0, 1, 1)]
    await settle()
    world.execution.gate.set()
    await asyncio.gather(*tasks)

    assert done == [0, 1, 1, 0, -1]


async def test_a_waiting_request_that_is_cancelled_leaves_the_queue() -> None:
    """Nobody is woken for a client that left."""
    world = World(ScriptedExecution(), ("a",))
    world.execution.gate = asyncio.Event()
    first = asyncio.ensure_future(world.ask())
    await world.execution.started.wait()
    second = asyncio.ensure_future(world.ask())
    await settle()
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    world.execution.gate.set()
    await first

    assert world.lanes.of(world.endpoint("a")).permits.held == 0
    assert world.endpoint("a").waiting == 0


async def test_a_model_that_is_not_loaded_is_loaded_first() -> None:
    """The request waits for the load; a failed load moves on like any failure."""
    world = World(ScriptedExecution(), ("a",))
    world.endpoint("a").residency = Residency.ABSENT
    world.change("a", loadable=True)
    assert (await world.ask()).outcome.ok
    assert world.loads == ["a/llama3:8b"]

    world.endpoint("a").residency = Residency.ABSENT
    world.load_error = "no room"
    failed = await world.ask()
    assert "no room" in failed.outcome.message


async def test_a_deadline_ends_the_request() -> None:
    """`deadline_ms` bounds everything, and its passing is a timeout."""
    world = World(ScriptedExecution(), ("a",))
    world.execution.gate = asyncio.Event()
    result = await world.ask(deadline=world.clock.monotonic() + 0.02)

    assert (result.outcome.verdict, result.outcome.status) == (Verdict.TIMEOUT, 504)
    assert world.execution.cancelled


async def test_what_cannot_be_served_says_what_to_do() -> None:
    """Unknown model, too long a prompt, a missing capability and no backend each have their own error."""
    world = World(ScriptedExecution(), ("a",))
    with pytest.raises(UnknownModel, match="did you mean llama3:8b"):
        await world.ask(model="llama3:80b")
    with pytest.raises(ContextTooLong, match="do not fit into 4096"):
        await world.ask(characters=100_000)
    with pytest.raises(InvalidRequest, match="vision"):
        await world.ask(needs=frozenset({"vision"}))
    with pytest.raises(Unavailable, match="start Ollama"):
        await World(ScriptedExecution(), ()).ask()


async def test_a_load_that_is_refused_for_now_says_when_to_come_back() -> None:
    """As busy as a full queue, and not as broken: the client is told to wait."""
    world = World(ScriptedExecution(), ("a",))
    world.change("a", loadable=True).residency = Residency.ABSENT
    world.load_error, world.load_again = "its last load failed", 7.0
    outcome = (await world.ask()).outcome
    assert (outcome.verdict, outcome.status, outcome.retry_after) == (Verdict.BUSY, 503, 7.0)


async def test_a_model_that_may_not_be_loaded_is_refused_with_the_numbers() -> None:
    """Nobody waits for what cannot come: the client is told at once why, and when to ask again."""
    world = World(ScriptedExecution(), ("a",))
    endpoint = world.change("a", loadable=True)
    endpoint.residency = Residency.ABSENT
    endpoint.barred = ("too_large", "it needs 9.1 GiB and a has 8.0 GiB")
    with pytest.raises(Unavailable, match=r"it needs 9\.1 GiB and a has 8\.0 GiB") as raised:
        await world.ask()
    assert (raised.value.code, raised.value.retry_after) == ("not_loadable", 5.0)


async def test_low_priority_is_refused_while_memory_is_short() -> None:
    """What runs may finish: nothing of lower priority is begun, not even as a probe, and the answer says why."""
    world = World(ScriptedExecution(), ("a",))
    world.pipeline.planning.least = 0
    with pytest.raises(Unavailable, match="requests of low priority") as raised:
        await world.ask(priority=-1)
    assert (raised.value.code, world.execution.attempts) == ("out_of_memory", [])
    assert (await world.ask()).outcome.ok
    world.pipeline.planning.least = 1
    with pytest.raises(Unavailable, match="short of memory"):
        await world.ask()


async def test_an_unstated_task_is_inferred() -> None:
    """The decision names the task it inferred from the text."""
    world = World(ScriptedExecution())
    result = await world.ask(text="Write a Python function that reverses a list")

    assert result.decision.inferred
    assert result.decision.task is Task.CODE_GENERATION
