"""The official `openai` client against `/v1`, with nothing changed but its base URL."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

from tests.fakes.engine_process import PLAIN, EngineProcess, FleetProcess

SAID: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Say something."}]
OLLAMA, VLLM, LLAMACPP, CLOUD = (
    "sim-llama3.1:8b",
    "sim-llama-3.3-70b-instruct",
    "sim-phi-3.5-mini-instruct",
    "sim-cloud-mini",
)
PREFACE = "[simulated] This answer is"


def connect(engine: EngineProcess) -> openai.OpenAI:
    client = openai.DefaultHttpxClient(timeout=60, **PLAIN)
    return openai.OpenAI(base_url=f"{engine.url}/v1", api_key="unused", max_retries=0, http_client=client)


@pytest.fixture(scope="module")
def client(demo: EngineProcess) -> Iterator[openai.OpenAI]:
    with connect(demo) as connected:
        yield connected


def test_models_are_listed_and_found(client: openai.OpenAI) -> None:
    """`auto` and every model of the fleet, each also by its name."""
    names = [model.id for model in client.models.list()]
    assert names[0] == "auto"
    assert {OLLAMA, VLLM, LLAMACPP, CLOUD} < set(names)
    assert client.models.retrieve(OLLAMA).id == OLLAMA


@pytest.mark.parametrize("model", [OLLAMA, VLLM, LLAMACPP, CLOUD])
def test_a_named_model_answers_whatever_its_backend_speaks(client: openai.OpenAI, model: str) -> None:
    """The answer, its usage and its finish reason are the same over every wire format."""
    raw = client.chat.completions.with_raw_response.create(model=model, messages=SAID, max_tokens=4)
    answer = raw.parse()
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].message.content == PREFACE
    assert answer.choices[0].finish_reason == "length"
    assert answer.model == model
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 4
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 4
    assert raw.headers["x-orchestra-model"] == model


@pytest.mark.parametrize("model", [OLLAMA, VLLM, LLAMACPP, CLOUD])
def test_a_named_model_streams_whatever_its_backend_speaks(client: openai.OpenAI, model: str) -> None:
    """Chunks add up to the same text; only the first has the role, only the last a finish reason."""
    chunks = list(client.chat.completions.create(model=model, messages=SAID, max_tokens=4, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == PREFACE
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks][-1] == "length"
    assert all(chunk.choices[0].finish_reason is None for chunk in chunks[:-1])
    assert {chunk.model for chunk in chunks} == {model}
    assert len({chunk.id for chunk in chunks}) == 1
    assert all(chunk.usage is None for chunk in chunks)


@pytest.mark.parametrize("model", [OLLAMA, VLLM, LLAMACPP, CLOUD])
def test_usage_comes_at_the_end_of_a_stream_if_asked_for(client: openai.OpenAI, model: str) -> None:
    """One last chunk without choices has the counts."""
    stream = client.chat.completions.create(
        model=model, messages=SAID, max_tokens=4, stream=True, stream_options={"include_usage": True}
    )
    *chunks, last = stream
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.completion_tokens == 4
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)


@pytest.mark.parametrize(
    "model", ["auto", "auto:code_generation", "auto:quality=high", "auto:reasoning,speed=low"]
)
@pytest.mark.parametrize("stream", [False, True])
def test_the_engine_chooses_when_asked_to(client: openai.OpenAI, model: str, stream: bool) -> None:
    """The answer names the model that was chosen, in its body and its headers."""
    create = client.chat.completions.with_raw_response.create
    raw = create(model=model, messages=SAID, max_tokens=4, stream=stream)
    chosen = raw.headers["x-orchestra-model"]
    assert chosen.startswith("sim-")
    answer: Any = raw.parse()
    named = {chunk.model for chunk in answer} if stream else {answer.model}
    assert named == {chosen}


def test_wishes_in_the_name_change_the_choice(client: openai.OpenAI) -> None:
    """High quality is served by a larger model than high speed."""
    create = client.chat.completions.with_raw_response.create
    best = create(model="auto:quality=high", messages=SAID, max_tokens=4)
    fast = create(model="auto:quality=low,speed=high", messages=SAID, max_tokens=4)
    assert best.headers["x-orchestra-model"] != fast.headers["x-orchestra-model"]


@pytest.mark.parametrize("model", ["auto", OLLAMA, VLLM, LLAMACPP])
def test_completions_streamed_and_whole(client: openai.OpenAI, model: str) -> None:
    """The older endpoint, both ways, over every wire format."""
    whole = client.completions.create(model=model, prompt="Once", max_tokens=4)
    assert (whole.choices[0].text, whole.object) == (PREFACE, "text_completion")
    assert whole.choices[0].finish_reason == "length"
    parts = list(client.completions.create(model=model, prompt="Once", max_tokens=4, stream=True))
    assert "".join(part.choices[0].text for part in parts) == PREFACE
    assert parts[-1].choices[0].finish_reason == "length"


@pytest.mark.parametrize("model", ["auto", "sim-nomic-embed-text"])
def test_embeddings(client: openai.OpenAI, model: str) -> None:
    """One text and several; the client asks for base64 by itself and gets floats."""
    one = client.embeddings.create(model=model, input="a text")
    assert len(one.data[0].embedding) == 768
    assert sum(value * value for value in one.data[0].embedding) == pytest.approx(1, abs=0.01)
    assert one.usage.prompt_tokens == 2
    several = client.embeddings.create(model=model, input=["a text", "another", "a text"])
    assert [found.index for found in several.data] == [0, 1, 2]
    assert several.data[0].embedding == pytest.approx(one.data[0].embedding, abs=1e-6)


def test_embeddings_of_a_relayed_backend(fleet: FleetProcess) -> None:
    """The same from a backend whose answer is passed on unread, in both encodings."""
    able = '[models."sim-small:1b"]\ncapabilities = ["chat", "embedding"]\n'
    with EngineProcess(fleet.config(only=["sim-second"]) + able) as engine, connect(engine) as client:
        default = client.embeddings.create(model="sim-small:1b", input="a text").data[0].embedding
        floats = client.embeddings.create(model="sim-small:1b", input="a text", encoding_format="float")
        assert floats.data[0].embedding == pytest.approx(default, abs=1e-6)
        assert len(default) == 64


def test_tools_go_only_to_models_that_have_them(client: openai.OpenAI) -> None:
    """A call with tools is never sent to a model without."""
    tools: list[ChatCompletionToolParam] = [
        {"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}}
    ]
    create = client.chat.completions.with_raw_response.create
    answer = create(model="auto:quality=low,speed=high", messages=SAID, tools=tools, max_tokens=4)
    assert answer.headers["x-orchestra-model"] not in {LLAMACPP, "sim-llama3.2:3b", "sim-gemma2:2b"}
    with pytest.raises(openai.BadRequestError, match="no model here can do this"):
        create(model="sim-llama3.2:3b", messages=SAID, tools=tools)


def test_pictures_go_only_to_models_that_see(client: openai.OpenAI) -> None:
    """A message with a picture makes vision a need, whatever its text says."""
    dot = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
    said: list[ChatCompletionMessageParam] = [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is it?"},
                {"type": "image_url", "image_url": {"url": dot}},
            ],
        }
    ]
    answer = client.chat.completions.with_raw_response.create(model="auto", messages=said, max_tokens=4)
    assert answer.headers["x-orchestra-model"] in {"sim-llava:7b", "sim-cloud-large"}
    with pytest.raises(openai.BadRequestError, match="vision"):
        client.chat.completions.create(model=OLLAMA, messages=said, max_tokens=4)


def test_fields_of_the_backend_are_passed_on(client: openai.OpenAI) -> None:
    """Fields that backends are known to take reach them, and they decide; a field nobody knows is refused by name."""
    answer = client.chat.completions.create(
        model=VLLM,
        messages=SAID,
        max_completion_tokens=4,
        seed=7,
        stop=["\n"],
        extra_body={"repetition_penalty": 1.1, "chat_template_kwargs": {"nested": [1, None]}},
    )
    assert answer.choices[0].message.content == PREFACE
    for field in ("my_own", "n_discard"):
        with pytest.raises(openai.BadRequestError, match=field) as unknown:
            client.chat.completions.create(model=VLLM, messages=SAID, extra_body={field: -1})
        assert unknown.value.param == field
    with pytest.raises(openai.BadRequestError, match="gives one choice") as refused:
        client.chat.completions.create(model=VLLM, messages=SAID, n=2)
    assert refused.value.code == "rejected_by_backend"


def test_errors_become_the_clients_exceptions(client: openai.OpenAI) -> None:
    """NotFoundError, BadRequestError with code and parameter, and the id of the request."""
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="nope", messages=SAID)
    assert (missing.value.code, missing.value.param) == ("model_not_found", "model")
    assert missing.value.request_id
    assert missing.value.request_id == json.loads(missing.value.response.text)["error"]["request_id"]
    with pytest.raises(openai.BadRequestError) as wrong:
        client.chat.completions.create(model="auto", messages=SAID, temperature=9)
    assert (wrong.value.code, wrong.value.param) == ("invalid_request", "temperature")
    with pytest.raises(openai.BadRequestError) as long:
        client.chat.completions.create(
            model="auto", messages=[{"role": "user", "content": "word " * 200_000}]
        )
    assert long.value.code == "context_length_exceeded"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nope")
    with pytest.raises(openai.NotFoundError, match="Responses API is not in this version"):
        client.responses.create(model="auto", input="Hi")


def test_no_backend_is_an_internal_server_error_that_says_what_to_do() -> None:
    """503 is retried by the client by itself; with retries off it is raised with our words."""
    with EngineProcess() as engine, connect(engine) as client:
        with pytest.raises(openai.InternalServerError, match="no backend is connected") as error:
            client.chat.completions.create(model="auto", messages=SAID)
        assert (error.value.status_code, error.value.code) == (503, "no_backend")


def test_a_stream_that_breaks_off_raises(mended: FleetProcess) -> None:
    """The client raises in the middle of its loop, with what it has already read intact."""
    for name in mended.backends:
        mended.fault(name, "cut", after_tokens=4)
        with EngineProcess(mended.config(only=[name])) as engine, connect(engine) as client:
            stream = client.chat.completions.create(model="auto", messages=SAID, stream=True)
            text: list[str] = []
            with pytest.raises(openai.APIError, match="the answer is incomplete"):
                text.extend(chunk.choices[0].delta.content or "" for chunk in stream)
            assert "".join(text) == PREFACE


def test_a_client_may_leave_a_stream(client: openai.OpenAI, demo: EngineProcess) -> None:
    """Closing after the first chunk is no failure of anybody, and the slot is free again."""
    before = demo.snapshot()["totals"]["cancelled"]
    stream = client.chat.completions.create(model=OLLAMA, messages=SAID, stream=True, max_tokens=2000)
    assert next(stream).choices
    stream.close()
    snapshot = demo.until(lambda now: now["totals"]["cancelled"] > before and not now["totals"]["inflight"])
    assert next(one["circuit"] for one in snapshot["models"] if one["model"] == OLLAMA) == "closed"


async def test_the_asynchronous_client_works_as_well(demo: EngineProcess) -> None:
    """Streaming by the asynchronous client."""
    http = openai.DefaultAsyncHttpxClient(timeout=60, **PLAIN)
    async with openai.AsyncOpenAI(
        base_url=f"{demo.url}/v1", api_key="unused", max_retries=0, http_client=http
    ) as client:
        stream = await client.chat.completions.create(model=VLLM, messages=SAID, max_tokens=4, stream=True)
        text = [chunk.choices[0].delta.content or "" async for chunk in stream]
        assert "".join(text) == PREFACE
