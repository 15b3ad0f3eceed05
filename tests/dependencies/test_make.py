"""What `make` shows while it installs, with an interpreter that only says how it was called."""

import os
import pty
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INPUTS = ("Makefile", "pyproject.toml", "orchestra_core/__init__.py", "locks/run.txt")

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose environment has been made, and nothing installed into it."""
    for name in INPUTS:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "called: $*"\n')
    python.chmod(0o755)
    (tmp_path / ".venv/.created").touch()
    return tmp_path


def install(checkout: Path, output: int) -> None:
    subprocess.run(["make", "install"], cwd=checkout, stdout=output, stdin=subprocess.DEVNULL, check=True)


def locked(text: str) -> str:
    return next(line for line in text.splitlines() if "called:" in line and "--require-hashes" in line)


def test_pip_shows_its_progress_on_a_terminal(checkout: Path) -> None:
    """The first start takes a minute and more: not without a sign of life."""
    ours, theirs = pty.openpty()
    install(checkout, theirs)
    os.close(theirs)
    told = os.read(ours, 65536).decode()
    os.close(ours)
    assert "--quiet" not in locked(told)


def test_pip_is_quiet_in_a_log(checkout: Path) -> None:
    """Where nobody watches its bars would only fill the log."""
    with (checkout / "log").open("w+b") as log:
        install(checkout, log.fileno())
    assert "--quiet" in locked((checkout / "log").read_text())
