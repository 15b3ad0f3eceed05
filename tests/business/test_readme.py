"""The README tells the truth: its commands run, its files exist, its tables are complete."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestra_core.config import template
from tests.fakes.engine_process import EngineProcess, run_cli
from tests.fakes.outside import wait_outside

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = [(kind, text) for kind, text in re.findall(r"^```(\w+)\n(.*?)^```$", README, re.M | re.S)]
SETTLED = {"absent", "ready"}
COMMANDS = [
    line
    for kind, text in BLOCKS
    if kind == "sh"
    for line in text.replace("\\\n", " ").splitlines()
    if line and not line.startswith(("make ", "export "))
]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[EngineProcess]:
    """An engine as a new user has it: the embedded model, nothing configured."""
    home = tmp_path_factory.mktemp("readme")
    cache = {"XDG_CACHE_HOME": str(model_cache)}
    with EngineProcess("[discovery]\nenabled = false\n", home=home, more=cache) as running:
        running.until(lambda seen: any(model["residency"] == "ready" for model in seen["models"]), 60)
        # There is something to explain, whichever commands are tested.
        assert running.chat(max_tokens=2).is_success
        yield running


def ran(engine: EngineProcess, command: str) -> subprocess.CompletedProcess[str]:
    """Runs it against this engine instead of one on the usual port; in a shell where it needs one."""
    # The command before may have left a model on its way in or out.
    wait_outside(lambda: {one["residency"] for one in engine.snapshot()["models"]} <= SETTLED, "rest")
    here = command.replace("http://127.0.0.1:8080", engine.url)
    environment = {**engine.environment, "ORCHESTRATOR_URL": engine.url}
    program, *arguments = shlex.split(here, comments=True)
    if program == "ai-orchestra" and not set("|&;<>$`*").intersection("".join(arguments)):
        return run_cli(*arguments, home=engine.home, **environment)
    python = f'"{sys.executable}" -m orchestra_core'
    return subprocess.run(
        ["bash", "-c", re.sub(r"^ai-orchestra", python, here)],
        cwd=engine.home,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_of_the_readme_succeeds(engine: EngineProcess, command: str) -> None:
    """Every command shown ends with exit code 0 and prints something."""
    done = ran(engine, command)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout + done.stderr


def test_the_python_example_runs(engine: EngineProcess) -> None:
    """The OpenAI example prints an answer and a stream."""
    example = next(text for kind, text in BLOCKS if kind == "python")
    code = example.replace("http://127.0.0.1:8080", engine.url)
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=engine.environment,
    )

    assert done.returncode == 0, done.stderr
    assert len(done.stdout.strip()) > 5


def test_make_targets_of_the_readme_exist() -> None:
    """Each `make` command names a target."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", README, re.M))

    assert {"run", "test", "check", "bench", "lock"} <= named <= targets


def test_files_named_in_the_readme_exist() -> None:
    """Under each box of the diagram stands a file that is there, and the pictures are too."""
    named = re.findall(r"`((?:orchestra_\w+|benchmarks|tests)/[\w/.]+)`", README)
    pictures = re.findall(r"\]\((screenshots/[\w.-]+|[\w/]+\.md)\)", README)

    assert len(named) > 20
    assert [name for name in [*named, *pictures] if not (ROOT / name).exists()] == []


def test_every_setting_is_in_the_readme() -> None:
    """Each key of the commented configuration is in the README's table."""
    keys = set(re.findall(r"^#? ?([a-z_]+) = ", template(), re.M))

    assert keys
    assert {key for key in keys if f"`{key}`" not in README and key != "code_generation"} == set()
