"""A simulated fleet on real sockets: clients that leave, faults, the process, agreement with the model."""

import asyncio
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from orchestra_core.simulation.backend import SimulatedBackend
from orchestra_core.simulation.dialogue import ask_chat
from orchestra_core.simulation.fleet import SECOND, SMALL
from orchestra_core.simulation.running import Running, start
from orchestra_core.simulation.service_model import ServiceModel
from orchestra_core.simulation.trace import Done, FaultKind, InjectedFault, Request
from tests.fakes.outside import until_outside

MODEL = "sim-small:1b"
ASK = [{"role": "user", "content": "Say something."}]
CHAT = {"model": MODEL, "messages": ASK, "stream": True}
OPENAI = "/v1/chat/completions"
OLLAMA = "/api/chat"
ROOT = Path(__file__).parents[3]


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=10) as connected:
        yield connected


async def until(backend: SimulatedBackend, condition: Callable[[], bool], seconds: float = 30) -> None:
    """Waits for something that happens in this backend."""
    async with asyncio.timeout(seconds):
        await backend.until(condition)


@pytest.mark.parametrize(("name", "path"), [("sim-small", OLLAMA), ("sim-second", OPENAI)])
@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_leaves_frees_its_slot(
    fleet: Running, client: httpx.AsyncClient, name: str, path: str, stream: bool
) -> None:
    """Streamed or not, the simulated work ends when the connection does, and the next request starts."""
    backend = fleet[name]
    backend.inject(InjectedFault(FaultKind.SLOW, factor=5000.0))
    slots = backend.model.memory.models[MODEL].spec.parallel
    body = {**CHAT, "stream": stream}
    leaving = [asyncio.ensure_future(client.post(backend.url + path, json=body)) for _ in range(slots)]
    await until(backend, lambda: backend.model.running == slots)
    staying = asyncio.ensure_future(client.post(backend.url + path, json=body))
    await until(backend, lambda: backend.model.waiting == 1)
    for task in leaving:
        task.cancel()
    await until(backend, lambda: (backend.model.running, backend.model.waiting) == (1, 0))
    backend.repair()
    assert (await staying).status_code == 200
    await until(backend, lambda: backend.model.running == 0)


@pytest.mark.parametrize(("name", "path"), [("sim-small", OLLAMA), ("sim-second", OPENAI)])
@pytest.mark.parametrize("after_tokens", [0, 4])
async def test_a_cut_stream_has_no_clean_end(
    fleet: Running, client: httpx.AsyncClient, name: str, path: str, after_tokens: int
) -> None:
    """The connection is lost after so many tokens; what came before arrived, and nothing but that."""
    backend = fleet[name]
    backend.inject(InjectedFault(FaultKind.CUT, after_tokens=after_tokens))
    received = b""

    async def read() -> None:
        nonlocal received
        async with client.stream("POST", backend.url + path, json=CHAT) as response:
            async for piece in response.aiter_bytes():
                received += piece

    with pytest.raises(httpx.ReadError):
        await read()
    assert (b"[simulated]" in received) is bool(after_tokens)
    assert b"[DONE]" not in received
    assert b"error" not in received


@pytest.mark.parametrize("cap", [40, 4000])
async def test_a_cut_answer_goes_on_at_another_backend(
    fleet: Running, client: httpx.AsyncClient, cap: int
) -> None:
    """The text so far as the assistant's last message: the rest, its length and its reason to end are the same."""
    urls = [fleet["sim-small"].url + OLLAMA, fleet["sim-second"].url + OPENAI]

    async def ask(url: str, text: str, left: int) -> tuple[str, int, str]:
        messages = [*ASK, {"role": "assistant", "content": text}] if text else ASK
        body = {"model": MODEL, "messages": messages, "stream": False}
        if url.endswith(OLLAMA):
            answer = (await client.post(url, json={**body, "options": {"num_predict": left}})).json()
            return answer["message"]["content"], answer["eval_count"], answer["done_reason"]
        answer = (await client.post(url, json={**body, "max_tokens": left})).json()
        [choice] = answer["choices"]
        return choice["message"]["content"], answer["usage"]["completion_tokens"], choice["finish_reason"]

    whole, tokens, reason = await ask(urls[0], "", cap)
    assert await ask(urls[1], "", cap) == (whole, tokens, reason)
    for cut in (1, 7, tokens - 1):
        for first, second in (urls, reversed(urls)):
            begin, _, _ = await ask(first, "", cut)
            rest, more, ended = await ask(second, begin, cap - cut)
            assert (begin + rest, cut + more, ended) == (whole, tokens, reason)


@pytest.mark.parametrize("path", [OLLAMA, OPENAI])
async def test_a_lost_stream_is_a_reset(fleet: Running, path: str) -> None:
    """The peer of a cut answer sees ECONNRESET, and the text that came before it."""
    backend = fleet["sim-small" if path == OLLAMA else "sim-second"]
    backend.inject(InjectedFault(FaultKind.CUT, after_tokens=3))
    reader, writer = await asyncio.open_connection("127.0.0.1", backend.port)
    body = msgspec.json.encode(CHAT)
    writer.write(f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
    received = bytearray()

    async def read() -> None:
        while data := await reader.read(65536):
            received.extend(data)

    with pytest.raises(ConnectionResetError):
        await read()
    writer.close()
    assert received.count(b"[simulated]") == 1


async def test_a_hanging_backend_accepts_and_never_answers(fleet: Running, client: httpx.AsyncClient) -> None:
    """Not even its health is told, but the control endpoint answers and ends it."""
    backend = fleet["sim-second"]
    hang = await client.post(f"{backend.url}/simulation/fault", json={"kind": "hang"})
    assert hang.json()["fault"]["kind"] == "hang"
    with pytest.raises(httpx.ReadTimeout):
        await client.get(f"{backend.url}/health", timeout=0.2)
    waiting = asyncio.ensure_future(client.get(f"{backend.url}/health"))
    state = (await client.delete(f"{backend.url}/simulation/fault")).json()
    assert (state["simulated"], state["fault"]) == (True, None)
    assert (await waiting).status_code == 200


async def test_an_error_fault_is_a_500_for_as_long_as_asked(
    fleet: Running, client: httpx.AsyncClient
) -> None:
    """The fault ends by itself; lists and health are not affected."""
    backend = fleet["sim-small"]
    await client.post(f"{backend.url}/simulation/fault", json={"kind": "error", "seconds": 1000})
    failed = await client.post(backend.url + OLLAMA, json=CHAT)
    assert (failed.status_code, failed.json()) == (500, {"error": "simulated error"})
    assert (await client.get(f"{backend.url}/api/tags")).status_code == 200
    await client.post(f"{backend.url}/simulation/fault", json={"kind": "error", "seconds": 0.01})
    await until(backend, lambda: backend.model.fault is None)
    assert (await client.post(backend.url + OLLAMA, json=CHAT)).status_code == 200


async def test_a_refusing_backend_closes_its_port_and_comes_back_on_it(
    fleet: Running, client: httpx.AsyncClient
) -> None:
    """Connections are refused while the fault lasts."""
    backend = fleet["sim-small"]
    await client.post(f"{backend.url}/simulation/fault", json={"kind": "refuse", "seconds": 20})
    with pytest.raises(httpx.ConnectError):
        await client.get(backend.url)
    await until(backend, lambda: backend.listening)
    assert (await client.get(backend.url)).status_code == 200


async def test_a_crash_loses_streams_and_the_server_returns_empty_handed(
    fleet: Running, client: httpx.AsyncClient
) -> None:
    """Streams break, the port is closed, and after the restart the resident model is loading."""
    backend = fleet["sim-second"]
    backend.inject(InjectedFault(FaultKind.SLOW, factor=100.0))

    async def read() -> None:
        async with client.stream("POST", backend.url + OPENAI, json=CHAT) as response:
            backend.inject(InjectedFault(FaultKind.CRASH, seconds=8))
            await response.aread()

    with pytest.raises(httpx.ReadError):
        await read()
    assert backend.model.memory_used == 0
    with pytest.raises(httpx.ConnectError):
        await client.get(f"{backend.url}/health")
    await until(backend, lambda: backend.listening and backend.model.is_ready(MODEL))
    assert (await client.post(backend.url + OPENAI, json=CHAT)).status_code == 200


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"kind": "refuse"}, "refuse needs seconds"),
        ({"kind": "flood"}, "Invalid enum value 'flood'"),
        ({"kind": "slow", "factor": 0}, "must be positive"),
        ({"kind": "cut", "after": 3}, "unknown field `after`"),
    ],
)
async def test_a_fault_that_makes_no_sense_is_refused(
    fleet: Running, client: httpx.AsyncClient, body: dict[str, object], message: str
) -> None:
    """400 in words, and nothing breaks."""
    backend = fleet["sim-small"]
    answer = await client.post(f"{backend.url}/simulation/fault", json=body)
    assert answer.status_code == 400
    assert message in answer.json()["error"]
    assert backend.model.fault is None


async def test_a_full_queue_is_503_at_an_ollama(client: httpx.AsyncClient) -> None:
    """Over its queue limit the server answers as Ollama does over 512."""
    running = await start([msgspec.structs.replace(SMALL, queue_limit=1)])
    try:
        backend = running["sim-small"]
        backend.inject(InjectedFault(FaultKind.SLOW, factor=5000.0))
        tasks = [asyncio.ensure_future(client.post(backend.url + OLLAMA, json=CHAT)) for _ in range(3)]
        await until(backend, lambda: backend.model.waiting == 1)
        refused = await client.post(backend.url + OLLAMA, json=CHAT)
        assert refused.status_code == 503
        assert refused.json()["error"].startswith("server busy")
        for task in tasks:
            task.cancel()
        await until(backend, lambda: backend.model.running == 0)
    finally:
        await running.close()


# Long enough that what the sockets and a busy machine add stays small beside it.
SLOW = msgspec.structs.replace(SECOND, models=(msgspec.structs.replace(SECOND.models[0], decode_rate=30.0),))


async def _measured(client: httpx.AsyncClient, asks: Sequence[str], seed: int, scale: float) -> list[float]:
    """Seconds of the model's time that each took over a socket; they arrive half a second apart."""
    running = await start([SLOW], seed=seed, time_scale=scale)
    loop = asyncio.get_running_loop()

    async def ask(number: int, at: float) -> float:
        due = asyncio.Event()
        loop.call_at(at, due.set)
        await due.wait()
        body = {**CHAT, "messages": [{"role": "user", "content": asks[number]}], "stream": False}
        url, id = running["sim-second"].url + OPENAI, {"x-request-id": f"r{number}"}
        usage = (await client.post(url, json=body, headers=id)).json()["usage"]
        assert usage["prompt_tokens"] == ask_chat(MODEL, body["messages"]).tokens
        return (loop.time() - at) * scale

    try:
        await client.get(f"{running['sim-second'].url}/health")
        begin = loop.time() + 0.05
        waiting = [ask(number, begin + 0.5 * number / scale) for number in range(len(asks))]
        return await asyncio.wait_for(asyncio.gather(*waiting), 60)
    finally:
        await running.close()


async def test_the_sockets_agree_with_the_model(client: httpx.AsyncClient) -> None:
    """The same small trace on real sockets and on a virtual clock: mean and median times within 15 %."""
    scale, seed = 4.0, 7
    asks = [f"Say something {number:3}." for number in range(20)]
    model = ServiceModel(SLOW, seed)
    for number, text in enumerate(asks):
        asked = ask_chat(MODEL, [{"role": "user", "content": text}])
        request = Request(f"r{number}", MODEL, asked.tokens, stream=False, content=asked.content)
        model.submit(request, 0.5 * number)
    expected = [
        event.at - event.timings.submitted for event in model.advance(1000) if isinstance(event, Done)
    ]

    async def agree() -> bool:
        measured = await _measured(client, asks, seed, scale)
        assert len(measured) == len(expected)
        return all(
            summary(measured) == pytest.approx(summary(expected), rel=0.15)
            for summary in (statistics.mean, statistics.median)
        )

    # A machine that has no time for it adds to what is measured, but hardly three times in a row.
    assert await agree() or await agree() or await agree()


async def _run_fleet(*arguments: str) -> tuple[asyncio.subprocess.Process, dict[str, Any]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "orchestra_core.simulation",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    async with asyncio.timeout(20):
        return process, msgspec.json.decode(await process.stdout.readline())


MIX = """
[schedule]
well_seconds = 0.001
faults = [{ kind = "blackhole", seconds = [1000, 1000] }]
"""


async def test_the_process_breaks_as_its_file_plans(client: httpx.AsyncClient, tmp_path: Path) -> None:
    """From the start by its seed, and anew by a line on stdin, with a begin that all processes share."""
    file = tmp_path / "mix.toml"
    file.write_text(MIX)
    process, said = await _run_fleet("--fleet", "replicas", "--only", "sim-replica-2", "--faults", str(file))
    [backend] = said["backends"]
    assert backend["name"] == "sim-replica-2"
    url, body = backend["url"] + OPENAI, {"model": "sim-replica", "messages": ASK, "max_tokens": 2}

    async def becomes(status: int) -> None:
        """What another process does by its own plan."""

        async def is_so() -> bool:
            return (await client.post(url, json=body)).status_code == status

        await until_outside(is_so, f"answer with {status}", 10)

    assert process.stdin is not None
    try:
        await becomes(503)
        process.stdin.write(b'{"seed": 1, "until": 0.0}\n')
        await client.delete(f"{backend['url']}/simulation/fault")
        await becomes(200)
        process.stdin.write(msgspec.json.encode({"seed": 1, "begin": time.monotonic() + 0.1}) + b"\n")
        await becomes(503)
    finally:
        process.stdin.close()
    assert await process.wait() == 0


async def test_the_process_says_where_it_listens_and_ends_with_stdin(client: httpx.AsyncClient) -> None:
    """One line of JSON, labelled simulated, tells every backend; closing stdin ends it cleanly."""
    process, said = await _run_fleet("--fleet", "demo", "--seed", "3", "--time-scale", "10")
    assert said["simulated"] is True
    assert {(backend["name"], backend["kind"]) for backend in said["backends"]} == {
        ("sim-workstation", "ollama"),
        ("sim-laptop", "ollama"),
        ("sim-rack", "vllm"),
        ("sim-cloud", "openai"),
        ("sim-edge", "llamacpp"),
    }
    for backend in said["backends"]:
        state = (await client.get(f"{backend['url']}/simulation")).json()
        assert (state["simulated"], state["name"]) == (True, backend["name"])
    assert process.stdin is not None
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_the_process_ends_on_sigterm() -> None:
    """SIGTERM is a clean end, too."""
    process, said = await _run_fleet("--fleet", "small")
    assert [backend["name"] for backend in said["backends"]] == ["sim-small"]
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 10) == 0
