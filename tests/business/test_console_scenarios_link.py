"""At a real terminal: an engine that is not there, comes, falls silent, dies and comes back; scenarios 1 to 3."""

import re
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.console.fleet import Size
from benchmarks.console.measure import serving
from orchestra_core import __version__
from tests.fakes.consoles import chosen, console_at, left
from tests.fakes.engine_process import EngineProcess, FleetProcess
from tests.fakes.terminal import Terminal, missing

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "there is a terminal")
COMING = 60.0


@pytest.fixture
def place() -> Iterator[Path]:
    """A home whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="orch-") as folder:
        yield Path(folder)


@pytest.fixture
def port() -> int:
    """Nothing listens there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def tries(terminal: Terminal) -> int:
    """The number of the last try to connect, as the header says it."""
    found = re.search(r"\(try (\d+)\)", terminal.rows[0])
    return int(found[1]) if found else 0


def test_without_an_engine_the_frame_stands_the_tries_are_counted_and_one_that_comes_is_taken_up(
    place: Path, port: int
) -> None:
    """Help, command line and quit work all the while; the engine goes live without a key (scenarios 1 and 2)."""
    with console_at(place, "--url", f"http://127.0.0.1:{port}") as terminal:
        terminal.sees("No engine at")
        assert "lost" in terminal.text
        assert "? help" in terminal.rows[-1]
        begun = tries(terminal)
        terminal.keys("?")
        terminal.sees("Everywhere")
        terminal.keys("Escape")
        terminal.sees_not("Everywhere")
        terminal.type(":")
        terminal.sees("command (:help)")
        terminal.keys("Escape")
        terminal.until(lambda: tries(terminal) >= begun + 2, "two more tries")
        with EngineProcess("", "--port", str(port), demo=True, home=place):
            terminal.row("● live", seconds=COMING)
            assert "No engine at" not in terminal.sees("sim-rack")
            left(terminal)


def test_an_engine_that_is_lost_is_retried_for_ever(place: Path, port: int) -> None:
    """The delay stops growing, and r tries at once: the counter rises with every press."""
    with console_at(place, "--url", f"http://127.0.0.1:{port}") as terminal:
        for _ in range(12):
            before = tries(terminal)
            terminal.keys("r")
            terminal.until(lambda before=before: tries(terminal) > before, "a try")
        assert tries(terminal) >= 12
        found = re.search(r"in (\d+) s", terminal.row("reconnecting"))
        assert found is not None
        assert int(found[1]) <= 30
        terminal.type(":q")
        terminal.keys("Enter")
        assert terminal.ended() == 0
        assert terminal.is_restored()


def test_a_silent_engine_is_stale_and_a_killed_one_lost_and_the_selection_outlives_both(
    place: Path, mended: FleetProcess
) -> None:
    """SIGSTOP greys the data with its age, SIGCONT brings it back; after SIGKILL a new one is taken up (scenario 3)."""
    config = mended.config()
    with (
        EngineProcess(config, home=place) as engine,
        console_at(place, "--socket", str(engine.socket)) as terminal,
    ):
        terminal.row("● live")
        terminal.keys("2")
        first = chosen(terminal, "MODEL   ")
        terminal.keys("G")
        terminal.until(lambda: chosen(terminal, "MODEL   ") != first, "the last row chosen")
        selected = chosen(terminal, "MODEL   ")
        assert engine.process is not None
        engine.process.send_signal(signal.SIGSTOP)
        try:
            began = time.monotonic()
            terminal.row("stale")
            assert re.search(r"stale \d+s", terminal.rows[0])
            assert selected in terminal.row("▌")
            assert time.monotonic() - began > 1
        finally:
            engine.process.send_signal(signal.SIGCONT)
        terminal.row("● live")
        engine.kill()
        terminal.row("lost", "try")
        terminal.row("▌", selected)
        terminal.keys("U")
        terminal.sees("not connected")
        with EngineProcess(config, home=place):
            terminal.row("● live")
            terminal.row("▌", selected)
            left(terminal)


def test_an_engine_of_another_version_is_recognised(place: Path) -> None:
    """It is shown as far as it is understood, and both versions are said."""
    size = Size(backends=4, models=8, rate=10.0, version="99.1.0")
    with (
        serving(size) as at,
        console_at(place, "--socket", str(at), size=(120, 40)) as terminal,
    ):
        terminal.row("● live")
        terminal.sees("99.1.0")
        terminal.sees(__version__)
        terminal.sees("be-00")
        left(terminal)
