"""The fault matrix, rows of recovery: nobody left, the way back, and no stampede on it."""

import asyncio
from collections.abc import Awaitable, Callable

from tests.fakes.chaos import ChaosBackend
from tests.fakes.chaos_steps import end, finish, head, refusal, token, wait, well
from tests.fakes.engine_here import EngineHere
from tests.fakes.turns import settle, until
from tests.integration.faults.conftest import Stage

Leap = Callable[[float], None]
Later = Callable[[float], Awaitable[None]]
ILL = refusal(500, "out of order")
# What costs money is not asked for nothing: no probes but those of clients.
PRICED = '[models.m]\nmemory = "4GB"\ncost_per_million_input = 0.001\ncost_per_million_output = 0.001\n'
# Open for 5 s with a jitter of half of it.
LONGEST_OPEN = 7.6


async def opened(engine: EngineHere, backend: ChaosBackend) -> None:
    """Five failures in a row."""
    backend.script(*ILL, times=5)
    while engine.endpoint(backend.name).circuit != "open":
        await engine.chat()


async def test_with_every_breaker_open_the_answer_is_quick_and_says_when(stage: Stage) -> None:
    """503 with the seconds to the next probe; ten clients at once cost the backend one probe at most."""
    lone = await stage.backend("first")
    engine = await stage.engine(lone)
    await opened(engine, lone)
    lone.script(*ILL, times=99)
    before = len(lone.calls)
    answers = await asyncio.gather(*(engine.chat() for _ in range(10)))
    assert len(lone.calls) - before <= 1
    refused = [answer for answer in answers if answer.status == 503]
    assert len(refused) >= 9
    for answer in refused:
        assert 1 <= int(answer.headers["retry-after"]) <= 8
        assert "breaker" in answer.error["message"]


async def test_the_last_endpoint_of_a_model_is_never_ejected_into_silence(stage: Stage, leap: Leap) -> None:
    """One probe a second goes to it although it is open: it is back within a second of being well."""
    lone = await stage.backend("first")
    engine = await stage.engine(lone, more=PRICED)
    await opened(engine, lone)
    lone.script(*ILL)
    leap(1.1)
    assert [(await engine.chat()).status for _ in range(3)] == [502, 503, 503]
    leap(1.1)
    assert [(await engine.chat()).status for _ in range(3)] == [200] * 3
    assert (len(lone.calls), lone.probes) == (5 + 1 + 3, 0)


async def test_one_probe_at_a_time_and_then_a_slow_start(stage: Stage, later: Later) -> None:
    """While the engine's probe runs no client is let in. Closed again: a share of the slots at first, then all."""
    first, second = await stage.backend("first"), await stage.backend("second")
    engine = await stage.engine(first, second, slots=10)
    await opened(engine, first)
    first.probed = [head(), wait("probe"), token(), finish(), end()]
    probes = first.probes
    await later(LONGEST_OPEN)
    await first.reached("probe")
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(engine.chat(stream=True)) for _ in range(30)]
    answers = [task.result() for task in asked]
    assert [(answer.status, answer.backend) for answer in answers] == [(200, "second")] * 30
    assert (len(first.calls), first.probes - probes) == (5, 1)
    first.open("probe")
    await until(lambda: engine.breaker("first").state == "closed")
    assert first.probes - probes == 2
    assert await at_once(engine, first, second) <= 4
    await later(11)
    assert await at_once(engine, first, second) >= 7


async def test_who_comes_during_the_only_probe_waits_for_it(stage: Stage, later: Later) -> None:
    """Nobody else has the model: the engine's own probe runs, clients are in the queue, and then they are answered."""
    lone = await stage.backend("first")
    engine = await stage.engine(lone, slots=10)
    await opened(engine, lone)
    lone.probed = [head(), wait("probe"), token(), finish(), end()]
    await later(LONGEST_OPEN)
    await lone.reached("probe")
    asked_before = len(lone.calls)
    await until(lambda: engine.endpoint("first").circuit != "open")
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(engine.chat(stream=number % 2 == 0)) for number in range(6)]
        await until(lambda: engine.busy()[1] == 6)
        assert len(lone.calls) == asked_before
        lone.open("probe")
    assert [task.result().status for task in asked] == [200] * 6
    assert engine.breaker("first").state == "closed"


async def test_who_waited_for_a_probe_in_vain_is_told_when_to_come_again(stage: Stage, leap: Leap) -> None:
    """Its result is that the backend is still ill: 503 for all who waited, with the time of the next probe."""
    lone = await stage.backend("first")
    engine = await stage.engine(lone, more=PRICED, slots=10)
    await opened(engine, lone)
    leap(LONGEST_OPEN)
    await until(lambda: engine.endpoint("first").circuit != "open")
    lone.script(wait("probe"), *ILL)
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(engine.chat()) for _ in range(5)]
        await lone.reached("probe")
        await until(lambda: engine.busy() == (1, 4))
        lone.open("probe")
    answers = [task.result() for task in asked]
    assert sorted(answer.status for answer in answers) == [502, 503, 503, 503, 503]
    for answer in answers:
        assert answer.status == 502 or 4 <= int(answer.headers["retry-after"]) <= 15
    assert len(lone.calls) == 6


async def test_a_client_is_the_probe_where_the_engine_may_not_ask(stage: Stage, leap: Leap) -> None:
    """A backend that costs money is not asked for nothing: of thirty clients one finds out, the others go elsewhere."""
    first, second = await stage.backend("first"), await stage.backend("second")
    engine = await stage.engine(first, second, more=PRICED, slots=10)
    await opened(engine, first)
    leap(LONGEST_OPEN)
    first.script(head(), wait("probe"), token(), finish(), end())
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(engine.chat(stream=True)) for _ in range(30)]
        await first.reached("probe")
        await until(lambda: sum(task.done() for task in asked) == 29)
        assert (len(first.calls), first.probes) == (6, 0)
        first.open("probe")
    answers = [task.result() for task in asked]
    assert [answer.status for answer in answers] == [200] * 30
    assert [answer.backend for answer in answers].count("first") == 1
    assert (await engine.chat()).backend == "first"  # the second success closes it
    assert engine.breaker("first").state == "closed"


async def at_once(engine: EngineHere, first: ChaosBackend, second: ChaosBackend) -> int:
    """How many of twenty calls at once the first backend is given."""
    gate = f"all {len(first.calls)}"
    before = len(first.calls) + len(second.calls)
    for one in (first, second):
        one.well = [wait(gate), *well()]
    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(engine.chat(stream=True))
        await until(lambda: sum(engine.busy()) == 20 and len(first.calls) + len(second.calls) - before >= 12)
        await settle()
        held = engine.endpoint("first").inflight
        for one in (first, second):
            one.open(gate)
            one.well = well()
    return held


async def test_a_backend_that_was_down_is_taken_back(stage: Stage, leap: Leap) -> None:
    """Killed, told as down, asked no more; accepting again, it is used again without anybody's help."""
    engine, first, _ = await stage.pair()
    await first.die()
    assert (await engine.chat()).backend == "second"
    while engine.endpoint("first").reachable:
        leap(2.5)
        await settle()
    asked = len(first.calls)
    answer = await engine.chat()
    assert (answer.backend, answer.attempts, len(first.calls)) == ("second", 1, asked)
    await first.accept()
    looks = 0
    while not engine.endpoint("first").reachable:
        looks += 1
        leap(2.5)
        await settle()
    assert looks >= 2, "one answer may be luck"
    leap(LONGEST_OPEN)
    assert (await engine.chat()).backend == "first"
    assert engine.told("backend.down")
    assert len(engine.told("backend.up")) == 3
