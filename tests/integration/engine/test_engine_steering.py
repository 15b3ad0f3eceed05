"""What an operator does to a running engine: drain and resume a backend, trip and reset a breaker."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.fakes.engine_process import EngineProcess, FleetProcess

MODEL = "sim-small:1b"
FIRST, SECOND = "sim-small", "sim-second"
ENDPOINT = f"{FIRST}/{MODEL}"


@pytest.fixture(scope="module")
def running(fleet: FleetProcess) -> Iterator[EngineProcess]:
    """An engine that prefers the first of two backends by far."""
    with EngineProcess(fleet.config(weights={FIRST: 1000})) as engine:
        yield engine


@pytest.fixture
def engine(running: EngineProcess, mended: FleetProcess) -> Iterator[EngineProcess]:
    """The same, and nothing tripped or drained around the test."""
    yield running
    for name in (FIRST, SECOND):
        assert running.post(f"/api/v1/backends/{name}/resume").status_code == 200
        assert breaker(running, "reset", f"{name}/{MODEL}").status_code == 200


def breaker(engine: EngineProcess, action: str, endpoint: str = ENDPOINT, **body: object) -> Any:
    return engine.post(f"/api/v1/breakers/{quote(endpoint, safe='')}/{action}", body or None)


def served_by(engine: EngineProcess) -> str:
    answer = engine.chat(model=MODEL, max_tokens=2)
    assert answer.status_code == 200, answer.text
    return str(answer.headers["x-orchestra-backend"])


def view(snapshot: dict[str, Any], what: str, **wanted: str) -> dict[str, Any]:
    (found,) = [one for one in snapshot[what] if wanted.items() <= one.items()]
    return dict(found)


def test_a_drained_backend_gets_no_new_requests_until_it_is_resumed(engine: EngineProcess) -> None:
    """What would have gone there goes elsewhere, and everybody who looks is told."""
    assert served_by(engine) == FIRST
    with engine.listening() as happening:
        answer = engine.post(f"/api/v1/backends/{FIRST}/drain")
        assert (answer.status_code, answer.json()["draining"], answer.json()["health"]) == (200, True, "up")
        assert happening.event("backend.draining", FIRST)["level"] == "warning"
        assert happening.event("backend.drained", FIRST)["message"] == "nothing runs on it any more"
        assert served_by(engine) == SECOND
        snapshot = engine.until(lambda now: view(now, "backends", name=FIRST)["draining"])
        assert view(snapshot, "models", id=ENDPOINT)["status"] == "unavailable"
        assert snapshot["status"] == "degraded"
        assert any(FIRST in notice and "draining" in notice for notice in snapshot["notices"])
        assert engine.post(f"/api/v1/backends/{FIRST}/resume").json()["draining"] is False
        happening.event("backend.resumed", FIRST)
    assert served_by(engine) == FIRST


def test_draining_outlives_the_monitors_looks(engine: EngineProcess) -> None:
    """A look at the backend lists its models again; they stay out of use."""
    engine.post(f"/api/v1/backends/{FIRST}/drain")
    probed = view(engine.snapshot(), "backends", name=FIRST)["last_probe"]
    breaker(engine, "trip")  # an open breaker makes the monitor look at once
    engine.until(lambda now: view(now, "backends", name=FIRST)["last_probe"] != probed, seconds=25)
    breaker(engine, "reset")
    assert served_by(engine) == SECOND


def test_when_all_backends_are_drained_requests_are_refused_and_told_when_to_come_back(
    engine: EngineProcess,
) -> None:
    """An explicit 503 with Retry-After that says why; the engine is not ready."""
    for name in (FIRST, SECOND):
        engine.post(f"/api/v1/backends/{name}/drain")
    answer = engine.chat(model=MODEL)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert "drained" in answer.json()["error"]["message"]
    engine.until(lambda now: now["status"] == "unhealthy")
    assert engine.get("/readyz").status_code == 503


def test_a_tripped_breaker_stays_open_until_it_is_reset(engine: EngineProcess) -> None:
    """Requests go elsewhere, the reason is shown, and reset lets them in again."""
    with engine.listening() as happening:
        answer = breaker(engine, "trip", reason="disk swap")
        assert answer.status_code == 200
        state = answer.json()
        assert (state["endpoint"], state["state"], state["tripped"]) == (ENDPOINT, "open", True)
        assert (state["reason"], state["next_probe"]) == ("tripped by operator: disk swap", None)
        assert happening.event("breaker.open", ENDPOINT)["message"] == "tripped by operator: disk swap"
        assert served_by(engine) == SECOND
        closed = breaker(engine, "reset").json()
        assert (closed["state"], closed["tripped"], closed["allowance"]) == ("closed", False, 0.1)
        assert happening.event("breaker.closed", ENDPOINT)["message"] == "reset by operator"
    assert served_by(engine) == FIRST


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("/api/v1/backends/sim-smal/drain", "did you mean sim-small"),
        ("/api/v1/backends/qqqqq/resume", "ai-orchestra health --verbose lists what there is"),
        (f"/api/v1/breakers/{quote('sim-small/sim-smal:1b', safe='')}/trip", f"did you mean {ENDPOINT}"),
        ("/api/v1/breakers/zzz/reset", "ai-orchestra models lists what there is"),
    ],
)
def test_a_name_that_is_not_there_is_answered_with_the_nearest(
    engine: EngineProcess, path: str, near: str
) -> None:
    """404, and what was probably meant."""
    answer = engine.post(path)
    assert answer.status_code == 404
    assert near in answer.json()["error"]["message"]


@pytest.mark.parametrize("body", [{"raeson": "x"}, {"reason": 7}, []])
def test_a_body_that_is_not_understood_is_refused(engine: EngineProcess, body: object) -> None:
    """Nothing is read and silently ignored."""
    assert engine.post(f"/api/v1/breakers/{quote(ENDPOINT, safe='')}/trip", body).status_code == 400
    assert breaker(engine, "reset").json()["state"] == "closed"


def test_the_command_line_steers(engine: EngineProcess) -> None:
    """Each verb prints the new state as text or JSON; a typo exits with 1 and suggests the name."""
    drained = engine.run("drain", FIRST, "--wait")
    assert (drained.returncode, drained.stdout) == (0, f"{FIRST} is drained\n")
    shown = json.loads(engine.run("drain", FIRST, "--json").stdout)
    assert (shown["name"], shown["draining"]) == (FIRST, True)
    assert engine.run("resume", FIRST).stdout == f"{FIRST} takes requests, it is up\n"
    tripped = engine.run("breaker", "trip", ENDPOINT, "--reason", "disk swap")
    assert tripped.stdout == f"{ENDPOINT} is open, tripped by operator: disk swap\n"
    assert json.loads(engine.run("breaker", "reset", ENDPOINT, "--json").stdout)["state"] == "closed"
    typo = engine.run("drain", "sim-smal")
    assert (typo.returncode, typo.stdout) == (1, "")
    assert "did you mean sim-small" in typo.stderr
