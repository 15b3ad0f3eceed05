"""A crash of the console in a real terminal."""

import os
import sys
from pathlib import Path

import pytest

from tests.fakes.terminal import Terminal, missing

ROOT = Path(__file__).parents[3]


@pytest.mark.skipif(bool(missing()), reason=missing())
def test_a_crash_gives_the_terminal_back_and_names_a_log(tmp_path: Path) -> None:
    """Exit code 1, the log's path, no variables on the screen, and a terminal that echoes what is typed."""
    log = tmp_path / "console.log"
    argv = [sys.executable, "-m", "tests.fakes.crashing_console", str(log)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with Terminal(argv, environ, ROOT, (120, 40)) as terminal:
        assert terminal.ended() == 1
        terminal.sees("The console failed: AttributeError")
        assert "console.log" in "".join(terminal.rows)
        assert "locals" not in terminal.text
        assert terminal.is_restored()
    assert "Traceback" in log.read_text()
