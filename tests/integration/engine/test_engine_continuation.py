"""Continuation over processes and sockets: a simulated stream is cut, another backend goes on, word for word."""

import json
from collections.abc import Iterator

import openai
import pytest

from tests.fakes.engine_process import EngineProcess, FleetProcess, sse

MODEL = "sim-small:1b"
OTHER = {"sim-small": "sim-second", "sim-second": "sim-small"}
MESSAGES = [{"role": "user", "content": "Tell me about the sea."}]
TOKENS = 12


@pytest.fixture(scope="module", params=["sim-small", "sim-second"])
def preferred(request: pytest.FixtureRequest, fleet: FleetProcess) -> Iterator[tuple[EngineProcess, str]]:
    """Both of the formats in turn are cut; the OpenAI-compatible server is said to go on from a beginning."""
    name: str = request.param
    document = fleet.config(weights={name: 1000}).replace(
        'kind = "openai"', 'kind = "openai"\nprefill = true'
    )
    with EngineProcess(document) as engine:
        yield engine, name


@pytest.fixture
def stage(
    preferred: tuple[EngineProcess, str], mended: FleetProcess
) -> Iterator[tuple[EngineProcess, str, FleetProcess]]:
    yield *preferred, mended
    mended.repair()


def uncut(engine: EngineProcess) -> str:
    answer = engine.chat(model=MODEL, max_tokens=TOKENS, messages=MESSAGES)
    content: str = answer.json()["choices"][0]["message"]["content"]
    return content


def test_a_cut_stream_is_gone_on_with_word_for_word(stage: tuple[EngineProcess, str, FleetProcess]) -> None:
    """The client library sees one answer: all words, one id, one end, all tokens; the events tell what happened."""
    engine, name, fleet = stage
    whole = uncut(engine)
    fleet.fault(name, "cut", after_tokens=4)
    with openai.OpenAI(base_url=f"{engine.url}/v1", api_key="none", max_retries=0) as client:
        chunks = list(
            client.chat.completions.create(
                model=MODEL,
                messages=MESSAGES,
                max_tokens=TOKENS,
                stream=True,
                stream_options={"include_usage": True},
            )
        )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole
    assert len({(chunk.id, chunk.model, chunk.created) for chunk in chunks}) == 1
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "length"
    usage = chunks[-1].usage
    assert usage is not None
    assert usage.completion_tokens == TOKENS


def test_a_native_stream_tells_that_it_was_gone_on_with(
    stage: tuple[EngineProcess, str, FleetProcess],
) -> None:
    """`continued` between the tokens, and in the last event."""
    engine, name, fleet = stage
    whole = uncut(engine)
    fleet.fault(name, "cut", after_tokens=4)
    body = {"messages": MESSAGES, "model": MODEL, "max_tokens": TOKENS, "stream": True}
    answer = engine.post("/api/v1/route", body)
    events = [(kind, json.loads(data)) for kind, data in sse(iter(answer.text.splitlines()))]
    kinds = [kind for kind, _ in events]
    assert kinds.count("continued") == 1
    assert dict(events)["continued"]["backend"] == OTHER[name]
    assert "".join(data["text"] for kind, data in events if kind == "token") == whole
    done = events[-1][1]
    assert (done["response"], done["continued"], done["backend"]) == (whole, True, OTHER[name])
    assert done["metrics"]["tokens_generated"] == TOKENS
    assert done["metrics"]["attempts"] == 2
