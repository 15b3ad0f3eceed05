"""A user at a real terminal: the console as it is started, typed into and seen, on real engines."""

import re
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.fakes.processes import clean_environment
from tests.fakes.terminal import Terminal, missing

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "there is a terminal")

PROGRAM = (sys.executable, "-m", "orchestra_core")
NO_DISCOVERY = "[server]\nport = 0\n[discovery]\nenabled = false\n"
NOTHING = f"{NO_DISCOVERY}[embedded]\nenabled = false\n"
STARTING = 60.0


@pytest.fixture
def place() -> Iterator[Path]:
    """A home, configuration and socket included, whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="orch-") as folder:
        yield Path(folder)


@contextmanager
def console(home: Path, at: Path, *arguments: str, size: tuple[int, int] = (80, 24)) -> Iterator[Terminal]:
    """`ai-orchestra` in a terminal of this size."""
    argv = [*PROGRAM, "--socket", str(at), *arguments]
    with Terminal(argv, clean_environment(home), home, size) as terminal:
        yield terminal


@contextmanager
def console_with_engine(home: Path, config: str) -> Iterator[Terminal]:
    """`ai-orchestra` that has to start its engine; an engine it left is ended."""
    file, at = home / "config.toml", home / "engine.sock"
    file.write_text(config)
    try:
        with console(home, at, "--config", str(file)) as terminal:
            yield terminal
    finally:
        shut_down(at)


def shut_down(at: Path) -> None:
    """Ends the engine that listens there, if one does."""
    with socket.socket(socket.AF_UNIX) as line, suppress(OSError):
        line.settimeout(5)
        line.connect(str(at))
        line.sendall(b"POST /api/v1/shutdown HTTP/1.1\r\nhost: engine\r\ncontent-length: 0\r\n\r\n")
        line.recv(1)


def runs(process: int) -> bool:
    """Whether there is such a process, one that has ended and waits for its parent aside."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def megabytes(terminal: Terminal) -> int:
    """What the legend of the memory gauges says of our models."""
    found = re.search(r"models (\d+)([BM])", terminal.row("█ models"))
    assert found is not None
    return int(found[1]) if found[2] == "M" else 0


@pytest.mark.model
def test_a_newcomer_asks_the_real_model_and_unloads_and_loads_it_by_key(place: Path) -> None:
    """From one command in 80x24: an answer with its speed, memory that follows, and nothing left behind."""
    with console_with_engine(place, NO_DISCOVERY) as terminal:
        terminal.sees("ORCHESTRA")
        terminal.row("● local", "up", "1/1 ready", seconds=STARTING)

        terminal.keys("6")
        terminal.sees("Nothing asked yet")
        terminal.type("The capital of France is")
        terminal.keys("Enter")
        told = terminal.row("● done", "gemma3-270m on local", "first token", "tok/s", seconds=STARTING)
        assert re.search(r"first token [\d.]+m?s  [\d.]+ tok/s  \d+ tokens", told)
        asked = next(at for at, row in enumerate(terminal.rows) if "› The capital" in row)
        assert terminal.rows[asked + 1].strip()

        terminal.resize(120, 40)
        terminal.keys("Escape", "1")
        terminal.until(lambda: megabytes(terminal) > 100, "memory of the model")
        loaded = megabytes(terminal)

        terminal.keys("2")
        terminal.sees("MEM")
        # What is reserved moves by some per cent when the model was measured again.
        sizes = re.findall(r"(\d+)M", terminal.row("│ need ", "M"))
        assert any(abs(int(size) - loaded) < loaded / 10 for size in sizes), (sizes, loaded)
        terminal.keys("U")
        terminal.sees("Unload gemma3-270m from local?")
        terminal.sees("y confirms")
        terminal.keys("y")
        terminal.row("○ gemma3-270m", "unloaded")
        terminal.keys("1")
        terminal.until(lambda: megabytes(terminal) == 0, "memory given back")

        terminal.keys("2", "L")
        terminal.sees("Load gemma3-270m")
        terminal.sees("Enter confirms")
        terminal.keys("Enter")
        terminal.row("● gemma3-270m", "ready", seconds=STARTING)
        terminal.keys("1")
        terminal.until(lambda: megabytes(terminal) > 100, "memory taken again")

        terminal.resize(80, 24)
        terminal.keys("q")
        process = int(
            re.findall(r"started the engine \(process (\d+)\)", terminal.sees("Quit: what about"))[0]
        )
        assert runs(process)
        terminal.keys("s")
        assert terminal.ended(30) == 0
        assert "The engine was stopped." in terminal.text
        assert not runs(process)
        assert terminal.is_restored()


def test_without_a_backend_the_user_reads_what_to_do(place: Path) -> None:
    """The Overview and the Playground say the same; an engine that is kept outlives the console."""
    with console_with_engine(place, NOTHING) as terminal:
        terminal.sees("● live", STARTING)
        told = terminal.sees("[[backends]]")
        assert "Ollama" in told
        terminal.keys("6")
        terminal.sees("Nothing asked yet")
        terminal.type("Hello?")
        terminal.keys("Enter")
        terminal.sees("✕ failed")
        assert "[[backends]]" in terminal.text
        assert "Ollama" in terminal.text
        terminal.keys("C-q")
        process = int(re.findall(r"process (\d+)", terminal.sees("Quit: what about"))[0])
        terminal.keys("k")
        assert terminal.ended() == 0
        assert f"The engine keeps running (process {process})" in terminal.text
        assert runs(process)
        assert terminal.is_restored()
