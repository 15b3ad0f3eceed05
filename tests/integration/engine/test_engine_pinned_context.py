"""No request loads a model again in another size: every call names the context it is loaded with."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import ollama
import openai
import pytest

from orchestra_core.simulation.backend import SimulatedBackend
from orchestra_core.simulation.fleet import FLEETS
from orchestra_core.simulation.running import start
from tests.fakes.engine_here import EngineHere

MODEL, EMBED = "sim-small:1b", "sim-embed"
ASK = [{"role": "user", "content": "Say something."}]


@pytest.fixture
async def backend() -> AsyncIterator[SimulatedBackend]:
    """`sim-small`, which speaks Ollama's format and loads a model anew for another `num_ctx`, as Ollama does."""
    running = await start(FLEETS["two"], seed=1, time_scale=40.0)
    yield running["sim-small"]
    await running.close()


def engine(home: Path, backend: SimulatedBackend, more: str = "") -> EngineHere:
    """An engine before this one backend; `more` goes into its table."""
    return EngineHere(home, [SimpleNamespace(name="o", kind="ollama", url=backend.url)], more)


def loads(backend: SimulatedBackend, model: str = MODEL) -> int:
    return backend.model.memory.models[model].loads


async def contexts(client: ollama.AsyncClient) -> dict[str | None, int | None]:
    return {model.model: model.context_length for model in (await client.ps()).models}


async def test_the_simulated_ollama_loads_anew_for_another_context(backend: SimulatedBackend) -> None:
    """A call that names another `num_ctx` costs a load, back and forth; the same one costs nothing."""
    async with ollama.AsyncClient(host=backend.url, timeout=10) as client:
        assert await contexts(client) == {MODEL: 4096}
        await client.chat(MODEL, messages=ASK, options={"num_ctx": 4096, "num_predict": 2})
        assert loads(backend) == 0
        await client.chat(MODEL, messages=ASK, options={"num_ctx": 1024, "num_predict": 2})
        assert (loads(backend), await contexts(client)) == (1, {MODEL: 1024})
        await client.chat(MODEL, messages=ASK, options={"num_predict": 2})
        assert (loads(backend), await contexts(client)) == (2, {MODEL: 4096})


async def test_no_request_changes_the_size_of_a_loaded_model(
    backend: SimulatedBackend, tmp_path: Path
) -> None:
    """Chat, completion and embedding keep it as it is loaded; a client that names another context is refused."""
    async with ollama.AsyncClient(host=backend.url, timeout=10) as client:
        await client.generate(MODEL, options={"num_ctx": 2048})
        await client.embed(EMBED, input="", options={"num_ctx": 512})
        before = loads(backend), loads(backend, EMBED)
        async with engine(tmp_path, backend) as here:
            caller = openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{here.port}/v1", api_key="none")
            async with caller:
                await caller.chat.completions.create(model=MODEL, messages=ASK, max_tokens=3)
                await caller.completions.create(model=MODEL, prompt="Once", max_tokens=3)
                await caller.embeddings.create(model=EMBED, input="tea")
                with pytest.raises(openai.BadRequestError, match="num_ctx"):
                    await caller.chat.completions.create(
                        model=MODEL, messages=ASK, extra_body={"num_ctx": 99}
                    )
        assert (loads(backend), loads(backend, EMBED)) == before
        assert await contexts(client) == {MODEL: 2048, EMBED: 512}


async def test_a_model_is_loaded_with_the_context_an_operator_wants(
    backend: SimulatedBackend, tmp_path: Path
) -> None:
    """`context` of the backend, and of the model before it, is what a load and the calls after it name."""
    more = f'context = 1024\n[models."{MODEL}"]\ncontext = 2048\n'
    async with ollama.AsyncClient(host=backend.url, timeout=10) as client:
        await client.generate(MODEL, keep_alive=0)
        async with engine(tmp_path, backend, more) as here:
            caller = openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{here.port}/v1", api_key="none")
            async with caller:
                await caller.chat.completions.create(model=MODEL, messages=ASK, max_tokens=3)
                await caller.chat.completions.create(model=MODEL, messages=ASK, max_tokens=3)
                await caller.embeddings.create(model=EMBED, input="tea")
        assert await contexts(client) == {MODEL: 2048, EMBED: 1024}
        assert loads(backend) == 1
