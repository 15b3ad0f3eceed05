"""Every endpoint this version serves, over TCP and over the Unix socket, field by field against the contract."""

import json
import re
from types import SimpleNamespace
from typing import Any, cast

import httpx
import msgspec
import pytest

from orchestra_core.clock import SystemClock
from orchestra_core.domain.call import Task
from orchestra_core.domain.events import Event
from orchestra_core.domain.snapshot import Snapshot
from orchestra_core.server.gate import Gate
from orchestra_core.server.ports import Ports
from orchestra_core.server.routes import Routes
from orchestra_core.server.rules import Rules
from tests.fakes.engine_process import EngineProcess, sse
from tests.fakes.outside import wait_outside
from tests.integration.engine.shapes import NONE, NUMBER, SIZE, TIME, Listed, Maybe, fits

SERVICE = {"connected", "available", "unavailable", "disabled"}
TASKS = {task.value for task in Task}
ASK = {"prompt": "Say something.", "max_tokens": 4, "model": "sim-llama3.1:8b"}
MODEL = "sim-llama3.1:8b"
METRICS = {
    "response_time_ms": int,
    "tokens_generated": 4,
    "tokens_prompt": int,
    "time_to_first_token_ms": (int, NONE),
    "cost": (int, float, NONE),
    "attempts": 1,
}
ANSWER = {
    "response": str,
    "model_used": MODEL,
    "backend": "sim-workstation",
    "task": TASKS,
    "metrics": METRICS,
    "timestamp": TIME,
    "request_id": str,
    "decision_id": str,
    "degraded": False,
}
SELECTION = {
    "selected_model": str,
    "task": "code_generation",
    "reasoning": str,
    "alternatives": Listed(str),
    "timestamp": TIME,
    "endpoint": str,
    "decision_id": str,
    "explanation": {
        "candidates": Listed({"endpoint": str, "utility": NUMBER, "terms": list}),
        "rejected": list,
    },
}
PROMETHEUS = re.compile(r'[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? (-?\d+(\.\d+)?(e[-+]?\d+)?|\+Inf)')


def routed_headers(answer: httpx.Response) -> None:
    assert answer.headers["x-request-id"]
    assert answer.headers["x-orchestra-model"]
    assert answer.headers["x-orchestra-backend"]
    assert answer.headers["x-orchestra-attempts"] == "1"
    assert "x-orchestra-degraded" not in answer.headers


@pytest.mark.parametrize("path", ["/api/v1/health", "/api/health", "/health"])
def test_health(http: httpx.Client, path: str) -> None:
    """All three names of health answer with status, services and system, and say that this is simulated."""
    answer = http.get(path)
    assert answer.status_code == 200
    body = answer.json()
    system = {"uptime": re.compile(r"\d+[hm] \d+[ms]"), "memory_usage": SIZE, "available_models": 12}
    fits(body, {"status": {"healthy", "degraded"}, "timestamp": TIME, "version": str, "system": system})
    assert {"database", "redis", "ollama", "sim-cloud"} <= body["services"].keys()
    assert set(body["services"].values()) <= SERVICE
    assert body["services"]["database"] == "connected"
    assert body["simulated"] is True


def test_liveness_and_readiness(http: httpx.Client) -> None:
    """A process that is alive and can route says both."""
    assert http.get("/livez").json() == {"status": "alive"}
    ready = http.get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"ready": True, "reasons": []})


def test_models(http: httpx.Client) -> None:
    """Each model tells what the contract lists, and the counts agree with the list."""
    body = http.get("/api/v1/models").json()
    model = {
        "name": str,
        "status": {"running", "loading", "available", "unavailable"},
        "capabilities": Listed(TASKS),
        "size": Maybe(SIZE),
        "last_used": Maybe(TIME),
        "backend": re.compile("sim-.*"),
        "tier": {"low", "medium", "high"},
        "context": int,
        "price": {
            **dict.fromkeys(("input", "output", "cached", "hour", "request"), (*NUMBER, NONE)),
            "above": list,
            "currency": str,
            "source": {"local", "configured"},
            "since": (str, NONE),
            "origin": str,
        },
        "breaker": {"closed", "open", "half_open"},
        "speed": {"tokens_per_second": (*NUMBER, NONE), "observations": int},
    }
    fits(body, {"models": Listed(model), "total": 12, "active": int})
    assert len(body["models"]) == body["total"]
    assert body["active"] == sum(one["status"] == "running" for one in body["models"])
    sizes = {one["name"]: one["size"] for one in body["models"]}
    assert sizes["sim-llama3.1:8b"] == "4.6GB"
    assert sizes["sim-cloud-large"] is None


def test_select_model(http: httpx.Client) -> None:
    """A choice tells the model, why, what else could do it, and the whole explanation."""
    asked = {
        "task": "code_generation",
        "requirements": {"speed": "medium", "quality": "medium", "max_tokens": 100},
    }
    answer = http.post("/api/v1/select-model", json=asked)
    assert answer.status_code == 200
    body = answer.json()
    fits(body, SELECTION)
    assert body["selected_model"] not in body["alternatives"]
    assert body["explanation"]["selected"] == body["endpoint"]
    assert body["explanation"]["requirements"] == {
        "speed": "medium",
        "quality": "medium",
        "max_tokens": 100,
        "max_cost": None,
    }


def test_route(http: httpx.Client) -> None:
    """An answer has its text, its model and its metrics, and the headers say the same."""
    answer = http.post("/api/v1/route", json=ASK)
    assert answer.status_code == 200
    request_id = answer.headers["x-request-id"]
    fits(answer.json(), {**ANSWER, "request_id": request_id, "finish_reason": "length"})
    assert answer.json()["response"] == "[simulated] This answer is"
    routed_headers(answer)
    assert answer.headers["x-orchestra-model"] == MODEL


@pytest.mark.parametrize(("path", "status"), [("/api/v1/route", 200), ("/livez", 405), ("/nope", 404)])
def test_a_clients_own_id_is_given_back_beside_ours(http: httpx.Client, path: str, status: int) -> None:
    """In `x-client-request-id`, of answers and of errors, if it is a plain id; `x-request-id` is never the client's."""
    named = http.post(path, json=ASK, headers={"x-request-id": "my-own.id:1"})
    again = http.post(path, json=ASK, headers={"x-request-id": "my-own.id:1"})
    odd = http.post(path, json=ASK, headers={"x-request-id": "no plain id"})
    plain = http.post(path, json=ASK)
    assert {answer.status_code for answer in (named, again, odd, plain)} == {status}
    assert [answer.headers.get("x-client-request-id") for answer in (named, again, odd, plain)] == [
        "my-own.id:1",
        "my-own.id:1",
        None,
        None,
    ]
    ours = {answer.headers["x-request-id"] for answer in (named, again, odd, plain)}
    assert len(ours) == 4
    assert all(re.fullmatch(r"req-[0-9a-f]+-[0-9a-f]{6}", one) for one in ours)


def test_route_with_messages(http: httpx.Client) -> None:
    """A conversation is accepted in place of a prompt."""
    said = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
    ]
    body = {
        "messages": said,
        "max_tokens": 4,
        "model": MODEL,
        "task": "code",
        "temperature": 0.1,
        "priority": "high",
    }
    answer = http.post("/api/v1/route", json=body)
    assert answer.status_code == 200, answer.text
    fits(answer.json(), {**ANSWER, "task": "code_generation"})


def test_route_streamed(http: httpx.Client) -> None:
    """A stream starts with who answers, goes on in tokens, and ends with the same object as without a stream."""
    with http.stream("POST", "/api/v1/route", json={**ASK, "stream": True}) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        routed_headers(answer)
        events = [(name, json.loads(data)) for name, data in sse(answer.iter_lines())]
    names = [name for name, _ in events]
    assert names == ["start", *["token"] * (len(names) - 2), "done"]
    start = events[0][1]
    ids = {"request_id": str, "decision_id": str}
    fits(start, {"model": MODEL, "backend": "sim-workstation", "reasoning": str, **ids})
    done = events[-1][1]
    fits(done, {**ANSWER, "metrics": {**METRICS, "time_to_first_token_ms": int}})
    assert "".join(data["text"] for name, data in events if name == "token") == done["response"]
    assert done["request_id"] == start["request_id"] == answer.headers["x-request-id"]
    assert done["reasoning"] == start["reasoning"]


def test_metrics(http: httpx.Client) -> None:
    """The three groups of the contract, with numbers that fit each other."""
    http.post("/api/v1/route", json=ASK)
    # The picture they are from is up to 0.2 s old.
    wait_outside(lambda: http.get("/api/v1/metrics").json()["requests"]["total"], "request that is counted")
    body = http.get("/api/v1/metrics").json()
    requests = {"total": int, "successful": int, "failed": int, "success_rate": NUMBER}
    performance = {
        "avg_response_time_ms": NUMBER,
        "requests_per_minute": NUMBER,
        "p50_ms": NUMBER,
        "p99_ms": NUMBER,
    }
    models = {"active": int, "total_calls": int, "most_used": str}
    money = {"cost": NUMBER, "cost_unknown_requests": int, "currency": "USD"}
    fits(body, {"requests": requests, "performance": performance, "models": models, **money})
    counted = body["requests"]
    assert counted["total"] == counted["successful"] + counted["failed"] + counted["cancelled"]
    assert 0 < counted["success_rate"] <= 100
    assert body["models"]["total_calls"] == counted["total"]


def test_prometheus(http: httpx.Client) -> None:
    """Every sample is in Prometheus' text format, and each family is described once, before its samples."""
    http.post("/api/v1/route", json=ASK)
    answer = http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    described: list[str] = []
    for line in answer.text.splitlines():
        if line.startswith("# TYPE "):
            described.append(line.split()[2])
        elif not line.startswith("# HELP "):
            assert PROMETHEUS.fullmatch(line), line
            assert line.startswith(described[-1]), line
    assert len(described) == len(set(described))
    assert f'orchestra_requests_total{{model="{MODEL}",backend="sim-workstation"' in answer.text
    assert "orchestra_request_duration_seconds_bucket" in answer.text


def test_snapshot(http: httpx.Client) -> None:
    """The whole state decodes with the console's own types, and is complete."""
    answer = http.get("/api/v1/snapshot")
    snapshot = msgspec.json.decode(answer.content, type=Snapshot, strict=True)
    assert snapshot.simulated
    assert {backend.name for backend in snapshot.backends} == {
        "sim-workstation",
        "sim-laptop",
        "sim-rack",
        "sim-cloud",
        "sim-edge",
    }
    assert all(backend.simulated for backend in snapshot.backends)
    assert snapshot.address.startswith("http://127.0.0.1:")
    assert 0 < snapshot.host.used < snapshot.host.total
    assert 0 < snapshot.engine_memory < 300_000_000
    assert {"engine.started", "backend.joined", "backend.up"} <= {event.kind for event in snapshot.events}
    assert set(answer.json()) == set(Snapshot.__struct_fields__)


def test_events_with_snapshots(http: httpx.Client) -> None:
    """The stream begins with the whole state and goes on with it at the interval asked for."""
    with http.stream("GET", "/api/v1/events?snapshots=1&interval=0.5") as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        stream = sse(answer.iter_lines())
        seen: list[Snapshot] = []
        while len(seen) < 2:
            name, data = next(stream)
            if name == "snapshot":
                seen.append(msgspec.json.decode(data, type=Snapshot))
            else:
                msgspec.json.decode(data, type=Event)
    assert seen[1].sequence > seen[0].sequence


def test_openai_models(http: httpx.Client) -> None:
    """The list has `auto` first and every model once; one of them can be asked for by name."""
    listed = http.get("/v1/models").json()
    member = {"id": str, "object": "model", "created": int, "owned_by": str}
    fits(listed, {"object": "list", "data": Listed(member)})
    names = [one["id"] for one in listed["data"]]
    assert names[0] == "auto"
    assert len(names) == len(set(names)) == 13
    for name in ("auto", "sim-deepseek-r1:32b", "sim-deepseek-r1%3A32b"):
        fits(http.get(f"/v1/models/{name}").json(), member)


def test_openai_chat(http: httpx.Client) -> None:
    """The answer of a backend that does not speak OpenAI's format is in that format."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}
    answer = http.post("/v1/chat/completions", json=body)
    choice = {"index": 0, "message": {"role": "assistant", "content": str}, "finish_reason": "length"}
    usage = {"prompt_tokens": int, "completion_tokens": 4, "total_tokens": int}
    fits(
        answer.json(),
        {
            "id": re.compile("chatcmpl-.+"),
            "object": "chat.completion",
            "created": int,
            "model": MODEL,
            "choices": Listed(choice),
            "usage": usage,
        },
    )
    routed_headers(answer)


def test_openai_completion(http: httpx.Client) -> None:
    """Plain completions too."""
    answer = http.post("/v1/completions", json={"model": MODEL, "prompt": "Once", "max_tokens": 4})
    choice = {"index": 0, "text": "[simulated] This answer is", "finish_reason": "length"}
    fits(answer.json(), {"id": str, "object": "text_completion", "model": MODEL, "choices": Listed(choice)})
    routed_headers(answer)


def test_openai_embeddings(http: httpx.Client) -> None:
    """One vector for each input, in their order, from the model that can embed."""
    off = {"x-orchestra-cache": "off"}
    answer = http.post("/v1/embeddings", json={"model": "auto", "input": ["one", "two", "one"]}, headers=off)
    body = answer.json()
    member = {"object": "embedding", "index": int, "embedding": Listed(NUMBER)}
    fits(body, {"object": "list", "data": Listed(member), "model": "sim-nomic-embed-text"})
    fits(body["usage"], {"prompt_tokens": int, "total_tokens": int})
    vectors = [one["embedding"] for one in body["data"]]
    assert vectors[0] == vectors[2] != vectors[1]
    assert [one["index"] for one in body["data"]] == [0, 1, 2]
    routed_headers(answer)


def test_load_and_unload_tell_their_plan_and_their_progress(pair: EngineProcess) -> None:
    """202 with the operation and its plan; what follows is on the event stream, up to the end."""
    plan = {
        "evicts": Listed(str, empty=True),
        "frees_bytes": (int, NONE),
        "needs_bytes": (int, NONE),
        "fits": (bool, NONE),
        "expected_seconds": (*NUMBER, NONE),
    }
    operation = {"operation": str, "model": "sim-small:1b", "backend": "sim-small", "plan": plan}
    with pair.listening() as happening:
        for action, kinds in (("unload", ["unloading", "absent"]), ("load", ["loading", "ready"])):
            answer = pair.post(f"/api/v1/models/sim-small%3A1b/{action}", {"backend": "sim-small"})
            assert answer.status_code == 202, answer.text
            fits(answer.json(), {**operation, "action": action})
            for kind in kinds:
                event = happening.event(f"model.{kind}", "sim-small/sim-small:1b")
                fits(event, {"at": TIME, "message": str, "level": "info"})


def test_shutdown_is_a_command(mended: Any) -> None:
    """An engine in the background has no terminal for Ctrl-C: the command line ends it over its socket."""
    with EngineProcess(mended.config()) as engine:
        told = engine.run("shutdown")
        assert (told.returncode, told.stdout) == (
            0,
            f"the engine at the socket {engine.socket} is stopping\n",
        )
        assert engine.wait() == 0


def test_shutdown_is_served_on_the_unix_socket_only(mended: Any) -> None:
    """Over TCP it does not exist; over the socket it is accepted and the engine ends with code 0."""
    with EngineProcess(mended.config()) as engine:
        assert engine.post("/api/v1/shutdown").status_code == 403
        answer = engine.unix.post("/api/v1/shutdown")
        assert (answer.status_code, answer.json()["status"]) == (202, "stopping")
        assert engine.wait() == 0
        assert not engine.socket.exists()


APART = ("/api/v1/events", "/api/v1/shutdown", "/api/v1/reload", "/api/v1/audit")


def test_every_listed_path_is_served(demo: EngineProcess) -> None:
    """Nothing the router lists is missing, whatever it thinks of an empty body."""
    ports = cast(Ports, SimpleNamespace(**dict.fromkeys(Ports.__struct_fields__)))
    named = {"backends": "sim-cloud", "breakers": "sim-cloud%2Fsim-cloud-mini"}
    for method, path in Routes(ports, Gate(Rules(), SystemClock())).paths:
        if path in APART or path.startswith(("/api/v1/keys", "/api/v1/alerts/", "/api/v1/drills")):
            # An endless one, the end, what is administrators' (test_engine_keys, test_engine_reload), and what needs an
            # alert (test_alerts_of_an_engine) or a drill (test_fault_drills).
            continue
        what = path.split("/")[3] if path.startswith("/api/v1/") else ""
        target = path.replace("{name}", named.get(what, "sim-cloud-mini"))
        answer = demo.post(target, {}) if method == "POST" else demo.get(target)
        known = (200, 400, 409) + ((404,) if what in ("requests", "budgets") else ())  # none is called that
        assert answer.status_code in known, f"{method} {target}: {answer.status_code} {answer.text}"
        assert answer.headers["x-request-id"]
        wrong = demo.post(target, {}) if method == "GET" else demo.get(target)
        assert wrong.status_code == 405, f"{method} {target}"
        assert method in wrong.headers["allow"]
