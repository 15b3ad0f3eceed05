"""The promises of reliability.md section 2, each as one story over real sockets: P1, P2, P3, P5 and P10.

`ORCHESTRA_PROMISES=full` takes P1 and P5 with all the requests that they are stated with; else fewer do, for time.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from tests.fakes.chaos import ChaosBackend, Step
from tests.fakes.chaos_steps import (
    end,
    eof,
    finish,
    hang,
    head,
    raw,
    refusal,
    reset,
    token,
    wait,
)
from tests.fakes.engine_here import EngineHere
from tests.fakes.plain_client import Answer, PlainClient
from tests.fakes.turns import until
from tests.integration.faults.conftest import PATIENCE, WHOLE_OR_CUT, Stage

FULL = os.environ.get("ORCHESTRA_PROMISES") == "full"
REQUESTS = 2000
SICK_AT = 500
ABORTS = 1000 if FULL else 300
CLIENTS = 8


@pytest.fixture
def patient_for() -> float:
    return 300.0 if FULL else PATIENCE


async def asked(engine: EngineHere, count: int, **fields: object) -> list[Answer]:
    """So many requests by eight clients, each on a kept connection."""
    answers: list[Answer] = []
    left = iter(range(count))

    async def ask() -> None:
        async with engine.client() as client:
            for _ in left:
                client.chat(**fields)
                answers.append(await client.answer())

    async with asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(ask())
    return answers


async def kill(backend: ChaosBackend) -> None:
    await backend.die()


async def reset_all(backend: ChaosBackend) -> None:
    backend.well = [reset()]


async def errors(backend: ChaosBackend) -> None:
    backend.well = refusal(500, "out of order")


async def limits(backend: ChaosBackend) -> None:
    backend.well = refusal(429, "slow down", {"retry-after": "60"})


async def breaks(backend: ChaosBackend) -> None:
    backend.well = [raw(b"HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\n{"), eof()]


@pytest.mark.parametrize("sicken", [kill, reset_all, errors, limits, breaks])
async def test_p1_clients_never_feel_a_sick_backend(
    stage: Stage, sicken: Callable[[ChaosBackend], Awaitable[None]]
) -> None:
    """Two thousand requests, one of two backends sick from the 500th on: no error, and few attempts on it."""
    engine, first, _ = await stage.pair()
    part = 1 if FULL or sicken is reset_all else 4
    count, before = REQUESTS // part, SICK_AT // part
    answers = await asked(engine, before)
    assert Counter(answer.backend for answer in answers) == {"first": before}
    await sicken(first)
    calls = len(first.calls)
    answers += await asked(engine, count - before)
    assert Counter(answer.status for answer in answers) == {200: count}
    # Seven more were on their way when the fifth failure opened the breaker; a probe each time it may be well.
    probes = engine.breaker("first").opened
    assert engine.endpoint("first").failed <= 5 + CLIENTS - 1 + probes
    # A kept connection that is reset says nothing of the backend: that call was sent a second time.
    assert len(first.calls) - calls <= 5 + CLIENTS - 1 + probes + CLIENTS


async def test_p1_a_hanging_backend_costs_time_but_no_answer(
    stage: Stage, later: Callable[[float], Awaitable[None]]
) -> None:
    """The same with a backend that goes silent: those it holds are answered elsewhere after the limit."""
    engine, first, _ = await stage.pair()
    before, count = (SICK_AT, REQUESTS - SICK_AT) if FULL else (100, 40)
    await asked(engine, before)
    first.well = [hang()]
    async with asyncio.TaskGroup() as group:
        held = group.create_task(asked(engine, count, stream=True))
        while not held.done():
            await first.reached("never")
            await later(20)
    assert Counter(answer.status for answer in held.result()) == {200: count}
    assert len(first.calls) - before <= 5 + CLIENTS


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("how", ["refused", "503", "eof", "full"])
async def test_p2_a_total_outage_is_not_amplified(stage: Stage, count: int, how: str) -> None:
    """A thousand requests, everything ill: at most 1.2 attempts each, and three.

    No breaker opens for full queues, so it is the budget of retries alone that bounds those.
    """
    kind = "ollama" if how == "full" else "openai"
    backends = [await stage.backend(f"b{number}", kind) for number in range(count)]
    engine = await stage.engine(*backends)
    told = "server busy, please try again.  maximum pending requests exceeded" if how == "full" else "ill"
    script: list[Step] = [eof()] if how == "eof" else list(refusal(503, told))
    for one in backends:
        one.well = script
        if how == "refused":
            await one.refuse()
    answers = await asked(engine, 1000)
    assert {answer.status for answer in answers} <= {502, 503}
    attempts = sum(int(answer.headers["x-orchestra-attempts"]) for answer in answers)
    assert attempts <= 1.2 * 1000 + 3
    if how == "full":
        assert attempts >= 1000
    if how != "refused":
        assert sum(len(one.calls) for one in backends) <= 1.2 * 1000 + 3
    for answer in answers:
        assert answer.status != 503 or int(answer.headers["retry-after"]) >= 1


STREAM = [token(), token(), token(), finish(), end()]


@pytest.mark.parametrize("ending", [eof(), reset()], ids=["eof", "rst"])
@pytest.mark.parametrize("kind", ["openai", "ollama", "llamacpp"])
async def test_p3_nothing_is_ever_said_twice(stage: Stage, kind: str, ending: Step) -> None:
    """Cut before and after every token: what the client has is the beginning of one backend's answer, or all of one."""
    engine, first, second = await stage.pair(kind, WHOLE_OR_CUT)
    for place in range(len(STREAM)):
        gate = f"cut {place}"
        first.script(head(), *STREAM[:place], wait(gate), ending)
        said, calls = first.emitted, (len(first.calls), len(second.calls))
        async with engine.client() as client:
            client.chat(stream=True)
            await first.reached(gate)
            if place:
                await client.until(f"first-{said + min(place, 3)}")
            first.open(gate)
            answer = await client.answer()
        whose = {word.partition("-")[0] for word in answer.content.split()}
        numbers = [int(word.partition("-")[2]) for word in answer.content.split()]
        if place == 0:
            assert (whose, answer.done) == ({"second"}, True)
            assert (len(first.calls), len(second.calls)) == (calls[0] + 1, calls[1] + 1)
        else:
            assert (whose, answer.done) == ({"first"}, kind == "ollama" and place == 4)
            assert numbers == list(range(said + 1, said + 1 + min(place, 3)))
            assert (len(first.calls), len(second.calls)) == (calls[0] + 1, calls[1])
        assert len(set(answer.content.split())) == len(answer.content.split())
        for _ in range(3):
            await engine.chat()


async def test_p5_many_aborts_leave_nothing_behind(stage: Stage) -> None:
    """Hundreds of clients that leave in different windows: descriptors, tasks and slots are as they were."""
    engine, first, _ = await stage.pair("llamacpp")
    for _ in range(20):
        await engine.chat(stream=True)
    await engine.idle()
    tasks, descriptors = len(asyncio.all_tasks()), engine.descriptors()
    ways = [PlainClient.leave, PlainClient.reset, PlainClient.half_close]
    windows: list[list[Step]] = [[hang()], [head(), hang()], [head(), token(), hang()]]
    for number in range(ABORTS):
        first.script(*windows[number % 3])
        async with engine.client() as client:
            client.chat(stream=number % 2 == 0)
            call = await first.called(20 + number + 1)
            if number % 3 == 2 and number % 2 == 0:
                await client.until("first-")
            ways[number // 3 % 3](client)
            await call.gone.wait()
    await engine.idle()
    await until(lambda: len(asyncio.all_tasks()) <= tasks)
    assert engine.descriptors() <= descriptors + 2
    assert engine.endpoint("first").work == pytest.approx(0)
    assert engine.engine.execution.busy == 0
    assert engine.totals().cancelled == ABORTS
    assert (await engine.chat()).backend == "first"


async def test_p10_overload_keeps_what_can_be_served(stage: Stage) -> None:
    """Ten times what fits at once: all slots work all the time, the rest is told so at once."""
    lone = await stage.backend("first")
    slots = 4
    engine = await stage.engine(lone, slots=slots)
    room = max(16, 8 * slots)
    lone.well = [wait("go"), *STREAMED]
    answers: list[Answer] = []
    refused: list[float] = []

    async def ask(number: int) -> None:
        async with engine.client() as client:
            began = time.perf_counter()
            client.chat(text=f"{number}", stream=True)
            answer = await client.answer()
            answers.append(answer)
            if answer.status == 503:
                refused.append(time.perf_counter() - began)

    offered = 10 * (slots + room)
    async with asyncio.TaskGroup() as group:
        for number in range(offered):
            group.create_task(ask(number))
        await until(lambda: len(refused) == offered - slots - room)
        assert engine.busy() == (slots, room)
        lone.open("go")
    assert Counter(answer.status for answer in answers) == {200: slots + room, 503: offered - slots - room}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers if answer.status == 503)
    assert len(lone.calls) == slots + room
    assert engine.busy() == (0, 0)


STREAMED = [head(), *STREAM]
