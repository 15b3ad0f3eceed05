"""The fault matrix, rows of the engine itself: told to stop, killed, given a new configuration, held up.

A ledger whose disk is full or whose file is locked: tests/integration/storage/test_ledger.py and
tests/integration/engine/test_engine_ledger.py.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from orchestra_core.domain.errors import OrchestraError
from tests.fakes.chaos import ChaosBackend
from tests.fakes.chaos_steps import end, finish, head, token, wait
from tests.fakes.engine_here import described
from tests.fakes.engine_process import EngineProcess
from tests.fakes.outside import wait_outside
from tests.fakes.plain_client import PlainClient
from tests.integration.faults.conftest import Stage

GATED = [head(), token(), wait("go"), token(), finish(), end()]


@pytest.fixture
def patient_for() -> float:
    """Processes are started here."""
    return 60.0


@pytest.fixture
async def lone(stage: Stage) -> ChaosBackend:
    return await stage.backend("first")


@pytest.fixture
async def process(lone: ChaosBackend) -> AsyncIterator[EngineProcess]:
    """A real process of its own: what a signal ends."""
    engine = EngineProcess(described([lone], slots=16))
    try:
        await asyncio.to_thread(engine.start)
        yield engine
    finally:
        await asyncio.to_thread(engine.close)


@pytest.fixture
async def stack() -> AsyncIterator[contextlib.AsyncExitStack]:
    async with contextlib.AsyncExitStack() as kept:
        yield kept


async def ended(engine: EngineProcess) -> int:
    """Its exit code."""
    return await asyncio.to_thread(engine.wait)


async def test_sigterm_finishes_what_runs_and_refuses_what_comes(
    lone: ChaosBackend, process: EngineProcess, stack: contextlib.AsyncExitStack
) -> None:
    """Ten streams end well; meanwhile new work is 503 with `connection: close`, and readiness is off; exit 0."""
    lone.script(*GATED, times=10)
    clients = [await stack.enter_async_context(PlainClient(process.port)) for _ in range(10)]
    for client in clients:
        client.chat(stream=True)
    for number, client in enumerate(clients):
        await lone.called(number + 1)
        await client.until("first-")
    os.kill(process.pid, signal.SIGTERM)
    async with PlainClient(process.port) as late:
        while True:
            late.chat()
            refused = await late.answer()
            if refused.status == 503:
                break
    assert refused.headers["connection"] == "close"
    assert int(refused.headers["retry-after"]) >= 1
    assert "stopping" in refused.error["message"]
    async with PlainClient(process.port) as probe:
        probe.write(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert (await probe.answer()).status == 503
    async with PlainClient(process.port) as probe:
        probe.write(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert (await probe.answer()).status == 200
    lone.open("go")
    for client in clients:
        answer = await client.answer()
        assert (answer.done, answer.whole) == (True, True)
        assert len(answer.content.split()) == 2
    assert await ended(process) == 0


async def test_a_second_signal_stops_at_once(lone: ChaosBackend, process: EngineProcess) -> None:
    """Whoever insists gets what he wants: the process is gone although a stream runs."""
    lone.script(*GATED)
    async with PlainClient(process.port) as client:
        client.chat(stream=True)
        await client.until("first-1")
        began = time.monotonic()
        os.kill(process.pid, signal.SIGTERM)
        await asyncio.to_thread(process.log.wait_for, "stopping", 5)
        os.kill(process.pid, signal.SIGTERM)
        assert await ended(process) != 0
        assert time.monotonic() - began < 5
    await lone.calls[0].gone.wait()


async def test_sigkill_leaves_nothing_in_the_way_of_a_restart(
    lone: ChaosBackend, process: EngineProcess
) -> None:
    """No lock is left and the dead socket is replaced; what was answered is in the ledger once; it serves again."""
    async with PlainClient(process.port) as client:
        for _ in range(5):
            client.chat()
            assert (await client.answer()).status == 200
        await asyncio.to_thread(settled, process, 5)
        lone.script(*GATED)
        client.chat(stream=True)
        await client.until("first-6")
        os.kill(process.pid, signal.SIGKILL)
        await ended(process)
        assert not (await client.answer()).whole
    await lone.calls[5].gone.wait()
    assert process.socket.is_socket()
    with pytest.raises(ConnectionRefusedError), socket.socket(socket.AF_UNIX) as dead:
        dead.connect(str(process.socket))

    again = EngineProcess(process.config.read_text(), home=process.home)
    try:
        await asyncio.to_thread(again.start)
        async with PlainClient(again.port) as client:
            client.chat()
            assert (await client.answer()).status == 200
        with socket.socket(socket.AF_UNIX) as alive:
            alive.connect(str(again.socket))
        await asyncio.to_thread(settled, again, 6)
    finally:
        code = await asyncio.to_thread(again.stop)
        await asyncio.to_thread(again.close)
    assert code == 0


def settled(engine: EngineProcess, count: int) -> None:
    """Waits until the ledger's file holds so many good requests."""
    (path,) = Path(engine.home).rglob("*.db")

    def are_there() -> bool:
        with contextlib.suppress(sqlite3.OperationalError), closing(sqlite3.connect(path)) as ledger:
            (found,) = ledger.execute("select count(*) from requests where verdict = 'success'").fetchone()
            return bool(found == count)
        return False

    # Another process writes them.
    wait_outside(are_there, f"{count} requests in the ledger", 10)


async def test_a_reload_in_the_middle_of_a_stream_drops_nothing(stage: Stage) -> None:
    """Its backend is taken out of the configuration: the stream goes on to its end, the next call goes elsewhere."""
    engine, first, second = await stage.pair()
    first.script(*GATED)
    async with engine.client() as client:
        client.chat(stream=True)
        await client.until("first-1")
        await engine.reload(described([second]))
        assert (await engine.chat()).backend == "second"
        assert not first.calls[0].gone.is_set()
        first.open("go")
        answer = await client.answer()
    assert (answer.content, answer.done) == ("first-1 first-2 ", True)
    await engine.reload(described([first, second]))
    assert (await engine.chat()).backend == "first"


async def test_an_invalid_file_changes_nothing(stage: Stage) -> None:
    """A reload of it says what is wrong and where; backends, streams and settings stay as they were."""
    engine, first, second = await stage.pair()
    first.script(*GATED)
    async with engine.client() as client:
        client.chat(stream=True)
        await client.until("first-1")
        with pytest.raises(OrchestraError, match=r"line \d+|:\d+"):
            await engine.reload(described([second]) + '\n[servr]\nport = "x"\n')
        assert (await engine.chat()).backend == "first"
        first.open("go")
        assert (await client.answer()).done


async def test_a_blocked_event_loop_is_told(stage: Stage) -> None:
    """Something held the loop for a third of a second: the operator is told, and the metrics show it."""
    engine, _, _ = await stage.pair()
    async with engine.client() as client:
        client.chat()
        await client.answer()
        time.sleep(0.5)  # noqa: ASYNC251  the fault itself
        while not engine.told("engine.stalled"):
            client.chat()
            await client.answer()
    metrics = await engine.get("/metrics")
    (line,) = [
        line for line in metrics.text.splitlines() if line.startswith("orchestra_event_loop_lag_seconds")
    ]
    assert 0.25 < float(line.split()[-1]) < 5
