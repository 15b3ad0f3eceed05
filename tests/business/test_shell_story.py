"""A user at a shell, and a script of theirs: every command against a running engine."""

import json
import os
import pty
import signal
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.engine_process import (
    ROOT,
    START_SECONDS,
    EngineProcess,
    FleetProcess,
    Lines,
    clean_environment,
    run_cli,
)

TEXT = "[simulated] This answer is"


def test_health_is_zero_and_a_few_lines(demo: EngineProcess) -> None:
    """A user sees at once that all is well, and that it is only simulated."""
    ran = demo.run("health")
    assert (ran.returncode, ran.stderr) == (0, "")
    first, *rest = ran.stdout.splitlines()
    assert first.startswith("healthy  version ")
    assert any("database connected" in line for line in rest)
    verbose = demo.run("health", "--verbose")
    assert "(simulated fleet)" in verbose.stdout
    assert "sim-workstation" in verbose.stdout
    data = json.loads(demo.run("health", "--json").stdout)
    assert (data["status"], data["simulated"]) == ("healthy", True)


def test_without_an_engine_every_command_says_how_to_start_one(tmp_path: Path) -> None:
    """Exit code 3, and the words a newcomer needs."""
    for arguments in (
        ("health",),
        ("models",),
        ("metrics",),
        ("query", "--prompt", "Hi"),
        ("select", "--task", "code"),
        ("load", "x"),
    ):
        ran = run_cli(*arguments, "--url", "http://127.0.0.1:9", home=tmp_path)
        assert ran.returncode == 3, ran
        assert ran.stdout == ""
        assert "no engine answers at http://127.0.0.1:9" in ran.stderr
        assert "ai-orchestra serve" in ran.stderr


def test_an_unhealthy_engine_is_four(tmp_path: Path) -> None:
    """Running, but nothing to route to."""
    with EngineProcess() as engine:
        ran = engine.run("health")
        assert ran.returncode == 4
        assert ran.stdout.startswith("unhealthy")
        asked = engine.run("query", "--prompt", "Hi")
        assert asked.returncode == 1
        assert "no backend is connected" in asked.stderr


def test_a_script_gets_the_name_of_the_best_model(demo: EngineProcess) -> None:
    """`models --best-for code_generation --format json` has it at `.model`, and the engine knows that name."""
    ran = demo.run("models", "--best-for", "code_generation", "--format", "json")
    assert ran.returncode == 0
    best = json.loads(ran.stdout)
    assert best["model"] == best["selected_model"]
    asked = demo.run("query", "--prompt", "Hi", "--model", best["model"], "--max-tokens", "4", "--json")
    assert json.loads(asked.stdout)["model_used"] == best["model"]
    assert demo.run("models", "--best-for", "code_generation").stdout.strip() == best["model"]


def test_models_are_a_table_for_people_and_data_for_scripts(demo: EngineProcess) -> None:
    """Both have every model of the fleet."""
    table = demo.run("models").stdout
    assert table.splitlines()[0].split()[:3] == ["MODEL", "STATUS", "BACKEND"]
    listed = json.loads(demo.run("models", "--include-metrics", "--json").stdout)
    assert listed["total"] == 12
    for model in listed["models"]:
        assert model["name"] in table
        assert "calls" in model["metrics"]


def test_a_question_is_answered_on_standard_output(demo: EngineProcess) -> None:
    """The answer alone is on stdout, whatever is told beside it goes to stderr; stdin is read for `-`."""
    ran = demo.run("query", "--prompt", "Say something.", "--model", "sim-llama3.1:8b", "--max-tokens", "4")
    assert (ran.returncode, ran.stdout) == (0, f"{TEXT}\n")
    assert "sim-llama3.1:8b, 4 tokens" in ran.stderr
    streamed = demo.run("query", "--prompt", "-", "--stream", "--max-tokens", "4", text="Say something.\n")
    assert (streamed.returncode, streamed.stdout) == (0, f"{TEXT}\n")
    events = demo.run(
        "query", "--prompt", "Hi", "--stream", "--max-tokens", "4", "--json"
    ).stdout.splitlines()
    assert [json.loads(line)["event"] for line in (events[0], events[-1])] == ["start", "done"]


def test_wrong_use_is_two_and_says_what_is_right(demo: EngineProcess) -> None:
    """Nothing is sent; the message names the option and its values."""
    ran = demo.run("query", "--prompt", "Hi", "--task", "cooking")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "code_generation" in ran.stderr
    assert demo.run("query").returncode == 2
    assert demo.run("query", "--prompt", "-", text=" \n").returncode == 2
    assert demo.run("nonsense").returncode == 2


def test_what_the_engine_refuses_is_one_with_its_words(demo: EngineProcess) -> None:
    """The user reads the reason of the engine, not a status code alone."""
    ran = demo.run("query", "--prompt", "Hi", "--model", "sim-llama3.1")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "did you mean sim-llama3.1:8b" in ran.stderr


def test_select_says_which_and_why(demo: EngineProcess) -> None:
    """The name on stdout, the reason beside it; as data with everything."""
    ran = demo.run("select", "--task", "code_generation", "--quality", "high")
    assert ran.returncode == 0
    name = ran.stdout.strip()
    assert name in ran.stderr
    data = json.loads(demo.run("select", "--task", "code_generation", "--quality", "high", "--json").stdout)
    assert data["selected_model"] == name
    assert data["explanation"]["requirements"]["quality"] == "high"


def test_a_model_is_loaded_and_unloaded_and_the_command_waits(mended: FleetProcess) -> None:
    """Each command returns when it is done, and says where the model is then; what is so already is no error."""
    with EngineProcess(mended.config(only=["sim-small"])) as engine:
        unloaded = engine.run("unload", "sim-small:1b", "--wait")
        assert unloaded.returncode == 0, unloaded.stderr
        assert "sim-small:1b on sim-small is unloaded" in unloaded.stdout
        assert mended.state("sim-small")["models"]["sim-small:1b"]["residency"] == "absent"
        again = engine.run("unload", "sim-small:1b")
        assert (again.returncode, again.stdout) == (0, "sim-small:1b is unloaded already\n")
        loaded = engine.run("load", "sim-small:1b", "--json")
        assert loaded.returncode == 0, loaded.stderr
        assert json.loads(loaded.stdout)["residency"] == "ready"
        assert mended.state("sim-small")["models"]["sim-small:1b"]["residency"] == "ready"
        swift = engine.run("unload", "sim-small:1b", "--no-wait")
        assert "accepted, operation op-" in swift.stdout


def test_metrics_count_what_was_asked(mended: FleetProcess) -> None:
    """A fresh engine, three questions, and they are in the numbers."""
    with EngineProcess(mended.config(only=["sim-second"])) as engine:
        for _ in range(3):
            assert engine.run("query", "--prompt", "Hi", "--max-tokens", "3").returncode == 0
        engine.until(lambda now: now["totals"]["requests"] == 3)
        report = json.loads(engine.run("metrics", "--json").stdout)
        assert report["requests"]["total"] == report["requests"]["successful"] == 3
        assert report["requests"]["success_rate"] == 100
        assert report["models"]["most_used"] == "sim-small:1b"
        assert report["tokens"]["generated"] == 9
        text = engine.run("metrics").stdout
        assert "total 3" in text


def test_an_incident_of_a_demo_is_told_from_where_a_demo_keeps_things(demo: EngineProcess) -> None:
    """Nobody has to say --demo again: the engine that answers is a simulated one."""
    file = demo.home / "demo.tar.gz"
    ran = run_cli("incident", "--output", str(file), "--socket", str(demo.socket), home=demo.home)
    assert ran.returncode == 0, ran.stderr
    with tarfile.open(file) as archive:
        (name,) = (name for name in archive.getnames() if name.endswith("configuration.txt"))
        told = archive.extractfile(name)
        assert told is not None
        assert f"{demo.home}/.local/state/ai-orchestra/demo " in told.read().decode()


def test_doctor_looks_at_this_installation(demo: EngineProcess) -> None:
    """Findings with their state; what is wrong comes with its fix; the code follows from it."""
    ran = run_cli("doctor", "--json", home=demo.home)
    report = json.loads(ran.stdout)
    assert ran.returncode == (0 if report["ok"] else 1)
    assert {check["status"] for check in report["checks"]} <= {"ok", "warn", "fail"}
    assert len(report["checks"]) > 5
    for check in report["checks"]:
        assert check["status"] == "ok" or check["fix"], check
    text = run_cli("doctor", home=demo.home)
    assert "checks," in text.stderr


def test_the_engine_is_found_by_its_environment(demo: EngineProcess) -> None:
    """ORCHESTRATOR_URL, and the older variables for host and port, lead to the same engine."""
    by_url = run_cli("health", "--json", home=demo.home, ORCHESTRATOR_URL=demo.url)
    for name in ("API_PORT", "ORCHESTRATOR_API_PORT"):
        more: dict[str, Any] = {name: str(demo.port)}
        by_port = run_cli("health", "--json", home=demo.home, **more)
        assert by_port.returncode == by_url.returncode == 0
        assert json.loads(by_port.stdout)["simulated"] is True


def test_a_configuration_is_written_shown_and_checked(tmp_path: Path) -> None:
    """`init` writes a file that `check` finds right; a typo is told with its line and the right word."""
    assert run_cli("config", "init", home=tmp_path).returncode == 0
    (file,) = (tmp_path / ".config/ai-orchestra").iterdir()
    assert run_cli("config", "check", home=tmp_path).returncode == 0
    shown = run_cli("config", "show", home=tmp_path).stdout
    assert "server.port" in shown
    file.write_text("[server]\nprot = 1\n")
    wrong = run_cli("config", "check", home=tmp_path)
    assert wrong.returncode == 1
    assert f"{file}:2" in wrong.stderr + wrong.stdout
    assert "port" in wrong.stderr + wrong.stdout


@pytest.mark.parametrize("arguments", [(), ("--demo",)])
def test_without_a_terminal_the_program_serves_and_says_so(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """`ai-orchestra` in a pipe, a container or a unit file is the engine, headless."""
    config = tmp_path / "ai-orchestra.toml"
    config.write_text("[server]\nport = 0\n[discovery]\nenabled = false\n[embedded]\nenabled = false\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "orchestra_core", "--socket", "engine.sock", *arguments],
        cwd=tmp_path,
        env=clean_environment(tmp_path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    said = Lines(process.stderr)
    try:
        said.wait_for("no terminal: running the engine without the console", START_SECONDS)
        said.wait_for("ready on http://", START_SECONDS)
        assert ("SIMULATED FLEET" in said.text) is bool(arguments)
        ran = run_cli("health", "--socket", "engine.sock", home=tmp_path)
        assert ran.returncode == (0 if arguments else 4)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        said.close()
        assert process.stdout is not None
        output = process.stdout.read()
        process.stdout.close()
    assert output == ""


def test_an_answer_on_a_terminal_comes_as_it_is_made(demo: EngineProcess) -> None:
    """With a terminal on stdout the words stream; what a model says cannot control the terminal."""
    leader, follower = pty.openpty()
    try:
        ran = subprocess.run(
            [
                *(sys.executable, "-m", "orchestra_core", "query", "--prompt", "Hi", "--max-tokens", "4"),
                *("--model", "sim-llama3.1:8b", "--socket", str(demo.socket)),
            ],
            cwd=demo.home,
            env=clean_environment(demo.home, TERM="xterm", PYTHONPATH=str(ROOT)),
            stdin=subprocess.DEVNULL,
            stdout=follower,
            stderr=subprocess.PIPE,
            timeout=40,
            check=False,
        )
        assert ran.returncode == 0
        assert os.read(leader, 4096).decode().replace("\r\n", "\n") == f"{TEXT}\n"
    finally:
        os.close(leader)
        os.close(follower)
