"""`incident`: one file of all that is known, of an engine that lives, hangs or is dead, and nothing secret in it."""

import gzip
import json
import os
import signal
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from orchestra_core.background.recording_files import DIRECTORY
from orchestra_core.domain.events import Event
from orchestra_core.recording.reading import read
from tests.fakes.engine_process import EngineProcess, FleetProcess
from tests.fakes.filmed import Film
from tests.fakes.outside import wait_outside
from tests.fakes.processes import run_cli
from tests.fakes.world import World

NAMES = {
    "README.txt",
    "recording.jsonl.gz",
    "requests.json",
    "decisions.jsonl",
    "breakers.json",
    "alerts.json",
    "audit.json",
    "configuration.txt",
    "versions.json",
}
NOTHING = "[discovery]\nenabled = false\n[embedded]\nenabled = false\n"


def pieces(file: Path) -> dict[str, bytes]:
    with tarfile.open(file) as archive:
        found = {}
        for entry in archive:
            opened = archive.extractfile(entry)
            assert opened is not None
            found[entry.name.rpartition("/")[2]] = opened.read()
        return found


def gathered(engine: EngineProcess, name: str, *more: str) -> tuple[dict[str, bytes], str]:
    """The pieces, and what was said."""
    file = engine.home / name
    place = ("--socket", str(engine.socket), "--config", str(engine.config))
    ran = run_cli("incident", "--output", str(file), *place, *more, home=engine.home)
    assert (ran.returncode, ran.stdout) == (0, f"{file}\n"), ran.stderr
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    return pieces(file), ran.stderr


def recorded(engine: EngineProcess) -> int:
    """How many moments are on disk."""
    state = engine.home / ".local/state/ai-orchestra" / DIRECTORY
    data = b"".join(file.read_bytes() for file in sorted(state.glob("*.gz")))
    return len(read(data)) if data else 0


@pytest.fixture
def engine(mended: FleetProcess) -> Iterator[EngineProcess]:
    """One over the fleet that has answered a request and was told to drain a backend."""
    running = EngineProcess(mended.config())
    try:
        running.start()
        assert running.chat(max_tokens=2).is_success
        assert running.unix.post("/api/v1/backends/sim-small/drain", json={}).is_success
        # Another process writes it, once a second.
        wait_outside(lambda: recorded(running) > 1, "recording")
        yield running
    finally:
        running.close()


def test_all_of_a_living_engine_is_in_it(engine: EngineProcess) -> None:
    """Recording, requests with their decisions, breakers, alerts, audit, configuration and versions, with a guide."""
    found, _ = gathered(engine, "a.tar.gz")
    assert set(found) == NAMES
    guide = found["README.txt"].decode()
    assert "answered." in guide
    assert "backend.draining" in guide
    assert len(read(found["recording.jsonl.gz"])) > 1
    (row,) = json.loads(found["requests.json"])["requests"]
    (decision,) = map(json.loads, found["decisions.jsonl"].splitlines())
    assert decision["request"]["id"] == row["id"]
    assert decision["decision"]["candidates"]
    assert (decision["prompt"], decision["answer"]) == (None, None)
    assert "drain sim-small" in found["audit.json"].decode()
    assert "server.port" in found["configuration.txt"].decode()
    versions = json.loads(found["versions.json"])
    assert list(versions["engines"].values()) == [versions["ai-orchestra"]]


def test_a_dead_engine_leaves_the_same(engine: EngineProcess) -> None:
    """After SIGKILL everything but the alerts' present state is read from its directories, and that is said."""
    alive, _ = gathered(engine, "a.tar.gz")
    engine.kill()
    found, said = gathered(engine, "b.tar.gz")
    assert set(found) == NAMES
    assert "did not answer, so this is what it left behind" in found["README.txt"].decode()
    assert "the recording" not in said
    assert "in the journal until an engine starts again" in said
    for name in ("requests.json", "decisions.jsonl"):
        ours, theirs = found[name].decode(), alive[name].decode()
        if name == "requests.json":
            ours, theirs = (str(json.loads(text)["requests"]) for text in (ours, theirs))
        assert ours == theirs
    assert len(read(found["recording.jsonl.gz"])) >= len(read(alive["recording.jsonl.gz"]))


def test_an_engine_that_hangs_is_as_good_as_dead(engine: EngineProcess) -> None:
    """It is not waited for longer than ten seconds."""
    os.kill(engine.pid, signal.SIGSTOP)
    try:
        found, _ = gathered(engine, "a.tar.gz")
    finally:
        os.kill(engine.pid, signal.SIGCONT)
    assert "did not answer within 10 s" in found["README.txt"].decode()
    assert len(read(found["recording.jsonl.gz"])) > 1


SECRETS = {
    "backend key": "BackendKeyWithoutShape77",
    "webhook secret": "WebhookSecretValue88",
    "webhook path": "services/T000/B000/HookPathSecret99",
    "database password": "DatabasePassword11",
    "cache password": "CachePassword22",
    "option": "OptionTokenValue33",
    "alert option": "AlertTokenValue44",
    "shape": "sk-abcdefghijklmnopqrstuvwx",
    "own token": "ork-0000000a-" + "f" * 48,
}
CONFIG = f"""{NOTHING}
[storage]
url = "postgresql://u:{SECRETS["database password"]}@127.0.0.1:1/orchestra"
redis = "redis://u:{SECRETS["cache password"]}@127.0.0.1:1/0"
[alerts]
command = ["notify", "--token", "{SECRETS["alert option"]}"]
[[webhooks]]
url = "https://hooks.example.com/{SECRETS["webhook path"]}"
secret_env = "HOOK"
[[backends]]
name = "far"
kind = "openai"
url = "http://127.0.0.1:1"
api_key_env = "FAR"
[[backends]]
name = "mine"
kind = "managed"
command = ["server", "--api-key={SECRETS["option"]}", "{{model}}"]
models = ["m"]
"""


def test_no_secret_leaves(tmp_path: Path) -> None:
    """Neither one that the configuration names nor one that looks like one: in no piece, whatever said it."""
    all_of_them = " ".join(SECRETS.values()) + f" postgresql://u:{SECRETS['database password']}@h/db"
    world = World()
    said = (Event(world.stamp(290), "backend.down", "far", f"refused: {all_of_them}", "error"),)
    made = Film()
    made.shoot(msgspec.structs.replace(world.snapshot(), events=said, notices=(all_of_them,)), 1)
    made.shoot(msgspec.structs.replace(world.snapshot(), events=said * 2, notices=()), 2)
    made.end()
    state = tmp_path / ".local/state/ai-orchestra"
    (state / DIRECTORY).mkdir(parents=True)
    (state / DIRECTORY / "1700000000000-a.jsonl.gz").write_bytes(made.data)
    (state / "engine.log").write_text(f"INFO {all_of_them}\n" * 3)
    (state / "audit.log").write_text(
        json.dumps({"at": "2999-01-01T00:00:00.000Z", "who": "owner", "body": all_of_them}) + "\n"
    )
    (state / "alerts.json").write_text(
        json.dumps({"alerts": [{"message": all_of_them}], "waiting": ["secret"]})
    )
    (tmp_path / "config.toml").write_text(CONFIG)
    file = tmp_path / "a.tar.gz"
    more = {
        "FAR": SECRETS["backend key"],
        "HOOK": SECRETS["webhook secret"],
        "ORCHESTRATOR_API_KEY": SECRETS["own token"],
    }
    place = ("--socket", str(tmp_path / "none.sock"), "--config", str(tmp_path / "config.toml"))
    ran = run_cli("incident", "--output", str(file), *place, home=tmp_path, **more)
    assert ran.returncode == 0, ran.stderr
    found = pieces(file)
    assert {"recording.jsonl.gz", "log.txt", "audit.json", "alerts.json", "configuration.txt"} <= set(found)
    found["recording.jsonl.gz"] = gzip.decompress(found["recording.jsonl.gz"])
    leaks = [
        (name, what)
        for name, content in found.items()
        for what, secret in SECRETS.items()
        if secret.encode() in content
    ]
    assert leaks == []
    assert b"refused" in found["recording.jsonl.gz"]
    assert b"INFO" in found["log.txt"]


def test_what_cannot_be_had_is_named(tmp_path: Path) -> None:
    """Where nothing ever ran there is a file all the same, and it says what is missing and why."""
    file = tmp_path / "a.tar.gz"
    ran = run_cli(
        "incident", "--json", "--output", str(file), "--socket", str(tmp_path / "none.sock"), home=tmp_path
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["file"] == str(file)
    assert any(one.startswith("the recording: ") for one in told["missing"])
    guide = pieces(file)["README.txt"].decode()
    assert all(one in guide for one in told["missing"])
    assert "there is no recording" in guide


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--since", "yesteryear"), 2, "30m, 2h or 7d ago"),
        (("--url", "http://127.0.0.1:1"), 3, "no engine answers"),
        (("--output", "there.tar.gz"), 1, "there already"),
        (("--output", "no/such/place.tar.gz"), 1, "cannot write"),
    ],
)
def test_what_cannot_be_done_is_said(
    tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    """With the exit code of the contract, and nothing is overwritten."""
    (tmp_path / "there.tar.gz").write_text("mine")
    ran = run_cli("incident", *arguments, home=tmp_path)
    assert (ran.returncode, words in ran.stderr) == (code, True), ran.stderr
    assert (tmp_path / "there.tar.gz").read_text() == "mine"
