"""Leaving a command halfway."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.fakes.scripted_engine import scripted

ROOT = Path(__file__).parents[3]


def start(home: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    # Tests that run in the background of a shell ignore Ctrl-C, and a process would inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return started(home, *arguments)
    finally:
        signal.signal(signal.SIGINT, before)


def started(home: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "orchestra_core", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=home,
        env={"HOME": str(home), "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
    )


def test_ctrl_c_ends_a_command_cleanly_with_130(home: Path) -> None:
    """Interrupted in the middle of an answer, a query says nothing of Python's inside."""
    with scripted({("POST", "/api/v1/route"): [("token", {"text": "begun"})]}) as engine, engine.holding():
        running = start(home, "query", "--prompt", "x", "--stream", "--url", engine.url)
        assert running.stdout is not None
        assert running.stdout.read(5) == b"begun"
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=20)
    assert running.returncode == 130
    assert b"Traceback" not in err


def test_a_reader_that_leaves_causes_no_traceback(home: Path) -> None:
    """`ai-orchestra … | head -1` is quiet."""
    running = start(home, "config", "init", "-")
    assert running.stdout is not None
    running.stdout.close()
    running.wait(timeout=20)
    assert running.stderr is not None
    with running.stderr as told:
        assert b"Traceback" not in told.read()
