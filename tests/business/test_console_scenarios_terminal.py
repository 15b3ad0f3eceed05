"""At a real terminal: every kind and size of one, and giving it back whatever happens; scenarios 10, 11 and 13."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest

from tests.fakes.consoles import PROGRAM, console_at, left, runs
from tests.fakes.engine_process import EngineProcess, clean_environment
from tests.fakes.outside import wait_outside
from tests.fakes.terminal import Terminal, missing

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "there is a terminal")
SIZES = ((200, 60), (120, 40), (80, 24), (60, 18), (40, 10), (20, 5), (3, 2), (20, 5), (80, 24))
# What only this view has, at any size with room for it.
VIEWS = {
    "1": "Problems",
    "2": "Models  12/12",
    "3": "ENDPOINT   ",
    "4": "FAIL%",
    "5": "Requests  ",
    "6": "Prompt",
    "7": "Alerts  ",
    "8": "Usage by model",
    "9": "RESULT",
}
KINDS: Mapping[str, Mapping[str, str]] = {
    "256 colours": {"TERM": "xterm-256color"},
    "linux": {"TERM": "linux"},
    "no colour": {"TERM": "xterm-256color", "NO_COLOR": "1"},
    "ascii": {"TERM": "xterm-256color", "LANG": "C", "LC_ALL": "C"},
}


@pytest.fixture
def place() -> Iterator[Path]:
    """A home whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="orch-") as folder:
        yield Path(folder)


def test_no_size_is_too_small_and_none_is_overrun(place: Path, demo: EngineProcess) -> None:
    """Down to 3x2 and back, in every view: no traceback, nothing beyond the edge, the footer where there is room."""
    with console_at(place, "--socket", str(demo.socket), size=(200, 60)) as terminal:
        seen = terminal.sees("sim-rack")
        panes = ("SIMULATED", "Backends and breakers", "Throughput", "Memory", "Problems", "Models", "Events")
        assert [pane for pane in panes if pane not in seen] == []
        for key, words in VIEWS.items():
            terminal.keys("Escape")
            terminal.keys(key)
            terminal.sees(words)
            for columns, rows in SIZES if key in "15" else ((20, 5), (80, 24)):
                terminal.resize(columns, rows)
                filled(terminal, columns, rows)
        left(terminal)
        assert "The engine keeps running" in terminal.text


def filled(terminal: Terminal, columns: int, rows: int) -> None:
    """Waits for a screen drawn for this size, from the first to the last row, where that can be seen."""
    if columns >= 60:
        terminal.until(
            lambda: len(shown := terminal.rows) == rows and "ORCHESTRA" in shown[0] and "quit" in shown[-1],
            f"a screen of {columns}x{rows}",
        )
    elif columns >= 40:
        terminal.sees(f"needs 60x18, have {columns}x{rows}")
    assert terminal.widest <= columns
    assert "Traceback" not in terminal.text


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_terminal_is_served(kind: str, place: Path, demo: EngineProcess) -> None:
    """Without COLORTERM nothing has 24-bit colours; NO_COLOR has none at all, and LANG=C nothing but ASCII."""
    with console_at(place, "--socket", str(demo.socket), size=(120, 40), more=KINDS[kind]) as terminal:
        terminal.row("live", "ORCHESTRA")
        terminal.sees("sim-rack")
        styled = terminal.styled
        assert "38;2;" not in styled
        assert "48;2;" not in styled
        if kind == "no colour":
            assert "[3" not in styled.replace("[39m", "")
        if kind == "ascii":
            assert terminal.text.isascii()
        elif kind != "no colour":
            assert "[3" in styled
        left(terminal)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=lambda each: each.name)
def test_a_signal_ends_it_and_the_terminal_is_as_it_was(
    number: signal.Signals, place: Path, demo: EngineProcess
) -> None:
    """The cursor, the echo and the screen of before are back, and there is no traceback."""
    with console_at(place, "--socket", str(demo.socket)) as terminal:
        terminal.row("● live")
        psutil.Process(terminal.pid).send_signal(number)
        assert terminal.ended() in (0, 130)
        assert "Traceback" not in terminal.text
        assert terminal.is_restored()


def test_a_connection_that_is_cut_leaves_nothing_running(place: Path, demo: EngineProcess) -> None:
    """The console ends with its terminal; the engine goes on."""
    with console_at(place, "--socket", str(demo.socket)) as terminal:
        terminal.row("● live")
        program = terminal.pid
        terminal.close()
        # Whoever has become its parent may not look for it.
        wait_outside(lambda: not runs(program), "an end of the console", 30)
        assert demo.get("/api/v1/health").status_code == 200


def test_a_terminal_that_goes_without_a_signal_leaves_nothing_running(
    place: Path, demo: EngineProcess
) -> None:
    """Where the terminal is not the session's own nothing tells of its end."""
    ours, theirs = os.openpty()
    with os.fdopen(ours, "rb", buffering=0) as line:
        program = subprocess.Popen(
            (*PROGRAM, "--socket", str(demo.socket)),
            env={**clean_environment(place), "TERM": "xterm-256color"},
            **dict.fromkeys(("stdin", "stdout", "stderr"), theirs),
            start_new_session=True,
        )
        os.close(theirs)
        seen = b""
        while b"live" not in seen:
            seen = seen[-4:] + line.read(4096)
    try:
        assert program.wait(30) == 0
    finally:
        program.kill()
        program.wait()


def test_a_continuation_without_a_suspension_starts_nothing_twice(place: Path, demo: EngineProcess) -> None:
    """SIGCONT comes with a cut line and after SIGSTOP too: the terminal is read by one thread still, and given back."""
    with console_at(place, "--socket", str(demo.socket)) as terminal:
        terminal.row("● live")
        program = psutil.Process(terminal.pid)
        before = program.num_threads()
        for view, title in (("2", "Models  12/12"), ("3", "ENDPOINT   ")):
            program.send_signal(signal.SIGCONT)

            def shown(view: str = view, title: str = title) -> bool:
                # What is typed while the terminal is taken anew is thrown away with it.
                terminal.keys(view)
                return title in terminal.text

            terminal.until(shown, title)
        assert program.num_threads() <= before + 1
        left(terminal)


def test_it_is_suspended_and_continued_like_any_other_job(place: Path, demo: EngineProcess) -> None:
    """ctrl+z gives the shell and its settings back, fg the console with fresh data; both as often as one likes."""
    with Terminal(
        (), clean_environment(place), place, more={"PS1": "shell> ", "COLUMNS": "", "LINES": ""}, jobs=True
    ) as terminal:
        terminal.sees("shell>")
        terminal.type("stty -a > before")
        terminal.keys("Enter")
        program = " ".join((*PROGRAM, "--socket", str(demo.socket)))
        terminal.type(program)
        terminal.keys("Enter")
        for _ in range(2):
            terminal.row("● live")
            terminal.keys("C-z")
            terminal.sees("Stopped")
            terminal.type("stty -a | diff - before && echo as  before")
            terminal.keys("Enter")
            terminal.row("as before")
            terminal.type("clear; fg")
            terminal.keys("Enter")
        terminal.row("● live")
        terminal.keys("C-q")
        terminal.sees("shell>")
        assert "Traceback" not in terminal.text
