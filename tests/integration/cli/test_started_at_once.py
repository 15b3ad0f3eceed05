"""Programs that tests fork from a process with all imports are as those that a user starts."""

import signal
from pathlib import Path

import pytest

from tests.fakes.engine_process import EngineProcess
from tests.fakes.processes import run_cli

# What the interpreter reads when it starts cannot be given to one that has: so this one is started as users do.
AS_USERS_DO = {"PYTHONHASHSEED": "0"}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("version",), 0), (("models",), 3), (("--nonsense",), 2), (("config", "check", "--config", "none"), 1)],
    ids=str,
)
def test_a_forked_command_says_and_ends_as_a_started_one(
    tmp_path: Path, arguments: tuple[str, ...], code: int
) -> None:
    """Its output, its errors and its exit code, in its directory and environment."""
    forked = run_cli(*arguments, home=tmp_path)
    started = run_cli(*arguments, home=tmp_path, **AS_USERS_DO)

    assert (forked.stdout, forked.stderr) == (started.stdout, started.stderr)
    assert forked.returncode == started.returncode == code


@pytest.mark.parametrize("more", [{}, AS_USERS_DO], ids=["forked", "started"])
def test_an_engine_tells_how_it_ended(more: dict[str, str]) -> None:
    """One that was killed by its signal, one that was asked to stop by zero."""
    with EngineProcess(more=more) as engine:
        assert engine.process is not None
        assert engine.process.poll() is None
        engine.process.send_signal(signal.SIGKILL)
        assert engine.wait() == -signal.SIGKILL
    with EngineProcess(more=more) as engine:
        assert engine.get("/livez").status_code == 200
        assert engine.stop() == 0
