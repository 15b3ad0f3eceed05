"""The OpenAI side of the simulation, judged by the official `openai` client."""

from collections.abc import AsyncIterator

import httpx
import openai
import pytest

from orchestra_core.simulation.fleet import CLOUD, EDGE
from orchestra_core.simulation.running import Running, start
from orchestra_core.simulation.trace import FaultKind, InjectedFault

MODEL = "sim-small:1b"
ASK = [{"role": "user", "content": "Say something."}]


def connect(url: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=10)


@pytest.fixture
async def client(fleet: Running) -> AsyncIterator[openai.AsyncOpenAI]:
    async with connect(fleet["sim-second"].url) as connected:
        yield connected


async def test_models_are_owned_by_the_simulation(client: openai.AsyncOpenAI) -> None:
    """The list has vLLM's `max_model_len` and an owner that says "simulated"."""
    [model] = [model async for model in client.models.list()]
    assert (model.id, model.owned_by) == (MODEL, "simulated")
    assert model.to_dict()["max_model_len"] == 4096


async def test_chat_in_one_piece(client: openai.AsyncOpenAI) -> None:
    """The answer says it is simulated, and counts its tokens."""
    answer = await client.chat.completions.create(model=MODEL, messages=ASK, max_tokens=5)
    assert answer.choices[0].message.content == "[simulated] This answer is simulated:"
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (
        8,
        5,
        13,
    )
    assert answer.system_fingerprint == "simulated"


async def test_chat_streams_with_usage(client: openai.AsyncOpenAI) -> None:
    """Role first, then text, a finish reason, and with `include_usage` a last chunk without choices."""
    stream = await client.chat.completions.create(
        model=MODEL,
        messages=ASK,
        max_completion_tokens=6,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in stream]
    assert chunks[0].choices[0].delta.role == "assistant"
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "[simulated] This answer is simulated: no"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "length"
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 6
    assert len({chunk.id for chunk in chunks}) == 1


async def test_usage_is_not_sent_unasked(client: openai.AsyncOpenAI) -> None:
    """Without `include_usage` every chunk has a choice."""
    stream = await client.chat.completions.create(model=MODEL, messages=ASK, max_tokens=3, stream=True)
    assert all([bool(chunk.choices) async for chunk in stream])


async def test_completions_stream_and_not(client: openai.AsyncOpenAI) -> None:
    """`/v1/completions` gives the same words in both ways, and accepts tokens for a prompt."""
    whole = await client.completions.create(model=MODEL, prompt="Once", max_tokens=4)
    assert whole.choices[0].text == "[simulated] This answer is"
    stream = await client.completions.create(model=MODEL, prompt=[1, 2, 3], max_tokens=4, stream=True)
    assert "".join([chunk.choices[0].text async for chunk in stream]) == whole.choices[0].text


async def test_embeddings(client: openai.AsyncOpenAI) -> None:
    """The client's own default encoding and plain floats give the same vectors."""
    packed = await client.embeddings.create(model=MODEL, input=["tea", "coffee"])
    plain = await client.embeddings.create(model=MODEL, input="tea", encoding_format="float")
    assert [len(one.embedding) for one in packed.data] == [64, 64]
    assert packed.data[0].embedding == pytest.approx(plain.data[0].embedding, abs=1e-6)
    assert packed.usage.prompt_tokens == 3


async def test_an_unknown_model_is_not_found(client: openai.AsyncOpenAI) -> None:
    """404 in vLLM's shape, with a number for a code."""
    with pytest.raises(openai.NotFoundError) as error:
        await client.chat.completions.create(model="nope", messages=ASK)
    assert error.value.body == {
        "message": "The model `nope` does not exist.",
        "type": "NotFoundError",
        "param": None,
        "code": 404,
    }


async def test_a_prompt_over_the_context_is_a_bad_request(client: openai.AsyncOpenAI) -> None:
    """400 naming both lengths."""
    with pytest.raises(openai.BadRequestError, match="5000 tokens does not fit the context of 4096"):
        await client.completions.create(model=MODEL, prompt="x" * 20_000)


async def test_a_body_that_cannot_be_used_is_a_bad_request(client: openai.AsyncOpenAI) -> None:
    """Missing messages, several choices and several prompts are refused in words."""
    with pytest.raises(openai.BadRequestError, match="at least one message"):
        await client.chat.completions.create(model=MODEL, messages=[])
    with pytest.raises(openai.BadRequestError, match="one choice"):
        await client.chat.completions.create(model=MODEL, messages=ASK, n=2)
    with pytest.raises(openai.BadRequestError, match="one prompt"):
        await client.completions.create(model=MODEL, prompt=["a", "b"])


async def test_an_error_in_the_middle_of_a_stream_raises(fleet: Running, client: openai.AsyncOpenAI) -> None:
    """After the status is sent, an error is an event of the stream."""
    fleet["sim-second"].inject(InjectedFault(FaultKind.ERROR, after_tokens=2))
    stream = await client.chat.completions.create(model=MODEL, messages=ASK, stream=True)
    text = ""

    async def read() -> None:
        nonlocal text
        async for chunk in stream:
            text += chunk.choices[0].delta.content or ""

    with pytest.raises(openai.APIError, match="simulated error"):
        await read()
    assert text == "[simulated] This"


async def test_dialects_of_the_other_kinds() -> None:
    """llama-server tells slots and properties and answers any model name; a cloud words its own errors."""
    running = await start((CLOUD, EDGE), time_scale=1000.0)
    try:
        async with httpx.AsyncClient(base_url=running["sim-edge"].url) as edge:
            assert (await edge.get("/health")).json() == {"status": "ok"}
            props = (await edge.get("/props")).json()
            assert (props["total_slots"], props["build_info"]) == (1, "b0-simulated")
            assert [slot["is_processing"] for slot in (await edge.get("/slots")).json()] == [False]
            assert (await edge.get("/v1/models")).json()["data"][0]["meta"]["n_params"] == 3_820_000_000
            refused = await edge.post("/v1/embeddings", json={"input": "x"})
            assert (refused.status_code, refused.json()["error"]["type"]) == (501, "not_supported_error")
            answer = await edge.post("/v1/chat/completions", json={"model": "whatever", "messages": ASK})
            assert answer.json()["model"] == EDGE.models[0].name
        async with connect(running["sim-cloud"].url) as cloud:
            with pytest.raises(openai.NotFoundError) as error:
                await cloud.chat.completions.create(model="nope", messages=ASK)
            assert error.value.code == "model_not_found"
    finally:
        await running.close()


async def test_vllm_tells_its_load_and_version(fleet: Running) -> None:
    """`/metrics` has the two gauges of load, `/version` says "simulated"."""
    async with httpx.AsyncClient(base_url=fleet["sim-second"].url) as plain:
        assert 'vllm:num_requests_running{model_name="sim-small:1b"} 0' in (await plain.get("/metrics")).text
        assert "simulated" in (await plain.get("/version")).json()["version"]
        assert (await plain.get("/health")).status_code == 200
        assert (await plain.get("/nope")).status_code == 404
