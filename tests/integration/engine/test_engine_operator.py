"""What an operator does beyond draining and tripping: intake, trips for a time, probes, restarts, and read-only."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.fakes.engine_process import EngineProcess, FleetProcess
from tests.fakes.processes import run_cli

MODEL = "sim-small:1b"
ENDPOINT = f"sim-small/{MODEL}"
BREAKER = f"/api/v1/breakers/{quote(ENDPOINT, safe='')}"
TINY = Path(__file__).parents[1] / "managed" / "tiny_server.py"
MANAGED = f"""
[[backends]]
name = "own"
kind = "managed"
models = ["tiny"]
command = ["{sys.executable}", "{TINY}", "--host", "{{host}}", "--port", "{{port}}"]
"""
SERVER = "[server]\nenvironment = 'prod-a'\nenvironment_color = 'red'\n"
NOTHING = "[discovery]\nenabled = false\n[embedded]\nenabled = false\n"


@pytest.fixture(scope="module")
def running(fleet: FleetProcess) -> Iterator[EngineProcess]:
    fleet.load("sim-small", MODEL)
    with EngineProcess(SERVER + fleet.config() + MANAGED) as engine:
        yield engine


@pytest.fixture
def engine(running: EngineProcess, mended: FleetProcess) -> Iterator[EngineProcess]:
    """An engine over the fleet and a backend of its own, in the environment prod-a."""
    yield running
    mended.repair()
    assert running.post("/api/v1/intake/resume").status_code == 200
    assert running.post(f"{BREAKER}/reset").status_code == 200


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, str(answer.json()["error"]["code"])


def test_the_environment_is_in_the_snapshot(engine: EngineProcess) -> None:
    """So that every console can show where it is."""
    snapshot = engine.snapshot()
    assert snapshot["environment"] == {"name": "prod-a", "color": "red"}
    assert (snapshot["read_only"], snapshot["intake_paused"]) == (False, False)


def test_a_paused_intake_refuses_new_work_and_nothing_else(engine: EngineProcess) -> None:
    """503 with Retry-After and the reason for new requests and readiness; looking and operating go on."""
    with engine.listening() as happening:
        paused = engine.post("/api/v1/intake/pause", {"reason": "moving the rack"})
        assert (paused.status_code, paused.json()["paused"]) == (200, True)
        happening.event("intake.paused", "engine")
        answer = engine.chat(model=MODEL)
        assert code(answer) == (503, "intake_paused")
        assert int(answer.headers["retry-after"]) == 10
        assert "paused the intake of this engine (moving the rack)" in answer.json()["error"]["message"]
        assert code(engine.post("/api/v1/route", {"prompt": "x"})) == (503, "intake_paused")
        assert engine.get("/readyz").status_code == 503
        health = engine.get("/health")
        assert (health.status_code, health.json()["status"]) == (503, "unhealthy")
        assert any("intake is paused (moving the rack)" in notice for notice in health.json()["notices"])
        assert engine.snapshot()["intake_paused"]
        assert engine.get("/v1/models").status_code == 200
        assert engine.post(f"{BREAKER}/reset").status_code == 200
        assert engine.post("/api/v1/intake/resume").json() == {"paused": False, "since": None, "reason": ""}
        happening.event("intake.resumed", "engine")
    assert engine.chat(model=MODEL, max_tokens=2).status_code == 200
    assert engine.get("/readyz").status_code == 200


def test_a_trip_for_a_time_says_how_long(engine: EngineProcess) -> None:
    """And a time that is none is refused."""
    state = engine.post(f"{BREAKER}/trip", {"reason": "swap", "seconds": 600}).json()
    assert (state["state"], state["tripped"]) == ("open", True)
    assert 590 < state["held_for"] <= 600
    for seconds in (0, -1, 86_401, "x"):
        assert engine.post(f"{BREAKER}/trip", {"seconds": seconds}).status_code == 400


def test_a_probe_finds_out_now(engine: EngineProcess, mended: FleetProcess) -> None:
    """What an operator tripped is asked for one token; where it does not generate the reason is told."""
    engine.post(f"{BREAKER}/trip")
    found = engine.post(f"{BREAKER}/probe").json()
    assert (found["endpoint"], found["ok"], found["message"]) == (ENDPOINT, True, "it generates")
    assert found["breaker"]["state"] in ("half_open", "closed")
    engine.until(lambda now: not any(view["tripped"] or view["reason"] for view in now["breakers"]))
    mended.fault("sim-small", "error")
    engine.post(f"{BREAKER}/trip")
    failed = engine.post(f"{BREAKER}/probe").json()
    assert (failed["ok"], failed["breaker"]["state"], failed["breaker"]["tripped"]) == (False, "open", False)
    assert failed["message"] in failed["breaker"]["reason"]


def test_a_probe_that_makes_no_sense_says_why(engine: EngineProcess) -> None:
    """Nothing is loaded for it, and what is not there is not asked."""
    absent = engine.post("/api/v1/breakers/own%2Ftiny/probe")
    assert code(absent) == (409, "not_loaded")
    assert "ai-orchestra load tiny --backend own" in absent.json()["error"]["message"]
    assert engine.post("/api/v1/breakers/own%2Ftini/probe").status_code == 404


def test_processes_of_our_own_are_restarted(engine: EngineProcess) -> None:
    """Another process serves the model afterwards; without any there is nothing to restart."""
    assert code(engine.post("/api/v1/backends/own/restart")) == (409, "nothing_to_do")
    with engine.listening() as happening:
        engine.post("/api/v1/models/tiny/load")
        happening.event("model.ready", "own/tiny")
        begun = engine.post("/api/v1/backends/own/restart")
        assert begun.status_code == 202
        assert begun.json() == {"backend": "own", "models": ["tiny"], "inflight": 0, "drain_seconds": 0.0}
        assert code(engine.post("/api/v1/backends/own/restart")) == (409, "busy")
        happening.event("backend.restarting", "own")
        happening.event("model.absent", "own/tiny")
        happening.event("model.ready", "own/tiny")
    engine.until(lambda now: any(event["kind"] == "backend.restarted" for event in now["events"]))


def test_what_is_not_ours_is_not_restarted(engine: EngineProcess) -> None:
    """The answer says whose it is and what to do instead."""
    answer = engine.post("/api/v1/backends/sim-small/restart", {"drain_seconds": 5})
    assert code(answer) == (409, "not_managed")
    assert "restart it where it runs" in answer.json()["error"]["message"]
    assert "ai-orchestra drain sim-small --wait" in answer.json()["error"]["message"]
    assert engine.post("/api/v1/backends/nobody/restart").status_code == 404


def test_a_client_that_has_bound_itself_changes_nothing(engine: EngineProcess) -> None:
    """403 read_only for whatever operates, from the owner too; questions and requests are answered."""
    paths = ("/api/v1/intake/pause", "/api/v1/models/tiny/load", "/api/v1/drills", "/api/v1/shutdown")
    for path in (f"{BREAKER}/trip", *paths):
        with engine.connect("unix") as client:
            refused = client.post(path, headers={"x-orchestra-read-only": "1"})
        assert code(refused) == (403, "read_only"), path
        assert "--read-only" in refused.json()["error"]["message"]
    answer = engine.post(
        "/v1/chat/completions",
        {"model": MODEL, "messages": [{"role": "user", "content": "x"}], "max_tokens": 2},
        x_orchestra_read_only="1",
    )
    assert answer.status_code == 200
    assert not any(view["tripped"] for view in engine.snapshot()["breakers"])


def test_the_command_line_has_a_word_for_each(engine: EngineProcess) -> None:
    """They print the new state; what was refused ends with 1 and says what to do."""
    assert (
        engine.run("intake", "pause", "--reason", "rack").stdout
        == "intake is paused (rack): new requests get 503\n"
    )
    paused = engine.run("health")
    assert paused.returncode == 4
    assert "! intake is paused (rack)" in paused.stdout
    assert json.loads(engine.run("intake", "resume", "--json").stdout)["paused"] is False
    tripped = engine.run("breaker", "trip", ENDPOINT, "--for", "10m")
    assert tripped.stdout == f"{ENDPOINT} is open, tripped by operator\n"
    probed = engine.run("breaker", "probe", ENDPOINT)
    assert probed.returncode == 0
    assert probed.stdout.startswith(f"{ENDPOINT} answered in 0.")
    assert probed.stdout.rstrip().endswith(("is half-open", "is closed"))
    refused = engine.run("restart", "sim-small", "--drain", "3")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "not ours to restart" in refused.stderr
    log = engine.home / ".local/state/ai-orchestra/audit.log"
    done = [json.loads(line)["command"] for line in log.read_text().splitlines()]
    for command in (
        "ai-orchestra intake pause --reason rack",
        "ai-orchestra intake resume",
        f"ai-orchestra breaker trip {ENDPOINT} --for 600s",
        f"ai-orchestra breaker probe {ENDPOINT}",
        "ai-orchestra restart sim-small --drain 3",
    ):
        assert command in done


def test_a_read_only_engine_is_changed_by_nobody() -> None:
    """Not by its owner on the socket, and its own commands say what to do; it still answers questions."""
    with EngineProcess(NOTHING + "[server]\nread_only = true\n" + MANAGED) as engine:
        assert engine.snapshot()["read_only"]
        for path in (
            "/api/v1/models/tiny/load",
            "/api/v1/intake/pause",
            "/api/v1/reload",
            "/api/v1/shutdown",
        ):
            assert code(engine.unix.post(path)) == (403, "read_only"), path
        told = run_cli("drain", "own", "--socket", str(engine.socket), home=engine.home)
        assert told.returncode == 1
        assert "restart it with another configuration" in told.stderr
        assert engine.get("/api/v1/models").status_code == 200
        assert engine.snapshot()["models"][0]["residency"] == "absent"
