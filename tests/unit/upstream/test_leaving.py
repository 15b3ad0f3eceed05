"""A client that leaves: the backend's connection is closed in the same turn, in every window, and nothing is left."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from orchestra_core.domain.catalog import BackendKind
from orchestra_core.domain.outcome import Outcome, Verdict
from tests.fakes.execution import TakingSink
from tests.fakes.memory_backend import SERVING, Bench, endpoint, question, token
from tests.fakes.turns import one_turn, settle

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n"


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    await made.close()


async def leave(task: "asyncio.Task[Outcome]") -> asyncio.CancelledError:
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as gone:
        await task
    return gone.value


async def test_while_connecting(bench: Bench) -> None:
    """Nobody waits for the connection any more, and none is made."""
    bench.dialer.gate = asyncio.Event()
    task = await bench.send(question(), TakingSink(streaming=True))
    assert bench.dialer.waiting == 1
    await leave(task)
    bench.dialer.gate.set()
    await settle()
    assert (bench.dialer.waiting, bench.dialer.lines) == (0, [])


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("window", ["before the head", "after the head", "in the answer"])
@pytest.mark.parametrize("kind", [BackendKind.LLAMACPP, BackendKind.OPENAI, BackendKind.OLLAMA])
async def test_while_waiting_and_while_reading(
    bench: Bench, kind: BackendKind, window: str, stream: bool
) -> None:
    """Closed at once, and not kept: the rest of the answer would come over it."""
    streams = stream or kind is BackendKind.LLAMACPP
    task = await bench.send(question(stream=stream), TakingSink(streaming=stream), endpoint(kind))
    if window != "before the head":
        if streams:
            bench.line.begins()
        else:
            bench.line.says(HEAD)
    if window == "in the answer":
        if kind is BackendKind.OLLAMA and streams:
            bench.line.sends(b'{"message":{"content":"Hel"},"done":false}\n')
        elif streams:
            bench.line.sends(token("Hel"))
        else:
            bench.line.says(b"{")
    gone = await leave(task)
    assert bench.line.transport.aborted
    known = gone.args[0]
    assert isinstance(known, Outcome)
    assert (known.verdict, known.usage.completion) == (
        Verdict.CANCELLED,
        int(streams and window == "in the answer"),
    )
    bench.dialer.lines[0].breaks()
    await bench.send(question(stream=stream), TakingSink(streaming=stream), endpoint(kind))
    assert len(bench.dialer.lines) == 2


async def test_a_thousand_that_leave_leave_nothing(bench: Bench) -> None:
    """In whichever window: no task, no attempt, no connection."""
    before = len(asyncio.all_tasks())
    for number in range(1000):
        task = bench.loop.create_task(
            bench.execution(question(), endpoint(), TakingSink(streaming=True), SERVING)
        )
        for _ in range(number % 4):
            await one_turn()
        if number % 2 and bench.dialer.lines and not bench.line.transport.aborted:
            bench.line.begins()
            bench.line.sends(*[token("x")] * (number % 5))
        await leave(task)
    await settle()
    assert len(asyncio.all_tasks()) == before
    assert bench.execution.busy == 0
    assert all(line.transport.aborted for line in bench.dialer.lines)
