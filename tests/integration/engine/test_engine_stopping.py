"""An engine that is told to stop: what runs finishes, what does not is told so, and nothing is left behind."""

import asyncio
import json
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from tests.fakes.engine_process import PLAIN, EngineProcess
from tests.fakes.gated_backend import TOKENS, GatedBackend
from tests.fakes.outside import until_outside

STREAMS = 50
BASE = "[discovery]\nenabled = false\n[embedded]\nenabled = false\n"


def asking(text: str = "Hi", *, stream: bool = True) -> dict[str, object]:
    return {"model": "gated", "messages": [{"role": "user", "content": text}], "stream": stream}


@asynccontextmanager
async def stopping(
    grace: float, more: str = ""
) -> AsyncIterator[tuple[EngineProcess, GatedBackend, httpx.AsyncClient]]:
    """An engine over one backend whose streams wait for their gate, and a client of it."""
    async with GatedBackend() as backend:
        backend.gate.clear()
        engine = EngineProcess(f"{BASE}[server]\ngrace_seconds = {grace}\n{backend.config()}{more}")
        try:
            await asyncio.to_thread(engine.start)
            limits = httpx.Limits(max_connections=200)
            async with httpx.AsyncClient(base_url=engine.url, timeout=30, limits=limits, **PLAIN) as client:
                yield engine, backend, client
            assert "Traceback" not in engine.log.text, engine.log.text
        finally:
            await asyncio.to_thread(engine.close)


async def streamed(client: httpx.AsyncClient) -> str:
    answer = await client.post("/v1/chat/completions", json=asking())
    assert answer.status_code == 200
    return answer.text


async def signalled(engine: EngineProcess) -> None:
    """SIGTERM, until the engine has noticed it."""
    assert engine.process is not None
    engine.process.send_signal(signal.SIGTERM)
    await asyncio.to_thread(engine.log.wait_for, "engine.stopping", 20)


def recorded(engine: EngineProcess) -> dict[str, int]:
    """Requests in the ledger by how they ended."""
    (file,) = engine.home.rglob("orchestra.db")
    with sqlite3.connect(file) as database:
        return dict(database.execute("select verdict, count(*) from requests group by verdict").fetchall())


def lives(child: psutil.Process) -> bool:
    """A zombie has ended; not every init process reaps."""
    try:
        return bool(child.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


async def test_running_streams_finish_and_new_work_is_refused() -> None:
    """Of 50 streams none is truncated; meanwhile readiness and new requests get 503, and looking still works."""
    async with stopping(grace=20) as (engine, backend, client), asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(streamed(client)) for _ in range(STREAMS)]
        await backend.until_asked(STREAMS)
        await signalled(engine)
        refused = await client.post("/v1/chat/completions", json=asking())
        unready = await client.get("/readyz")
        alive, looking = await client.get("/livez"), await client.get("/api/v1/snapshot")
        backend.gate.set()
        answers = await asyncio.gather(*running)
        code = await asyncio.to_thread(engine.wait)
        ledger = recorded(engine)
    for answer in (refused, unready):
        assert (answer.status_code, answer.headers["connection"]) == (503, "close")
        assert int(answer.headers["retry-after"]) > 0
        assert answer.json()["error"]["code"] == "stopping"
    assert (alive.status_code, looking.json()["totals"]["inflight"]) == (200, STREAMS)
    assert all(answer.endswith("data: [DONE]\n\n") for answer in answers)
    assert all(answer.count("token ") == TOKENS for answer in answers)
    assert code == 0
    assert ledger == {"success": STREAMS}


async def test_what_outlasts_the_grace_gets_an_error_event() -> None:
    """Not a cut: the stream ends with the error of its surface and no [DONE], and the ledger calls it interrupted.

    A request whose first token has not come yet gets a whole 503.
    """
    async with stopping(grace=0.3) as (engine, backend, client), asyncio.TaskGroup() as tasks:
        begun = tasks.create_task(streamed(client))
        whole = tasks.create_task(client.post("/v1/chat/completions", json=asking(stream=False)))
        native = tasks.create_task(client.post("/api/v1/route", json={"prompt": "Hi", "stream": True}))
        await backend.until_asked(3)
        await signalled(engine)
        answers = await begun, await whole, await native
        code = await asyncio.to_thread(engine.wait)
        ledger = recorded(engine)
    stream, unstarted, other = answers[0], answers[1], answers[2].text
    assert "token 0" in stream
    assert '"code":"interrupted"' in stream
    assert "the engine is stopping" in stream
    assert "[DONE]" not in stream
    assert (unstarted.status_code, unstarted.headers["retry-after"]) == (503, "5")
    assert "the engine is stopping" in unstarted.text
    assert "event: error\n" in other
    assert code == 0
    assert ledger == {"interrupted": 2, "busy": 1}
    assert backend.aborted == 3


async def test_consoles_are_told_and_their_streams_end_cleanly() -> None:
    """An event stream says that the engine stops, goes on while requests finish, and ends without an error."""
    async with stopping(grace=20) as (engine, backend, client), asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(client.get("/api/v1/events?snapshots=1&interval=0.5"))
        running = tasks.create_task(streamed(client))
        await backend.until_asked(1)
        await signalled(engine)
        backend.gate.set()
        watched, _ = await watching, await running
        code = await asyncio.to_thread(engine.wait)
    assert watched.status_code == 200
    assert '"kind":"engine.stopping"' in watched.text
    assert "one request may finish within 20 s" in watched.text
    assert code == 0


async def test_a_stop_does_not_wait_for_a_start_that_hangs() -> None:
    """A backend that accepts and never answers delays readiness, and not the end."""
    never = asyncio.Event()

    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await never.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    engine = EngineProcess(f'{BASE}[[backends]]\nname = "slow"\nkind = "vllm"\nurl = "{url}"\n')
    try:
        await asyncio.to_thread(engine.launch)
        await asyncio.to_thread(engine.log.wait_for, "backend.joined", 20)
        began = asyncio.get_running_loop().time()
        await signalled(engine)
        assert await asyncio.to_thread(engine.wait) == 0
        assert asyncio.get_running_loop().time() - began < 4
        assert "Traceback" not in engine.log.text
    finally:
        never.set()
        server.close()
        await asyncio.to_thread(engine.close)


async def test_a_second_signal_stops_at_once_and_leaves_no_child_behind() -> None:
    """The exit code is that of an interrupt, whatever still runs; the processes of managed models are gone."""
    server = Path(__file__).parents[1] / "managed" / "tiny_server.py"
    command = [sys.executable, str(server), "--host", "{host}", "--port", "{port}"]
    managed = (
        f'[[backends]]\nname = "mine"\nkind = "managed"\nmodels = ["tiny"]\ncommand = {json.dumps(command)}\n'
    )
    async with stopping(grace=20, more=managed) as (engine, backend, client):
        running = asyncio.create_task(client.post("/v1/chat/completions", json=asking()))
        await asyncio.to_thread(engine.run, "load", "tiny", "--wait")
        children = psutil.Process(engine.pid).children(recursive=True)
        assert children
        await backend.until_asked(1)
        await signalled(engine)
        assert engine.process is not None
        engine.process.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(engine.wait, 5)
        with pytest.raises(httpx.TransportError):
            await running
        # Processes that are no longer ours to wait for.
        await until_outside(lambda: not any(map(lives, children)), "end of the children", 5)
    assert code == 130
