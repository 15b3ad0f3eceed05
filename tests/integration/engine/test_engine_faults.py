"""Backends that die, hang or cut, and clients that leave: what each side sees of it."""

import concurrent.futures
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.fakes.engine_process import EngineProcess, FleetProcess, sse

MODEL = "sim-small:1b"
OTHER = {"sim-small": "sim-second", "sim-second": "sim-small"}
FRAMED = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "stream": True}


@pytest.fixture(scope="module", params=["sim-small", "sim-second"])
def preferred(request: pytest.FixtureRequest, fleet: FleetProcess) -> Iterator[tuple[EngineProcess, str]]:
    """An engine with both backends, and the name of the one it prefers by far (Ollama's format, then OpenAI's)."""
    name: str = request.param
    more = "[resilience]\ncontinuation = false\n"
    with EngineProcess(fleet.config(weights={name: 1000}, more=more)) as engine:
        yield engine, name


@pytest.fixture
def engine(preferred: tuple[EngineProcess, str], mended: FleetProcess) -> Iterator[EngineProcess]:
    """The same, and enough good answers around the test that its one failure opens no breaker."""
    running, name = preferred
    for _ in range(2):
        assert running.chat(model=MODEL, max_tokens=2).headers["x-orchestra-backend"] == name
    yield running
    mended.repair()
    running.until(lambda now: now["totals"]["inflight"] == 0)


def told(engine: EngineProcess, kind: str, request_id: str) -> dict[str, Any]:
    """The one event of this kind about this request."""

    def about(snapshot: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            event for event in snapshot["events"] if (event["kind"], event["subject"]) == (kind, request_id)
        ]

    (event,) = about(engine.until(lambda now: bool(about(now))))
    return event


def cancelled(engine: EngineProcess) -> int:
    return int(engine.until(lambda now: now["totals"]["inflight"] == 0)["totals"]["cancelled"])


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("fault", "after"), [("error", 0), ("cut", 0)])
def test_a_failure_before_the_first_token_is_answered_by_the_other_backend(
    preferred: tuple[EngineProcess, str],
    engine: EngineProcess,
    mended: FleetProcess,
    stream: bool,
    fault: str,
    after: int,
) -> None:
    """The client gets a whole answer, and learns from the headers that it took two attempts."""
    name = preferred[1]
    mended.fault(name, fault, after_tokens=after)
    answer = engine.chat(model=MODEL, max_tokens=8, stream=stream)
    assert answer.status_code == 200
    assert answer.headers["x-orchestra-attempts"] == "2"
    assert answer.headers["x-orchestra-backend"] == OTHER[name]
    assert "error" not in answer.text
    assert answer.text.endswith("data: [DONE]\n\n") is stream
    event = told(engine, "request.failover", answer.headers["x-request-id"])
    assert event["message"].startswith(f"{name}/{MODEL} -> {OTHER[name]}/{MODEL}: ")


def test_an_answer_that_is_not_streamed_may_still_move_after_its_first_token(
    preferred: tuple[EngineProcess, str], engine: EngineProcess, mended: FleetProcess
) -> None:
    """Nobody has seen the tokens that were lost, so the other backend answers."""
    mended.fault(preferred[1], "cut", after_tokens=4)
    answer = engine.chat(model=MODEL, max_tokens=8)
    assert (answer.status_code, answer.headers["x-orchestra-attempts"]) == (200, "2")
    assert len(answer.json()["choices"][0]["message"]["content"].split()) == 8


@pytest.mark.parametrize("fault", ["error", "cut"])
def test_a_stream_cut_after_its_first_token_ends_in_an_error_event(
    preferred: tuple[EngineProcess, str], engine: EngineProcess, mended: FleetProcess, fault: str
) -> None:
    """What came stays, an error event follows, and neither `[DONE]` nor a second backend's words."""
    name = preferred[1]
    mended.fault(name, fault, after_tokens=4)
    answer = engine.chat(model=MODEL, stream=True)
    assert (answer.status_code, answer.headers["x-orchestra-attempts"]) == (200, "1")
    events = [data for _, data in sse(iter(answer.text.splitlines()))]
    assert "[DONE]" not in events
    error = json.loads(events[-1])["error"]
    assert (error["type"], error["code"]) == ("upstream_error", "interrupted")
    assert error["request_id"] == answer.headers["x-request-id"]
    assert "incomplete" in error["message"]
    text = "".join(json.loads(data)["choices"][0]["delta"].get("content") or "" for data in events[:-1])
    assert text == "[simulated] This answer is"
    assert told(engine, "request.failed", error["request_id"])["level"] == "error"


def test_a_native_stream_that_is_cut_ends_in_an_error_event(
    preferred: tuple[EngineProcess, str], engine: EngineProcess, mended: FleetProcess
) -> None:
    """`error` in place of `done`, as the contract of that stream says."""
    mended.fault(preferred[1], "cut", after_tokens=4)
    answer = engine.post("/api/v1/route", {"prompt": "Hi", "model": MODEL, "stream": True})
    events = list(sse(iter(answer.text.splitlines())))
    names = [name for name, _ in events]
    assert (names[0], names[-1]) == ("start", "error")
    assert "done" not in names
    assert json.loads(events[-1][1])["error"]["code"] == "interrupted"


def test_a_hanging_backend_is_given_up_at_the_deadline(
    preferred: tuple[EngineProcess, str], engine: EngineProcess, mended: FleetProcess
) -> None:
    """504 when the client's own deadline passes, and not later, where every backend hangs; the slots are free again."""
    for name in OTHER:
        mended.fault(name, "hang")
    began = time.monotonic()
    answer = engine.post("/api/v1/route", {"prompt": "Hi", "model": MODEL, "deadline_ms": 300})
    assert 0.3 <= time.monotonic() - began < 3
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "upstream_timeout")
    assert "deadline" in answer.json()["error"]["message"]


def test_a_deadline_in_a_header_holds_on_the_openai_surface(
    preferred: tuple[EngineProcess, str], engine: EngineProcess, mended: FleetProcess
) -> None:
    """OpenAI's format has no field for it; 504 when it passes, 400 when it is not a number of milliseconds."""
    path, name = "/v1/chat/completions", "x-orchestra-deadline-ms"
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]}
    answer = engine.post(path, body, **{name: "30000"})
    assert answer.status_code == 200
    mended.fault(preferred[1], "hang")
    mended.fault(OTHER[preferred[1]], "hang")
    began = time.monotonic()
    answer = engine.post(path, body, **{name: "300"})
    assert 0.3 <= time.monotonic() - began < 3
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "upstream_timeout")
    for wrong in ("0", "-1", "1.5", "soon", "99999999999999999999", ""):
        answer = engine.post(path, body, **{name: wrong})
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, name)


def test_an_attempt_ended_by_the_deadline_is_counted(
    preferred: tuple[EngineProcess, str], engine: EngineProcess, mended: FleetProcess
) -> None:
    """There was an attempt, or two where half of the deadline was left for another; the headers say so."""
    for name in OTHER:
        mended.fault(name, "hang")
    answer = engine.post("/api/v1/route", {"prompt": "Hi", "model": MODEL, "deadline_ms": 200})
    assert answer.headers["x-orchestra-attempts"] in ("1", "2")


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_is_felt_by_the_backend_at_once(
    preferred: tuple[EngineProcess, str], engine: EngineProcess, mended: FleetProcess, stream: bool
) -> None:
    """Streamed or not, while the answer is being made: the work there ends within moments of the disconnect."""
    name = preferred[1]
    before = cancelled(engine)
    mended.fault(name, "slow", factor=3000)
    with leaving(engine, {**FRAMED, "stream": stream}) as client:
        mended.busy(name, 1)
        client.close()
        assert mended.busy(name, 0, seconds=2) < 1
    engine.until(lambda now: now["totals"]["cancelled"] == before + 1)
    circuits = {one["id"]: one["circuit"] for one in engine.snapshot()["models"]}
    assert circuits[f"{name}/{MODEL}"] == "closed"


def test_a_client_that_leaves_in_the_middle_of_a_stream_is_felt_at_once(
    preferred: tuple[EngineProcess, str], engine: EngineProcess, mended: FleetProcess
) -> None:
    """The same after the first token has arrived."""
    name = preferred[1]
    mended.fault(name, "slow", factor=30)
    with leaving(engine, FRAMED) as client:
        received = b""
        while b"[simulated]" not in received:
            received += client.recv(4096)
        mended.busy(name, 1)
        client.close()
        assert mended.busy(name, 0, seconds=2) < 1


def leaving(engine: EngineProcess, body: dict[str, Any]) -> socket.socket:
    """A connection that has sent a chat request and read nothing."""
    content = json.dumps(body).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        f"content-length: {len(content)}\r\n\r\n"
    )
    client = socket.create_connection(("127.0.0.1", engine.port), timeout=10)
    client.sendall(head.encode() + content)
    return client


def test_a_client_that_leaves_the_queue_leaves_no_trace(mended: FleetProcess) -> None:
    """More clients than slots: who waits and leaves never reaches the backend, and frees its place."""
    slots = 4
    with EngineProcess(mended.config(only=["sim-second"], slots=slots)) as engine:
        assert engine.chat(model=MODEL, max_tokens=2).status_code == 200
        mended.fault("sim-second", "slow", factor=3000)
        served = [leaving(engine, FRAMED) for _ in range(slots)]
        mended.busy("sim-second", slots)
        waiting = [leaving(engine, FRAMED) for _ in range(3)]
        engine.until(lambda now: now["totals"]["waiting"] == 3)
        for client in waiting:
            client.close()
        engine.until(lambda now: now["totals"]["waiting"] == 0)
        assert mended.state("sim-second")["running"] == slots
        for client in served:
            client.close()
        mended.busy("sim-second", 0, seconds=2)
        engine.until(lambda now: now["totals"]["cancelled"] == slots + 3)


def test_a_client_that_leaves_while_its_model_loads_leaves_the_load_alone(mended: FleetProcess) -> None:
    """The load goes on, for it was announced and the next client will want it; nothing is generated."""
    with EngineProcess(mended.config(only=["sim-small"])) as engine:
        path = "/api/v1/models/sim-small%3A1b"
        with engine.listening() as happening:
            answer = engine.post(f"{path}/unload")
            assert answer.status_code == 202, answer.text
            happening.event("model.absent")
            mended.fault("sim-small", "hang")
            client = leaving(engine, FRAMED)
            happening.event("model.loading")
            client.close()
            engine.until(lambda now: now["totals"]["cancelled"] == 1)
            mended.repair()
            happening.event("model.ready")
        assert mended.state("sim-small")["running"] == 0
        engine.until(lambda now: now["models"][-1]["residency"] == "ready")


def test_a_backend_that_goes_away_is_noticed_and_taken_back(mended: FleetProcess) -> None:
    """The next client is served elsewhere; the backend is told as down, and as up when it is back."""
    with EngineProcess(mended.config(weights={"sim-small": 1000})) as engine:
        assert engine.chat(model=MODEL, max_tokens=2).headers["x-orchestra-backend"] == "sim-small"
        with engine.listening() as happening:
            mended.fault("sim-small", "crash", seconds=140)  # seven seconds of ours
            answer = engine.chat(model=MODEL, max_tokens=2)
            assert (answer.status_code, answer.headers["x-orchestra-backend"]) == (200, "sim-second")
            assert answer.headers["x-orchestra-attempts"] == "2"
            happening.event("backend.down", "sim-small")
            assert engine.get("/health").json()["status"] == "degraded"
            assert engine.get("/health").json()["services"]["sim-small"] == "unavailable"
            away = engine.chat(model=MODEL, max_tokens=2)
            assert (away.headers["x-orchestra-backend"], away.headers["x-orchestra-attempts"]) == (
                "sim-second",
                "1",
            )
            happening.event("backend.up", "sim-small")
        assert engine.get("/health").json()["services"]["sim-small"] == "connected"
        assert engine.chat(model=MODEL, max_tokens=2).headers["x-orchestra-backend"] == "sim-small"


def test_five_failures_open_the_breaker_and_good_probes_close_it(mended: FleetProcess) -> None:
    """The breaker is seen in the snapshot and the events; while it is open its endpoint is not tried."""
    endpoint = f"sim-small/{MODEL}"
    with EngineProcess(mended.config(weights={"sim-small": 1000})) as engine, engine.listening() as happening:
        mended.fault("sim-small", "error")
        for _ in range(5):
            assert engine.chat(model=MODEL, max_tokens=2).headers["x-orchestra-attempts"] == "2"
        opened = happening.event("breaker.open", endpoint)
        assert opened["level"] == "error"
        assert "simulated error" in opened["message"]
        mended.repair()
        answer = engine.chat(model=MODEL, max_tokens=2)
        assert answer.headers["x-orchestra-backend"] == "sim-second"
        assert answer.headers["x-orchestra-attempts"] == "1"
        snapshot = engine.snapshot()
        breaker = next(one for one in snapshot["breakers"] if one["endpoint"] == endpoint)
        # One more where the machine was so slow that a probe of the engine's own came in between.
        assert breaker["state"] == "open"
        assert breaker["failures"] in (5, 6)
        assert breaker["recent"] == "x" * breaker["failures"]
        assert breaker["opened"] == 1
        assert 0 < breaker["next_probe"] <= 7.5
        assert snapshot["status"] == "degraded"
        assert (
            'orchestra_circuit_open{model="sim-small:1b",backend="sim-small"} 1'
            in engine.get("/metrics").text
        )
        happening.event("breaker.half_open", endpoint, seconds=12)
        # By the engine's own probes: no client has to be the guinea pig.
        happening.event("breaker.closed", endpoint, seconds=12)
        assert engine.chat(model=MODEL, max_tokens=2).headers["x-orchestra-backend"] == "sim-small"
        assert engine.get("/health").json()["status"] == "healthy"


def test_with_every_breaker_open_clients_are_told_when_to_come_back(mended: FleetProcess) -> None:
    """One request in a second finds out how it is, all others get 503 with the seconds until the next probe."""
    with EngineProcess(mended.config(only=["sim-small"])) as engine:
        mended.fault("sim-small", "error")
        for _ in range(2):
            answer = engine.chat(model=MODEL, max_tokens=2)
            assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_failed")
            assert "simulated error" in answer.json()["error"]["message"]
        probe = engine.chat(model=MODEL, max_tokens=2)
        assert (probe.status_code, probe.headers["x-orchestra-attempts"]) == (502, "1")
        answer = engine.chat(model=MODEL, max_tokens=2)
        assert (answer.status_code, answer.json()["error"]["type"]) == (503, "unavailable_error")
        assert "breaker" in answer.json()["error"]["message"]
        assert 1 <= int(answer.headers["retry-after"]) <= 8
        assert answer.headers["x-orchestra-attempts"] == "0"


def test_clients_that_leave_never_open_a_breaker(mended: FleetProcess) -> None:
    """A dozen impatient clients in a row, and the model is as good as before."""
    with EngineProcess(mended.config(only=["sim-second"])) as engine:
        assert engine.chat(model=MODEL, max_tokens=2).status_code == 200
        mended.fault("sim-second", "slow", factor=3000)
        for _ in range(3):
            clients = [leaving(engine, FRAMED) for _ in range(4)]
            mended.busy("sim-second", 4)
            for client in clients:
                client.close()
            mended.busy("sim-second", 0)
        mended.repair()
        assert engine.chat(model=MODEL, max_tokens=2).status_code == 200
        breaker = engine.snapshot()["breakers"][0]
        assert (breaker["state"], breaker["failures"]) == ("closed", 0)


def test_bad_requests_never_open_a_breaker(mended: FleetProcess) -> None:
    """A backend that refuses a request is not ill: the client is told its words, and the next is served."""
    with EngineProcess(mended.config(only=["sim-second"])) as engine:
        for _ in range(12):
            answer = engine.chat(model=MODEL, n=2)
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "rejected_by_backend")
        assert engine.chat(model=MODEL, max_tokens=2).status_code == 200
        assert engine.snapshot()["breakers"][0]["state"] == "closed"


def test_stopping_lets_a_running_answer_end(mended: FleetProcess) -> None:
    """SIGTERM in the middle of a stream: the client still gets all of it, and the engine ends with 0."""
    with EngineProcess(mended.config(only=["sim-second"])) as engine:
        mended.fault("sim-second", "slow", factor=8)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            asked = pool.submit(engine.chat, model=MODEL, stream=True, max_tokens=30)
            mended.busy("sim-second", 1)
            assert engine.stop() == 0
            answer = asked.result(10)
        assert answer.text.endswith("data: [DONE]\n\n")
        with pytest.raises(httpx.ConnectError):
            engine.get("/livez")
