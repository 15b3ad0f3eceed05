"""load and unload: the plan before the act, consent, progress, and the exit code of every end."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.command import run
from tests.fakes.processes import clean_environment
from tests.fakes.scripted_engine import Answer, Whole, error, model, scripted, snapshot

LOAD = ("POST", "/api/v1/models/m%3A1/load")
UNLOAD = ("POST", "/api/v1/models/m%3A1/unload")
EVENTS = ("GET", "/api/v1/events")
MIB = 2**20
FITS = {"needs_bytes": 300 * MIB, "fits": True}
EVICTS = {**FITS, "evicts": ["local/o:2"], "frees_bytes": 500 * MIB}
READY: list[tuple[str, object]] = [
    ("snapshot", snapshot(model("absent"))),
    ("snapshot", snapshot(model("ready"))),
]

pytestmark = pytest.mark.usefixtures("home")


def answers(plan: dict[str, Any], action: str = "load") -> Callable[[Any], Whole]:
    """What the engine says to a load or unload: a dry run starts nothing."""

    def answer(body: dict[str, Any]) -> Whole:
        told = {"action": action, "model": "m:1", "backend": "local", "plan": plan}
        return (
            (200, {**told, "dry_run": True}) if body.get("dry_run") else (202, {**told, "operation": "op1"})
        )

    return answer


def bodies(asked: list[Any]) -> list[Any]:
    return [body for method, _, body in asked if method == "POST"]


def test_load_waits_and_tells_progress(capsys: pytest.CaptureFixture[str]) -> None:
    """It looks at the plan first, then returns when the snapshot says ready, having told each step on stderr."""
    happening: list[tuple[str, object]] = [
        ("snapshot", snapshot(model("absent"))),
        ("snapshot", snapshot(model("loading", progress="40 %"))),
        ("snapshot", snapshot(model("loading", progress="40 %", seconds=3.0))),
        ("snapshot", snapshot(model("loading", progress="loading 40 %", seconds=4.0))),
        ("snapshot", snapshot(model("loading", progress="40 %", seconds=12.2))),
        ("snapshot", snapshot(model("ready"))),
    ]
    ran = run(capsys, {LOAD: answers(FITS), EVENTS: happening}, "load", "m:1", "--backend", "local")
    assert (ran.code, ran.out) == (0, "m:1 on local is ready, 286 MiB\n")
    assert ran.err.splitlines() == [
        "load m:1 on local",
        "  needs     300 MiB",
        "  verdict   fits",
        "loading 40 %",
        "loading 40 %, 12 s",
    ]
    assert bodies(ran.asked) == [{"backend": "local", "dry_run": True}, {"backend": "local"}]


def test_a_load_that_fails_is_code_1_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    """A failure or a refusal while it waits, and equally a model that falls back to absent, end the wait."""
    start = [("snapshot", snapshot(model("absent"))), ("snapshot", snapshot(model("loading")))]
    for kind in ("model.failed", "model.refused"):
        event = {"at": "x", "kind": kind, "subject": "local/m:1", "message": "out of memory"}
        happening: list[tuple[str, object]] = [*start, ("event", event)]
        ran = run(capsys, {LOAD: answers(FITS), EVENTS: happening}, "load", "m:1")
        assert (ran.code, ran.err.splitlines()[-1]) == (1, "ai-orchestra: load failed: out of memory")
    happening = [*start, ("snapshot", snapshot(model("absent")))]
    ran = run(capsys, {LOAD: answers(FITS), EVENTS: happening}, "load", "m:1")
    assert (ran.code, ran.err.splitlines()[-1]) == (
        1,
        "ai-orchestra: load ended without success: local/m:1 is unloaded",
    )


def test_a_dry_run_shows_the_plan_and_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """The plan is the data: on standard output, or as the engine's own object."""
    ran = run(capsys, {LOAD: answers(EVICTS)}, "load", "m:1", "--dry-run")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "load m:1 on local",
        "  needs     300 MiB",
        "  evicts    local/o:2, which frees 500 MiB",
        "  verdict   fits when that is evicted",
    ]
    assert bodies(ran.asked) == [{"dry_run": True}]
    ran = run(capsys, {LOAD: answers(EVICTS)}, "load", "m:1", "--dry-run", "--format", "json")
    assert json.loads(ran.out) == {
        "action": "load",
        "model": "m:1",
        "backend": "local",
        "plan": EVICTS,
        "dry_run": True,
    }


def test_what_does_not_fit_is_code_1_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    """As a plan and in earnest; the engine's words tell the numbers."""
    plan = {"fits": False, "code": "too_large", "reason": "needs 70.0 GiB and local has 16.0 GiB"}
    ran = run(capsys, {LOAD: answers(plan)}, "load", "m:1", "--dry-run")
    assert ran.code == 1
    assert ran.out.splitlines()[-1] == f"  verdict   no: {plan['reason']}"
    assert ran.err == f"ai-orchestra: load of m:1 would be refused, no: {plan['reason']}\n"

    def refuse(body: dict[str, Any]) -> Whole:
        return answers(plan)(body) if body.get("dry_run") else (409, error("does_not_fit", plan["reason"]))

    ran = run(capsys, {LOAD: refuse, EVENTS: READY}, "load", "m:1")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"ai-orchestra: {plan['reason']} (HTTP 409, does_not_fit)\n"


def test_a_script_evicts_only_with_yes(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal nobody can be asked: it ends at once with nothing done, and never hangs."""
    script: dict[tuple[str, str], Answer] = {LOAD: answers(EVICTS), EVENTS: READY}
    ran = run(capsys, script, "load", "m:1")
    assert ran.code == 1
    assert "would evict local/o:2, so nothing was done; --yes does it" in ran.err
    assert bodies(ran.asked) == [{"dry_run": True}]
    ran = run(capsys, script, "load", "m:1", "--yes")
    assert ran.code == 0
    assert bodies(ran.asked) == [{}]
    assert "  evicts    local/o:2, which frees 500 MiB" in ran.err.splitlines()


def at_a_terminal(home: Path, url: str, typed: bytes) -> tuple[int, str]:
    """`load m:1` by somebody at a terminal who types this when asked; the exit code and what was said to them."""
    screen, keyboard = pty.openpty()
    command = [sys.executable, "-m", "orchestra_core", "load", "m:1", "--url", url]
    with subprocess.Popen(
        command,
        stdin=keyboard,
        stderr=keyboard,
        stdout=subprocess.DEVNULL,
        cwd=home,
        env=clean_environment(home),
    ) as running:
        os.close(keyboard)
        seen = b""
        try:
            while piece := os.read(screen, 4096):
                seen += piece
                if b"local/o:2? [" in seen and typed:
                    os.write(screen, typed)
                    typed = b""
        except OSError:  # the other end is closed: the command has ended
            pass
        finally:
            os.close(screen)
        return running.wait(timeout=20), seen.decode()


@pytest.mark.parametrize(("typed", "code", "acts"), [(b"y\n", 0, 1), (b"n\n", 1, 0), (b"\n", 1, 0)])
def test_somebody_at_a_terminal_is_asked_before_others_are_evicted(
    home: Path, typed: bytes, code: int, acts: int
) -> None:
    """The plan is shown once, Enter means no, and what was agreed to is done where it was planned."""
    with scripted({LOAD: answers(EVICTS), EVENTS: READY}) as engine:
        ended, seen = at_a_terminal(home, engine.url, typed)
    assert ended == code, seen
    assert seen.count("evicts    local/o:2") == 1
    assert "Evict local/o:2? [y/N]" in seen
    assert bodies(engine.asked) == [{"dry_run": True}, {"backend": "local"}][: 1 + acts]


def test_unload_without_waiting_returns_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """--no-wait asks nothing but the operation."""
    ran = run(capsys, {UNLOAD: answers({}, "unload")}, "unload", "m:1", "--no-wait")
    assert (ran.code, ran.out) == (0, "unload of m:1 on local accepted, operation op1\n")
    assert bodies(ran.asked) == [{}]


def test_unload_says_how_long_a_busy_model_may_drain(capsys: pytest.CaptureFixture[str]) -> None:
    """--drain and --force are the body's drain_seconds and force; a dry run asks with them too."""
    script: dict[tuple[str, str], Answer] = {UNLOAD: answers({"frees_bytes": 2**30}, "unload")}
    wished = ["--backend", "local", "--drain", "30", "--force"]
    ran = run(capsys, script, "unload", "m:1", *wished, "--no-wait")
    assert ran.code == 0
    ran = run(capsys, script, "unload", "m:1", *wished, "--dry-run")
    assert ran.out == "unload m:1 on local\n  frees     1.0 GiB\n"
    wish = {"backend": "local", "drain_seconds": 30, "force": True}
    assert bodies(ran.asked) == [{**wish, "dry_run": True}]
    for wrong in ("-1", "601", "soon"):
        assert run(capsys, script, "unload", "m:1", "--drain", wrong).code == 2


@pytest.mark.parametrize("how", [(), ("--dry-run",), ("--yes", "--no-wait")])
def test_a_load_of_what_is_loaded_is_done(how: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """The engine may have been quicker, by a request or by foresight: that must not fail a script."""
    refusal = (409, error("nothing_to_do", "m:1 is already loaded"))
    ran = run(capsys, {LOAD: refusal, EVENTS: []}, "load", "m:1", *how)
    assert (ran.code, ran.out, ran.err) == (0, "m:1 is loaded already\n", "")


def test_an_unload_of_what_is_not_loaded_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    """For scripts it is said in a form that is none of an operation."""
    refusal = (409, error("nothing_to_do", "m:1 is already not loaded"))
    ran = run(capsys, {UNLOAD: refusal, EVENTS: []}, "unload", "m:1", "--json")
    assert ran.code == 0
    assert json.loads(ran.out) == {"action": "unload", "model": "m:1", "status": "nothing_to_do"}


def test_a_busy_model_is_not_unloaded_unasked(capsys: pytest.CaptureFixture[str]) -> None:
    """The engine's words say how many run, the command's how to go on."""
    refusal = (409, error("busy", "local/m:1 is busy with 3 requests"))
    ran = run(capsys, {UNLOAD: refusal}, "unload", "m:1", "--no-wait")
    assert ran.code == 1
    assert "busy with 3 requests (HTTP 409, busy); on the command line --drain SECONDS or --force" in ran.err


def test_a_dry_run_of_a_busy_unload_ends_as_the_unload_would(capsys: pytest.CaptureFixture[str]) -> None:
    """With leave to drain it is done, without it is not."""
    script: dict[tuple[str, str], Answer] = {UNLOAD: answers({"waits_for": ["local/m:1"]}, "unload")}
    assert run(capsys, script, "unload", "m:1", "--dry-run").code == 1
    assert run(capsys, script, "unload", "m:1", "--dry-run", "--drain", "5").code == 0
    assert run(capsys, script, "unload", "m:1", "--dry-run", "--force").code == 0


def test_a_plan_of_another_kind_is_said_to_be_one(capsys: pytest.CaptureFixture[str]) -> None:
    """What answers is no engine of this version: that is an error in words."""
    ran = run(capsys, {LOAD: answers({"evicts": 7})}, "load", "m:1", "--dry-run")
    assert (ran.code, ran.out) == (1, "")
    assert "the engine's plan cannot be read" in ran.err
