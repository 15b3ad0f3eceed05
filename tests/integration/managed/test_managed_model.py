"""The real model in its child process: from absent to an answer and back."""

import asyncio
import contextlib
import json
import os
import signal
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import psutil
import pytest
import pytest_asyncio

from orchestra_core.domain.catalog import Residency
from orchestra_core.upstream.control import ControlError
from orchestra_core.upstream.embedded import embedded_model
from orchestra_core.upstream.launch import ManagedModel
from orchestra_core.upstream.managed import Managed
from tests.integration.managed.places import Places, build

pytestmark = pytest.mark.model
NAME = "gemma"
Loaded = tuple[Managed, Places]
shared = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def managed(make, gemma_path: Path) -> Managed:
    return make({NAME: ManagedModel(path=gemma_path, context=1024)})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def loaded(gemma_path: Path) -> AsyncIterator[Loaded]:
    """A backend with its model loaded, which tests share and leave loaded. One slot is warmed up sooner."""
    with tempfile.TemporaryDirectory(prefix="orch-") as root:
        places = Places(Path(root))
        managed = build(places, {NAME: ManagedModel(path=gemma_path, context=1024, parallel=1)})
        await managed.load(NAME, ignore)
        yield managed, places
        await managed.close()


@contextlib.asynccontextmanager
async def connected(managed: Managed) -> AsyncIterator[httpx.AsyncClient]:
    # The server closes a connection after some answers; a request sent on it just then would be lost.
    fresh = httpx.Limits(max_keepalive_connections=0)
    transport = httpx.AsyncHTTPTransport(uds=managed.address(NAME).unix, limits=fresh)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=60) as client:
        yield client


def question(*turns: str, **fields: object) -> dict[str, object]:
    """A chat whose turns alternate between user and assistant, answered greedily."""
    roles = ("user", "assistant")
    messages = [{"role": roles[i % 2], "content": turn} for i, turn in enumerate(turns)]
    return {"messages": messages, "temperature": 0, "stream": True, **fields}


async def answer(client: httpx.AsyncClient, body: dict[str, object]) -> tuple[str, str]:
    """The streamed text and the reason it ended."""
    text, finish = "", ""
    async with client.stream("POST", "/v1/chat/completions", json=body) as response:
        assert response.status_code == 200
        async for line in response.aiter_lines():
            if line.startswith("data: {"):
                choice = json.loads(line.removeprefix("data: "))["choices"][0]
                text += choice["delta"].get("content") or ""
                finish = choice["finish_reason"] or finish
    return text, finish


def ignore(text: str) -> None:
    """Progress nobody looks at."""


async def test_model_is_loaded_answers_and_is_gone(managed: Managed, places) -> None:
    """Load, a sensible streamed answer that ends by itself, unload; process, socket and record are gone."""
    (absent,) = await managed.models()
    assert (absent.residency, absent.memory_bytes) == (Residency.ABSENT, None)
    assert (absent.parameters, absent.quantization, absent.family) == (268_098_176, "Q4_K_M", "gemma3")
    assert (absent.shape, absent.parallel) == (embedded_model(Path()).shape, 2)
    said: list[str] = []
    await managed.load(NAME, said.append)
    assert said[0] == "loading 0.0 s"
    (ready,) = await managed.models()
    assert (ready.residency, ready.context, ready.slots) == (Residency.READY, 1024, 2)
    assert ready.memory_bytes > ready.size_bytes
    child = places.child()
    async with connected(managed) as client:
        text, finish = await answer(client, question("What is the capital of France?"))
        assert "Paris" in text
        assert text == text.strip()
        assert "Question:" not in text
        assert finish == "stop"
        italy = ("What is the capital of Italy?", "The capital of Italy is Rome.", "And of Spain?")
        text, _ = await answer(client, question(*italy))
        assert "Madrid" in text
    await managed.unload(NAME)
    assert not psutil.pid_exists(child.pid)
    assert (places.sockets(), places.records()) == ([], [])
    (unloaded,) = await managed.models()
    assert (unloaded.residency, unloaded.memory_bytes) == (Residency.ABSENT, None)


@shared
async def test_leaving_frees_the_slot(loaded: Loaded) -> None:
    """A client that leaves in mid-answer stops the generation."""
    managed, _ = loaded
    async with connected(managed) as client:
        body = question("Count from one to a thousand.", max_tokens=900, ignore_eos=True, stop=["never said"])
        async with client.stream("POST", "/v1/chat/completions", json=body) as response:
            async for line in response.aiter_lines():
                if line.startswith("data: {"):
                    break
            assert any(slot["is_processing"] for slot in (await client.get("/slots")).json())
        async with asyncio.timeout(20):
            while any(slot["is_processing"] for slot in (await client.get("/slots")).json()):
                pass


@shared
async def test_default_stops_are_offered_for_joining(loaded: Loaded) -> None:
    """A model without a chat template tells the stop sequences its chats need, once that is known."""
    managed, _ = loaded
    defaults = managed.defaults(NAME)
    assert defaults == {"stop": ["\n\nQuestion:", "\nQuestion:"]}
    async with connected(managed) as client:
        own = question("What is the capital of France?", stop=["Berlin", *defaults["stop"]], max_tokens=200)
        text, finish = await answer(client, own)
    assert "Question:" not in text
    assert finish == "stop"


@shared
async def test_killed_child_is_noticed(loaded: Loaded) -> None:
    """A child that dies is told with its signal and last lines; the model is absent and can be loaded again."""
    managed, places = loaded
    os.kill(places.child().pid, signal.SIGKILL)
    async with asyncio.timeout(10):
        await places.exited.wait()
    ((model, status, lines),) = places.exits
    assert (model, status) == (NAME, -signal.SIGKILL)
    assert isinstance(lines, list)
    (lost,) = await managed.models()
    assert (lost.residency, lost.memory_bytes) == (Residency.ABSENT, None)
    await managed.load(NAME, ignore)
    async with connected(managed) as client:
        assert (await client.get("/health")).status_code == 200


async def test_probe_tells_the_version(managed: Managed) -> None:
    """The probe names the llama.cpp package that would be run, without running it."""
    assert (await managed.probe()).version.startswith("xllamacpp 20")


async def test_damaged_file_is_told_before_anything_is_started(
    make, gemma_path: Path, tmp_path: Path, places
) -> None:
    """A file cut short, one of another format and one that is not there are named with what is wrong."""
    cut, junk = tmp_path / "cut.gguf", tmp_path / "junk.gguf"
    with gemma_path.open("rb") as whole:
        cut.write_bytes(whole.read(20_000_000))
    junk.write_bytes(b"no model at all")
    models = {path.stem: ManagedModel(path=path) for path in (cut, junk, tmp_path / "missing.gguf")}
    managed = make(models)
    for model, complaint in (
        ("cut", f"{cut} is a GGUF file that was cut short"),
        ("junk", f"{junk} is not a GGUF file"),
        ("missing", "missing.gguf cannot be read: No such file"),
    ):
        with pytest.raises(ControlError) as failed:
            await managed.load(model, ignore)
        assert complaint in failed.value.message
    assert {info.residency for info in await managed.models()} == {Residency.ABSENT}
    assert not (places.state / "children").exists()


@pytest.fixture
def strange_path(gemma_path: Path, tmp_path: Path) -> Path:
    """A sound file of an architecture nobody knows."""
    content = bytearray(gemma_path.read_bytes())
    at = content.index(b"general.architecture") + len(b"general.architecture") + 12
    content[at : at + 6] = b"gemmaX"
    path = tmp_path / "strange.gguf"
    path.write_bytes(content)
    return path


async def test_file_llama_cannot_load_is_told_in_its_words(make, strange_path: Path) -> None:
    """A file whose header is sound and that llama.cpp refuses fails with what llama.cpp said."""
    with pytest.raises(
        ControlError, match=r"exited with status 1 while loading: .*unknown model architecture"
    ):
        await make({NAME: ManagedModel(path=strange_path)}).load(NAME, ignore)
