"""restart waits until the models are loaded again, drain until nothing runs; both say why where that will not be."""

import json

import msgspec
import pytest

from orchestra_core.domain.snapshot import BackendView, Snapshot
from tests.fakes.command import run
from tests.fakes.scripted_engine import Answer, model, snapshot

RESTART = ("POST", "/api/v1/backends/local/restart")
EVENTS = ("GET", "/api/v1/events")
BEGUN = (202, {"backend": "local", "models": ["m:1"], "inflight": 0, "drain_seconds": 0.0})
Happening = list[tuple[str, object]]
STOPPING: Happening = [
    ("snapshot", snapshot(model("ready"))),
    ("snapshot", snapshot(model("unloading"))),
]

pytestmark = pytest.mark.usefixtures("home")


def event(kind: str, subject: str, message: str = "", at: str = "") -> tuple[str, object]:
    return "event", {"at": at, "kind": kind, "subject": subject, "message": message}


def script(happening: Happening) -> dict[tuple[str, str], Answer]:
    return {RESTART: BEGUN, EVENTS: happening}


def test_restart_waits_until_its_models_are_ready_again(capsys: pytest.CaptureFixture[str]) -> None:
    """A snapshot from before the processes ended counts for nothing; each step is told on stderr."""
    happening: Happening = [
        *STOPPING,
        event("backend.restarted", "local", at="9"),
        ("snapshot", snapshot(model("ready"))),
        ("snapshot", snapshot(model("loading", progress="40 %"), now="9")),
        ("snapshot", snapshot(model("ready"), now="9")),
    ]
    ran = run(capsys, script(happening), "restart", "local", "--drain", "3")
    assert (ran.code, ran.out) == (0, "local has restarted: m:1\n")
    assert ran.err.splitlines() == [
        "local is restarting: m:1",
        "local/m:1: unloading",
        "local/m:1: loading 40 %",
    ]
    assert [body for method, _, body in ran.asked if method == "POST"] == [{"drain_seconds": 3.0}]
    short = run(capsys, script(happening[:-1]), "restart", "local")
    assert (short.code, short.err.splitlines()[-1].endswith("before local was restarted")) == (1, True)


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        ([event("backend.restart_failed", "local", "it stays")], "restart failed: it stays"),
        ([event("model.failed", "local/m:1", "no file")], "restart failed: local/m:1: no file"),
        (
            [
                event("backend.restarted", "local", at="1"),
                ("snapshot", snapshot(model("loading"))),
                ("snapshot", snapshot(model("absent"))),
            ],
            "restart ended without success: local/m:1 is unloaded",
        ),
        ([("snapshot", snapshot())], "restart ended without success: local/m:1 is no longer there"),
    ],
)
def test_a_restart_that_fails_is_code_1_with_the_reason(
    capsys: pytest.CaptureFixture[str], ending: Happening, words: str
) -> None:
    """The engine's words, or what became of the model."""
    ran = run(capsys, script([*STOPPING, *ending]), "restart", "local")
    assert (ran.code, ran.out, ran.err.splitlines()[-1]) == (1, "", f"ai-orchestra: {words}")


def test_without_waiting_it_asks_for_nothing_but_the_restart(capsys: pytest.CaptureFixture[str]) -> None:
    """--no-wait returns with what has begun, as data too."""
    ran = run(capsys, {RESTART: BEGUN}, "restart", "local", "--no-wait")
    assert (ran.code, ran.out, len(ran.asked)) == (0, "local is restarting: m:1\n", 1)
    ran = run(capsys, {RESTART: BEGUN}, "restart", "local", "--no-wait", "--json")
    assert json.loads(ran.out) == BEGUN[1]


def busy(inflight: int) -> Snapshot:
    backend = BackendView("local", "ollama", "http://a", "up", False, inflight, 4, 1, 1, draining=True)
    return msgspec.structs.replace(snapshot(), backends=(backend,))


@pytest.mark.parametrize(
    ("ending", "code", "words"),
    [
        (("snapshot", busy(0)), 0, "local is drained"),
        (("snapshot", snapshot()), 1, "ai-orchestra: local was taken out of the configuration while it was"),
    ],
)
def test_drain_waits_until_nothing_runs(
    capsys: pytest.CaptureFixture[str], ending: tuple[str, object], code: int, words: str
) -> None:
    """Also past events, and no longer than there is a backend to wait for."""
    begun = {("POST", "/api/v1/backends/local/drain"): (200, msgspec.to_builtins(busy(2).backends[0]))}
    happening = [event("model.ready", "local"), ("snapshot", busy(1)), ending, ("snapshot", snapshot())]
    ran = run(capsys, {**begun, EVENTS: happening}, "drain", "local", "--wait")
    assert ran.code == code
    assert words in ran.out + ran.err
