"""What a client may get wrong: each time a 4xx that names the field and says what is allowed."""

import json
from collections.abc import Iterator

import httpx
import pytest

from tests.fakes.engine_process import EngineProcess, FleetProcess
from tests.integration.engine.shapes import Maybe, fits

ROUTE, SELECT, CHAT = "/api/v1/route", "/api/v1/select-model", "/v1/chat/completions"
COMPLETION, EMBED = "/v1/completions", "/v1/embeddings"
MODELS = "/api/v1/models"
SAID = [{"role": "user", "content": "Hi"}]
TASKS = "code_generation, text_generation, reasoning, analysis, conversation, creative, embedding, vision"
LEVELS = "allowed: low, medium, high"
LONG = "word " * 200_000


@pytest.fixture(scope="module")
def client(demo: EngineProcess) -> Iterator[httpx.Client]:
    with demo.connect() as connected:
        yield connected


def refused(answer: httpx.Response, status: int, code: str, param: str | None, *said: str) -> None:
    """The error object of the contract, the same id in header and body, and these words in the message."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    error = {"type": str, "code": code, "message": str, "param": Maybe(str), "request_id": str}
    body = answer.json()
    fits(body, {"error": error})
    assert body["error"]["param"] == param
    assert body["error"]["request_id"] == answer.headers["x-request-id"]
    for words in said:
        assert words in body["error"]["message"]


@pytest.mark.parametrize("path", [ROUTE, SELECT, CHAT, COMPLETION, EMBED, f"{MODELS}/sim-llama3.1:8b/unload"])
@pytest.mark.parametrize("body", [b"{bad", b'{"a', b"\xff\xfe{}", b"\x00"])
def test_malformed_json_is_400(client: httpx.Client, path: str, body: bytes) -> None:
    """A body that is not JSON is refused in words, wherever it is sent."""
    answer = client.post(path, content=body, headers={"content-type": "application/json"})
    refused(answer, 400, "invalid_json", None, "not valid JSON", "send a JSON object")


@pytest.mark.parametrize("path", [ROUTE, SELECT, CHAT, COMPLETION, EMBED])
@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        (b"", "invalid_json", "the body is empty"),
        (b"[]", "invalid_request", "expected `object`, got `array`"),
        (b"null", "invalid_request", "expected `object`, got `null`"),
        (b"[" * 100_000, "invalid_request", "expected `object`"),
    ],
)
def test_a_body_that_is_no_object_is_400(
    client: httpx.Client, path: str, body: bytes, code: str, said: str
) -> None:
    """Empty, of another type or nested without end: each is a plain refusal."""
    answer = client.post(path, content=body, headers={"content-type": "application/json"})
    refused(answer, 400, code, None, said)


NATIVE: list[tuple[str, dict[str, object], str | None, tuple[str, ...]]] = [
    (ROUTE, {}, "prompt", ("either `prompt` or `messages`",)),
    (ROUTE, {"prompt": " "}, "prompt", ("must not be empty",)),
    (ROUTE, {"prompt": 5}, "prompt", ("`prompt`", "expected `str", "got `int`")),
    (ROUTE, {"prompt": "a", "messages": SAID}, "prompt", ("either `prompt` or `messages`",)),
    (ROUTE, {"messages": []}, "messages", ("must not be empty",)),
    (ROUTE, {"messages": [{}]}, "messages[0].role", ("is required",)),
    (ROUTE, {"messages": [{"role": 1}]}, "messages[0].role", ("expected `str`",)),
    (ROUTE, {"prompt": "a", "task": "cooking"}, "task", ("'cooking'", TASKS)),
    (ROUTE, {"prompt": "a", "task": "embedding"}, "task", ("/v1/embeddings",)),
    (ROUTE, {"prompt": "a", "model": "auto:cooking"}, "model", (TASKS,)),
    (ROUTE, {"prompt": "a", "model": "auto:quality=best"}, "model", ("low|medium|high",)),
    (ROUTE, {"prompt": "a", "max_tokens": 0}, "max_tokens", (">= 1",)),
    (ROUTE, {"prompt": "a", "max_tokens": "5"}, "max_tokens", ("expected `int", "got `str`")),
    (ROUTE, {"prompt": "a", "temperature": 3}, "temperature", ("<= 2.0",)),
    (ROUTE, {"prompt": "a", "stream": "yes"}, "stream", ("expected `bool`",)),
    (ROUTE, {"prompt": "a", "priority": "urgent"}, "priority", ("allowed: high, low, normal",)),
    (ROUTE, {"prompt": "a", "deadline_ms": 0}, "deadline_ms", (">= 1",)),
    (ROUTE, {"prompt": "a", "max_cost": -1}, "max_cost", (">= 0.0",)),
    (ROUTE, {"prompt": "a", "requirements": {"speed": "fast"}}, "requirements.speed", ("'fast'", LEVELS)),
    (ROUTE, {"prompt": "a", "requirements": {"quality": 3}}, "requirements.quality", ("expected",)),
    (ROUTE, {"prompt": "a", "requirements": {"max_cost": -1}}, "requirements.max_cost", (">= 0.0",)),
    (ROUTE, {"prompt": "a", "requirements": {"sped": "low"}}, "requirements.sped", ("did you mean `speed`",)),
    (
        ROUTE,
        {"prompt": "a", "promt": "b"},
        "promt",
        ("did you mean `prompt`", "allowed: deadline_ms, max_cost"),
    ),
    (SELECT, {}, "task", ("is required",)),
    (SELECT, {"task": None}, "task", ("expected `str`",)),
    (SELECT, {"task": "cooking"}, "task", (TASKS,)),
    (SELECT, {"task": "code", "x": 1}, "x", ("allowed: prompt, requirements, task",)),
    (SELECT, {"task": "code", "requirements": []}, "requirements", ("got `array`",)),
    (SELECT, {"task": "code", "requirements": {"speed": "x"}}, "requirements.speed", (LEVELS,)),
    (f"{MODELS}/sim-llama3.1:8b/unload", {"bakend": "a"}, "bakend", ("did you mean `backend`",)),
    (f"{MODELS}/sim-llama3.1:8b/unload", {"backend": 1}, "backend", ("expected `str",)),
]


@pytest.mark.parametrize(("path", "body", "param", "said"), NATIVE)
def test_a_wrong_field_of_the_native_surface_is_named(
    client: httpx.Client, path: str, body: dict[str, object], param: str | None, said: tuple[str, ...]
) -> None:
    """Missing, unknown, of a wrong type or value: `param` names it and the message says what is allowed."""
    refused(client.post(path, json=body), 400, "invalid_request", param, *said)


OPENAI: list[tuple[str, dict[str, object], str | None, str]] = [
    (CHAT, {}, "model", "is required"),
    (CHAT, {"messages": SAID}, "model", "is required"),
    (CHAT, {"model": 5, "messages": SAID}, "model", "expected `str`"),
    (CHAT, {"model": "auto"}, "messages", "is required"),
    (CHAT, {"model": "auto", "messages": []}, "messages", "must not be empty"),
    (CHAT, {"model": "auto", "messages": "Hi"}, "messages", "expected `array`"),
    (CHAT, {"model": "auto", "messages": [{"content": "Hi"}]}, "messages[0].role", "is required"),
    (CHAT, {"model": "auto", "messages": SAID, "temperature": 9}, "temperature", "<= 2.0"),
    (CHAT, {"model": "auto", "messages": SAID, "top_p": 2}, "top_p", "<= 1.0"),
    (CHAT, {"model": "auto", "messages": SAID, "max_tokens": 0}, "max_tokens", ">= 1"),
    (CHAT, {"model": "auto", "messages": SAID, "stream": "x"}, "stream", "expected `bool"),
    (CHAT, {"model": "auto", "messages": SAID, "tools": "x"}, "tools", "expected `array | null`"),
    (CHAT, {"model": "auto", "messages": SAID, "n_keep": 1}, "n_keep", "not accepted"),
    (CHAT, {"model": "auto:cooking", "messages": SAID}, "model", TASKS),
    (COMPLETION, {"model": "auto"}, "prompt", "is required"),
    (COMPLETION, {"model": "auto", "prompt": None}, "prompt", "expected `str"),
    (EMBED, {"model": "auto"}, "input", "is required"),
    (EMBED, {"model": "auto", "input": 5}, "input", "expected `str"),
]


@pytest.mark.parametrize(("path", "body", "param", "said"), OPENAI)
def test_a_wrong_field_of_the_openai_surface_is_named(
    client: httpx.Client, path: str, body: dict[str, object], param: str | None, said: str
) -> None:
    """The same on the surface where further fields are the backend's business."""
    refused(client.post(path, json=body), 400, "invalid_request", param, said)


def test_nothing_to_embed_is_the_clients_mistake(client: httpx.Client, demo: EngineProcess) -> None:
    """An empty list of inputs is a 400 and never counts against the model."""
    answer = client.post(EMBED, json={"model": "auto", "input": []})
    refused(answer, 400, "invalid_request", "input", "must not be empty")


@pytest.mark.parametrize("path", [ROUTE, CHAT])
def test_an_unknown_model_is_404_with_the_nearest_names(client: httpx.Client, path: str) -> None:
    """The client learns what it may have meant, or where the list is."""
    said = {"prompt": "a"} if path == ROUTE else {"messages": SAID}
    refused(
        client.post(path, json={**said, "model": "sim-lama3.1"}),
        404,
        "model_not_found",
        "model",
        "did you mean sim-llama3.1:8b",
    )
    answer = client.post(path, json={**said, "model": "zzzzzzzz"})
    refused(answer, 404, "model_not_found", "model", "'zzzzzzzz'", "GET /v1/models")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"model": "auto"}, "do not fit into 128000"),
        ({"model": "sim-llama3.2:3b"}, "do not fit into 8192"),
    ],
)
def test_a_prompt_longer_than_every_context_is_400(
    client: httpx.Client, body: dict[str, str], said: str
) -> None:
    """The refusal tells the size of the prompt and that of the longest context that could be had."""
    messages = [{"role": "user", "content": LONG}]
    answer = client.post(CHAT, json={**body, "messages": messages})
    refused(answer, 400, "context_length_exceeded", "messages", "too long", "about 2500", said)


def test_the_native_surface_names_its_own_field_for_a_long_prompt(client: httpx.Client) -> None:
    """Who sent `prompt` is told of `prompt`."""
    refused(client.post(ROUTE, json={"prompt": LONG}), 400, "context_length_exceeded", "prompt", "too long")


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        (EMBED, {"model": "sim-llama3.1:8b", "input": "x"}, "embedding"),
        (CHAT, {"model": "sim-nomic-embed-text", "messages": SAID}, "chat"),
    ],
)
def test_a_model_that_cannot_do_it_is_400(
    client: httpx.Client, path: str, body: dict[str, object], said: str
) -> None:
    """A pinned model without the capability is refused, not tried."""
    refused(client.post(path, json=body), 400, "invalid_request", "model", "no model here can do this", said)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
@pytest.mark.parametrize("path", [ROUTE, CHAT, f"{MODELS}/x/load"])
def test_a_wrong_content_type_is_415(client: httpx.Client, path: str, content_type: str) -> None:
    """Only JSON is read, which also keeps web pages from posting."""
    answer = client.post(path, content=b'{"prompt":"a"}', headers={"content-type": content_type})
    refused(answer, 415, "unsupported_media_type", None, "application/json")


def test_json_with_a_charset_is_json(client: httpx.Client) -> None:
    """A parameter of the content type, or its case, changes nothing."""
    body = json.dumps({"task": "code_generation"})
    answer = client.post(SELECT, content=body, headers={"content-type": "Application/JSON; charset=utf-8"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", ROUTE, "POST"),
        ("DELETE", MODELS, "GET, HEAD"),
        ("PUT", CHAT, "POST"),
        ("POST", "/health", "GET, HEAD"),
        ("GET", f"{MODELS}/x/load", "POST"),
        ("POST", "/v1/models/x", "GET, HEAD"),
        ("OPTIONS", ROUTE, "POST"),
    ],
)
def test_a_wrong_method_is_405_and_names_the_right_one(
    client: httpx.Client, method: str, path: str, allow: str
) -> None:
    """The answer has the Allow header and says it in words as well."""
    answer = client.request(method, path)
    refused(answer, 405, "method_not_allowed", None, f"not {method}")
    assert answer.headers["allow"] == allow


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/", "nothing at /"),
        ("/api/v1/routes", "nothing at /api/v1/routes"),
        ("/api/v1/health/", "nothing at /api/v1/health/"),
        ("/API/V1/HEALTH", "nothing at"),
        ("/api/tags", "the Ollama surface is not in this version"),
        ("/v1/responses", "the Responses API is not in this version"),
    ],
)
def test_an_unknown_path_is_404(client: httpx.Client, path: str, said: str) -> None:
    """Paths are compared exactly; what is to come says so."""
    refused(client.get(path), 404, "not_found", None, said)


@pytest.mark.parametrize(
    ("query", "param", "said"),
    [
        ("?x=1", "x", "allowed: snapshots, interval, differences"),
        ("?snapshots=1&interval=99", "interval", "between 0.5 and 10"),
        ("?snapshots=1&interval=soon", "interval", "between 0.5 and 10"),
    ],
)
def test_wrong_parameters_of_the_event_stream_are_400(
    client: httpx.Client, query: str, param: str, said: str
) -> None:
    """A misspelt query is refused before a stream begins."""
    refused(client.get(f"/api/v1/events{query}"), 400, "invalid_request", param, said)


def _operate(client: httpx.Client, target: str, body: dict[str, str] | None) -> httpx.Response:
    path = f"{MODELS}/{target}"
    return client.post(path) if body is None else client.post(path, json=body)


@pytest.mark.parametrize(
    ("target", "body", "status", "code", "said"),
    [
        ("nope/load", None, 404, "model_not_found", "'nope' is not known"),
        ("sim-llama3.1:8b/load", {"backend": "nope"}, 404, "model_not_found", "on backend 'nope'"),
        ("sim-llama3.1:8b/load", None, 409, "nothing_to_do", "already loaded"),
        ("sim-mistral:7b/unload", None, 409, "nothing_to_do", "not loaded"),
        ("sim-cloud-mini/unload", None, 409, "not_supported", "sim-cloud cannot unload"),
    ],
)
def test_operations_that_cannot_be_done_say_why(
    client: httpx.Client, target: str, body: dict[str, str] | None, status: int, code: str, said: str
) -> None:
    """Unknown is 404, impossible is 409, and nothing is started."""
    param = "name" if status == 404 else None
    refused(_operate(client, target, body), status, code, param, said)


def test_a_load_that_can_never_fit_is_refused(pair: EngineProcess) -> None:
    """The refusal tells what it needs and what there is."""
    answer = pair.post(f"{MODELS}/sim-huge:400b/load")
    refused(answer, 409, "does_not_fit", None, "weights 214.2", "has 2.8 GiB in all")


def test_a_cost_limit_nothing_can_keep_is_the_clients_to_change(fleet: FleetProcess) -> None:
    """With priced models only, too low a limit is a 400 about `max_cost`, not a 503."""
    priced = '[models."sim-small:1b"]\ncost_per_million_input = 5\ncost_per_million_output = 5\n'
    with EngineProcess(fleet.config(only=["sim-second"]) + priced) as engine:
        answer = engine.post(ROUTE, {"prompt": "Hi", "max_cost": 0.0000001})
        refused(answer, 400, "invalid_request", "max_cost", "max_cost is too low")
        answer = engine.post(ROUTE, {"prompt": "Hi", "max_cost": 1.0, "max_tokens": 3})
        assert answer.status_code == 200
        metrics = answer.json()["metrics"]
        tokens = metrics["tokens_prompt"] + metrics["tokens_generated"]
        assert metrics["cost"] == pytest.approx(tokens * 5 / 1e6)


def test_a_cost_limit_is_the_clients_to_change_whatever_else_is_unfit(fleet: FleetProcess) -> None:
    """A model that could not do it anyway does not turn the mistake into a 503."""
    priced = "".join(
        f'[models."{name}"]\ncost_per_million_input = 5\ncost_per_million_output = 5\n'
        for name in ("sim-small:1b", "sim-other:2b", "sim-huge:400b")
    )
    with EngineProcess(fleet.config() + priced) as engine:
        answer = engine.post(ROUTE, {"prompt": "Hi", "max_cost": 0.0000001})
        refused(answer, 400, "invalid_request", "max_cost", "max_cost is too low")


def test_without_any_backend_every_call_says_what_to_do() -> None:
    """503 with Retry-After and the three ways out; health and readiness say the same."""
    with EngineProcess() as engine:
        for path, body in (
            (ROUTE, {"prompt": "Hi"}),
            (ROUTE, {"prompt": "Hi", "model": "some-model"}),
            (SELECT, {"task": "code_generation"}),
            (CHAT, {"model": "auto", "messages": SAID}),
            (CHAT, {"model": "gpt-4", "messages": SAID, "stream": True}),
            (EMBED, {"model": "auto", "input": "x"}),
        ):
            answer = engine.post(path, body)
            ways = ("start Ollama", "[[backends]]", "ai-orchestra[embedded]")
            refused(answer, 503, "no_backend", None, "no backend is connected", *ways)
            assert int(answer.headers["retry-after"]) >= 1
        health = engine.get("/health")
        assert (health.status_code, health.json()["status"]) == (503, "unhealthy")
        ready = engine.get("/readyz")
        assert (ready.status_code, ready.json()["ready"]) == (503, False)
        assert any("no backend is connected" in reason for reason in ready.json()["reasons"])
        assert engine.get("/livez").status_code == 200
        assert any("no backend is connected" in notice for notice in engine.snapshot()["notices"])
        assert engine.get("/v1/models").json()["data"][0]["id"] == "auto"


def test_a_backend_that_does_not_answer_is_503_too() -> None:
    """One backend, and it is down: no model is invented, health says unhealthy and which backend it is."""
    config = '[discovery]\nenabled = false\n[[backends]]\nname = "gone"\nkind = "ollama"\nurl = "http://127.0.0.1:9"\n'
    with EngineProcess(config) as engine:
        answer = engine.post(ROUTE, {"prompt": "Hi"})
        assert (answer.status_code, answer.json()["error"]["type"]) == (503, "unavailable_error")
        assert "gone" in answer.json()["error"]["message"]
        assert int(answer.headers["retry-after"]) >= 1
        health = engine.get("/api/v1/health")
        assert health.status_code == 503
        assert health.json()["services"]["gone"] == "unavailable"
        backend = engine.snapshot()["backends"][0]
        assert (backend["health"], bool(backend["error"])) == ("down", True)
