"""At a real terminal: requests that are watched and answers that are read; scenarios 7 and 8."""

import re
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmarks.console.fleet import Size
from benchmarks.console.measure import serving
from tests.fakes.consoles import console_at, left
from tests.fakes.engine_process import EngineProcess, FleetProcess
from tests.fakes.terminal import Terminal, missing

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "there is a terminal")
REQUESTS = 200


@pytest.fixture
def place() -> Iterator[Path]:
    """A home whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="orch-") as folder:
        yield Path(folder)


def shown(terminal: Terminal) -> tuple[int, int]:
    """How many requests pass the filter, of how many, as the title says it."""
    found = re.search(r"(\d+)/(\d+)", terminal.row("Requests", "/"))
    return (int(found[1]), int(found[2])) if found else (0, 0)


def test_two_hundred_requests_are_followed_filtered_and_looked_into(
    place: Path, mended: FleetProcess
) -> None:
    """The filter stands after a look at the details, and following can be switched off and on (7)."""
    with EngineProcess(mended.config(only=["sim-small"]), home=place) as engine:

        def ask(index: int) -> int:
            body = {"model": "sim-small:1b", "max_tokens": 2, "messages": [{"role": "user", "content": "?"}]}
            hurried = {} if index % 5 else {"x_orchestra_deadline_ms": "1"}
            return engine.post("/v1/chat/completions", body, **hurried).status_code

        with ThreadPoolExecutor(8) as pool:
            codes = list(pool.map(ask, range(REQUESTS)))
        assert sum(code >= 500 for code in codes) >= 5, codes
        with console_at(place, "--socket", str(engine.socket), size=(120, 40)) as terminal:
            terminal.row("● live")
            terminal.keys("5")
            terminal.row("Requests", "following")
            terminal.until(lambda: shown(terminal)[1] >= 100, "the log")
            terminal.type("/status:5")
            terminal.keys("Enter")
            terminal.until(lambda: 0 < shown(terminal)[0] < shown(terminal)[1], "a filter at work")
            terminal.row("Requests", "filter: status:5")
            terminal.keys("j")
            terminal.row("▌", "503")
            terminal.keys("Enter")
            terminal.sees("esc closes")
            terminal.keys("Escape")
            terminal.sees_not("esc closes")
            terminal.row("Requests", "filter: status:5")
            following = "following" in terminal.row("Requests", "filter")
            terminal.keys("f")
            terminal.until(
                lambda: ("following" in terminal.row("Requests", "filter")) != following,
                "following to change",
            )
            left(terminal)


def test_an_answer_streams_on_while_others_are_looked_at_and_ends_when_told(place: Path) -> None:
    """Other views, other sizes and back: it has gone on; escape and the key that stops it end it (8)."""
    size = Size(backends=4, models=8, rate=20.0, answer=("one ", "two ", "three\n"))
    with (
        serving(size) as at,
        console_at(place, "--socket", str(at), size=(120, 40)) as terminal,
    ):
        terminal.row("● live")
        terminal.keys("6")
        terminal.sees("Nothing asked yet")
        terminal.type("Count.")
        terminal.keys("Enter")
        terminal.sees("one two three")
        terminal.keys("Escape")
        terminal.keys("2")
        terminal.sees("MODEL")
        terminal.resize(80, 24)
        terminal.until(lambda: len(terminal.rows) == 24 and terminal.widest <= 80, "the smaller screen")
        terminal.keys("6")
        terminal.sees("one two three")
        terminal.resize(120, 40)
        terminal.row("● done", "tokens", seconds=40)
        left(terminal)
