"""A real llama.cpp, serving the embedded model, seen through its control side."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from orchestra_core.domain.catalog import BackendKind, ModelInfo, Residency
from orchestra_core.upstream.control import ControlError
from orchestra_core.upstream.control.llamacpp import LlamaCpp
from orchestra_core.upstream.discovery import Found, discover

pytest.importorskip("xllamacpp", reason="needs the embedded extra")
pytestmark = pytest.mark.model
PROCESS = Path(__file__).with_name("llama_process.py")
START_SECONDS = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def llama(model: Path, *options: str) -> AsyncIterator[tuple[int, asyncio.subprocess.Process]]:
    """The port of a llama-server that may still be loading, and its process."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(PROCESS),
        str(model),
        str(port),
        *options,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield port, process
    finally:
        process.kill()
        await process.wait()


async def listening(process: asyncio.subprocess.Process) -> None:
    assert process.stdout is not None
    async with asyncio.timeout(START_SECONDS):
        assert await process.stdout.readline()


async def test_a_real_server_is_described_and_discovered(client: httpx.AsyncClient, gemma_path: Path) -> None:
    """It is probed, its model listed with size, context, quantisation and slots, and it cannot unload it."""
    async with llama(gemma_path) as (port, process):
        control = LlamaCpp(f"http://127.0.0.1:{port}", client, {})
        await listening(process)
        probe = await control.probe()
        found = await discover(client, ports={port: "vllm"})

        assert 0 < probe.latency < 5
        assert await control.models() == [
            ModelInfo(
                name="gemma",
                residency=Residency.READY,
                size_bytes=246587904,
                parameters=268098176,
                context=1024,
                quantization="Q4_K_M",
                capabilities=frozenset({"chat", "completion"}),
                slots=2,
                loadable=False,
            )
        ]
        assert found == [Found(BackendKind.LLAMACPP, f"http://127.0.0.1:{port}", f"llamacpp-{port}")]
        with pytest.raises(ControlError, match="serves the one model it was started with"):
            await control.unload("gemma")


async def test_a_real_embedding_server_is_told_apart(client: httpx.AsyncClient, gemma_path: Path) -> None:
    """A server started for embeddings is listed for those only, though it lists itself like any other."""
    async with llama(gemma_path, "embeddings") as (port, process):
        await listening(process)
        control = LlamaCpp(f"http://127.0.0.1:{port}/v1", client, {})
        # Of a server too busy to say it, it is not known: it is asked again.
        async with asyncio.timeout(START_SECONDS):
            while not (models := await control.models())[0].capabilities:
                pass

    assert [model.capabilities for model in models] == [frozenset({"embedding"})]
