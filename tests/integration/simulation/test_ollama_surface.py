"""The Ollama side of the simulation, judged by the official `ollama` client."""

from collections.abc import AsyncIterator

import httpx
import ollama
import pytest

from orchestra_core.simulation.running import Running
from orchestra_core.simulation.trace import FaultKind, InjectedFault

MODEL = "sim-small:1b"
ASK = [{"role": "user", "content": "Say something."}]


@pytest.fixture
async def client(fleet: Running) -> AsyncIterator[ollama.AsyncClient]:
    async with ollama.AsyncClient(host=fleet["sim-small"].url, timeout=10) as connected:
        yield connected


async def test_list_shows_the_models_with_their_details(client: ollama.AsyncClient) -> None:
    """Every declared model is listed with size, quantisation and a parent that says "simulated"."""
    models = {model.model: model for model in (await client.list()).models}
    assert set(models) == {MODEL, "sim-other:2b", "sim-embed", "sim-huge:400b"}
    details = models[MODEL].details
    assert details is not None
    assert models[MODEL].size == 10**9
    assert (details.parameter_size, details.quantization_level) == ("1.0B", "Q4_K_M")
    assert details.parent_model == "simulated"


async def test_show_tells_context_and_capabilities(client: ollama.AsyncClient) -> None:
    """`model_info` carries the context length under the family's name."""
    shown = await client.show(MODEL)
    assert shown.modelinfo is not None
    assert shown.modelinfo["llama.context_length"] == 4096
    assert shown.capabilities == ["completion"]
    assert (await client.show("sim-embed:latest")).capabilities == ["embedding"]


async def test_load_and_unload_by_keep_alive(client: ollama.AsyncClient) -> None:
    """An empty prompt loads, `keep_alive` 0 unloads, and `ps` follows with memory and expiry."""
    before = (await client.ps()).models
    assert [model.model for model in before] == [MODEL]
    loaded = await client.generate("sim-embed", keep_alive="10m")
    assert (loaded.done, loaded.done_reason) == (True, "load")
    after = {model.model: model for model in (await client.ps()).models}
    assert set(after) == {MODEL, "sim-embed"}
    embed = after["sim-embed"]
    assert (embed.size, embed.size_vram, embed.context_length) == (250_000_000, 250_000_000, 2048)
    assert embed.expires_at is not None
    gone = await client.generate("sim-embed", keep_alive=0)
    assert gone.done_reason == "unload"
    assert [model.model for model in (await client.ps()).models] == [MODEL]


async def test_loading_evicts_what_does_not_fit_beside_it(client: ollama.AsyncClient) -> None:
    """A model that needs the room of an idle one takes its place; one larger than the machine is refused."""
    await client.generate("sim-other:2b")
    assert [model.model for model in (await client.ps()).models] == ["sim-other:2b"]
    with pytest.raises(ollama.ResponseError, match="requires more system memory") as error:
        await client.generate("sim-huge:400b")
    assert error.value.status_code == 500


async def test_chat_in_one_piece(client: ollama.AsyncClient) -> None:
    """The answer says it is simulated, and its counts and durations add up."""
    answer = await client.chat(MODEL, messages=ASK, options={"num_predict": 7})
    assert answer.message.content is not None
    assert answer.message.content.startswith("[simulated] This answer is simulated")
    assert answer.done
    assert (answer.prompt_eval_count, answer.eval_count) == (8, 7)
    assert answer.total_duration >= answer.prompt_eval_duration + answer.eval_duration > 0


async def test_chat_streams_the_same_words(fleet: Running) -> None:
    """The streamed pieces make the text of the unstreamed answer with the same question."""
    # Slower: what a busy machine is late with comes in one piece.
    fleet["sim-small"].inject(InjectedFault(FaultKind.SLOW, factor=20.0))
    async with ollama.AsyncClient(host=fleet["sim-small"].url) as one:
        parts = [part async for part in await one.chat(MODEL, messages=ASK, stream=True)]
        whole = await one.chat(MODEL, messages=ASK)
    text = "".join(part.message.content or "" for part in parts)
    assert text == whole.message.content
    assert len(parts) > 2
    assert [part.done for part in parts[:-1]] == [False] * (len(parts) - 1)
    assert parts[-1].done_reason == "stop"
    assert parts[-1].eval_count == whole.eval_count


async def test_generate_streams_and_not(client: ollama.AsyncClient) -> None:
    """`/api/generate` answers in `response`."""
    whole = await client.generate(MODEL, prompt="Once", options={"num_predict": 5})
    assert whole.response == "[simulated] This answer is simulated:"
    assert whole.done_reason == "length"
    parts = [
        part
        async for part in await client.generate(MODEL, prompt="Once", stream=True, options={"num_predict": 5})
    ]
    assert "".join(part.response for part in parts) == whole.response


async def test_embeddings_in_both_generations_of_the_api(client: ollama.AsyncClient) -> None:
    """The same text has the same vector through `/api/embed` and `/api/embeddings`."""
    many = await client.embed("sim-embed", input=["tea", "coffee"])
    assert [len(vector) for vector in many.embeddings] == [64, 64]
    one = await client.embeddings("sim-embed", prompt="tea")
    assert list(one.embedding) == pytest.approx(list(many.embeddings[0]))


@pytest.mark.parametrize(
    ("call", "status", "message"),
    [
        (lambda c: c.chat("nope", messages=ASK), 404, "model 'nope' not found"),
        (lambda c: c.show("nope"), 404, "not found"),
        (lambda c: c.embed(MODEL, input="x"), 400, "does not support embeddings"),
        (lambda c: c.chat("sim-embed", messages=ASK), 400, "does not support chat"),
        (lambda c: c.chat(MODEL, messages=ASK, tools=[{"type": "function"}]), 400, "does not support tools"),
        (lambda c: c.generate(MODEL, prompt="x", keep_alive="soon"), 400, "invalid duration"),
    ],
)
async def test_errors_reach_the_client_as_ollama_words_them(client, call, status, message) -> None:
    """Status and text are those of the real server."""
    with pytest.raises(ollama.ResponseError, match=message) as error:
        await call(client)
    assert error.value.status_code == status


async def test_an_error_in_the_middle_of_a_stream_raises(fleet: Running, client: ollama.AsyncClient) -> None:
    """After the status is sent, an error is a line of the stream."""
    fleet["sim-small"].inject(InjectedFault(FaultKind.ERROR, after_tokens=3))
    text = ""

    async def read() -> None:
        nonlocal text
        async for part in await client.chat(MODEL, messages=ASK, stream=True):
            text += part.message.content or ""

    with pytest.raises(ollama.ResponseError, match="simulated error"):
        await read()
    assert text == "[simulated] This answer"


async def test_root_and_version_are_those_of_a_simulated_ollama(fleet: Running) -> None:
    """`GET /` and `HEAD /` answer 200, the version can be taken apart, unknown paths are 404."""
    async with httpx.AsyncClient(base_url=fleet["sim-small"].url) as plain:
        assert (await plain.get("/")).text == "Ollama is running (simulated)"
        assert (await plain.head("/")).status_code == 200
        assert (await plain.get("/api/version")).json() == {"version": "0.99.0-simulated"}
        missing = await plain.get("/api/nope")
        assert (missing.status_code, missing.text) == (404, "404 page not found")
        malformed = await plain.post("/api/chat", content=b"{")
        assert malformed.status_code == 400
        assert "error" in malformed.json()
