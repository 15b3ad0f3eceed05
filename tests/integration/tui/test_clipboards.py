"""The clipboard as the user of a real terminal finds it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.outside import wait_outside
from tests.fakes.processes import clean_environment
from tests.fakes.terminal import Terminal, missing

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())


@pytest.fixture
def socket(tmp_path: Path) -> Iterator[Path]:
    """The socket of an engine that is only a story."""
    path = tmp_path / "s"
    engine = subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.fake_engine", str(path)],
        env=clean_environment(tmp_path),
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_outside(path.exists, "the socket of the engine")
        yield path
    finally:
        engine.kill()
        engine.wait()


def test_tmux_with_its_own_settings_has_what_was_copied(tmp_path: Path, socket: Path) -> None:
    """It swallows OSC 52 by default; what y and a letter take is in its buffer, whole, and the status line says so."""
    argv = [sys.executable, "-m", "orchestra_tui", str(socket)]
    with Terminal(argv, clean_environment(tmp_path), tmp_path) as terminal:
        terminal.sees("live")
        terminal.keys("2")
        terminal.sees("MODEL")
        terminal.keys("y")
        terminal.sees("curl command")
        terminal.keys("c")
        terminal.sees("curl command, ")
        terminal.until(lambda: terminal.buffer.startswith("curl -sS --unix-socket"), "the copy")
        assert str(socket) in terminal.buffer
        terminal.keys("Y")
        terminal.until(lambda: terminal.buffer == "local/gemma3-270m-q4-k-m", "the id")


def test_a_console_without_a_clipboard_gets_a_file(tmp_path: Path, socket: Path) -> None:
    """Under TERM=linux nothing takes a copy: it is in a file of the user's own, and an export beside the shell."""
    argv = ["env", "-u", "TMUX", "TERM=linux", sys.executable, "-m", "orchestra_tui", str(socket)]
    (tmp_path / "work").mkdir()
    with Terminal(argv, clean_environment(tmp_path), tmp_path / "work", (120, 40)) as terminal:
        terminal.sees("live")
        terminal.keys("2")
        terminal.sees("MODEL")
        terminal.keys("Y")
        terminal.sees("no clipboard here: id")
        copied = tmp_path / ".local" / "state" / "ai-orchestra" / "copied.txt"
        assert copied.read_text() == "local/gemma3-270m-q4-k-m"
        assert terminal.buffer == ""
        terminal.keys("C-e")
        terminal.sees("never over a file")
        terminal.keys("c")
        terminal.sees("exported to ./orchestra-models-")
        (exported,) = (tmp_path / "work").iterdir()
        assert exported.read_text().startswith('"model","state"')
