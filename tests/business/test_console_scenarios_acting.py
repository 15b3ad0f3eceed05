"""At a real terminal: acting on the right object, or being told why not; scenarios 4, 5 and 6."""

import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.console.fleet import Size
from benchmarks.console.measure import serving
from tests.fakes.consoles import chosen, console_at, filtered, left
from tests.fakes.engine_process import EngineProcess, FleetProcess
from tests.fakes.terminal import missing

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "there is a terminal")
BUSY = "sim-llama3.2:3b"


@pytest.fixture
def place() -> Iterator[Path]:
    """A home whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="orch-") as folder:
        yield Path(folder)


@contextmanager
def work(engine: EngineProcess, model: str) -> Iterator[None]:
    """Somebody reads one answer of the model after the other as long as the block runs; two never end together."""
    over = threading.Event()

    def ask(tokens: int) -> None:
        body = {
            "model": model,
            "stream": True,
            "max_tokens": tokens,
            "messages": [{"role": "user", "content": "?"}],
        }
        with engine.connect() as client:
            while not over.is_set():
                with client.stream("POST", "/v1/chat/completions", json=body) as answer:
                    for _ in answer.iter_lines():
                        if over.is_set():
                            break

    askers = [threading.Thread(target=ask, args=(tokens,)) for tokens in (2000, 2500)]
    for each in askers:
        each.start()
    try:
        yield
    finally:
        over.set()
        for each in askers:
            each.join(30)


def test_a_model_is_loaded_with_its_plan_and_unloaded_again(place: Path, demo: EngineProcess) -> None:
    """Need, free memory and verdict stand in the box; enter loads what fits, and what is under way is seen (4)."""
    with console_at(place, "--socket", str(demo.socket)) as terminal:
        terminal.row("● live")
        terminal.keys("2")
        terminal.sees("MODEL")
        filtered(terminal, "gemma2")
        terminal.row("○ sim-gemma2:2b", "unloaded")
        terminal.keys("L")
        terminal.sees("Load sim-gemma2:2b on sim-laptop?")
        terminal.sees("Enter confirms")
        for words in ("needs", "free", "verdict"):
            assert words in terminal.text
        terminal.keys("Enter")
        terminal.row("◐ sim-gemma2:2b", "loading")
        terminal.row("● sim-gemma2:2b", "ready")
        terminal.keys("U")
        terminal.sees("Unload sim-gemma2:2b from sim-laptop?")
        terminal.sees("y confirms")
        terminal.keys("y")
        terminal.row("○ sim-gemma2:2b", "unloaded")
        left(terminal)


def test_what_is_busy_goes_only_by_its_name(place: Path, demo: EngineProcess) -> None:
    """Enter alone cancels, and so does a wrong name; the model stays ready (4)."""
    with work(demo, BUSY), console_at(place, "--socket", str(demo.socket)) as terminal:
        terminal.row("● live")
        terminal.keys("2")
        terminal.sees("MODEL")
        filtered(terminal, BUSY)
        terminal.until(
            lambda: re.search(r" [1-9]/\d+ ", terminal.row("▌", BUSY)) is not None, "requests in flight"
        )
        for typed in ("", "sim-llama3.2:1b"):
            terminal.keys("U")
            terminal.sees(f"type {BUSY} to confirm")
            assert "in flight" in terminal.text
            terminal.type(typed)
            terminal.keys("Enter")
            if typed:
                terminal.keys("Escape")
            terminal.sees_not(f"type {BUSY} to confirm")
        terminal.row("● sim-llama3.2:3b", "ready")
        left(terminal)


def test_rows_that_move_under_the_cursor_do_not_move_the_target(place: Path) -> None:
    """The box names the row that was chosen, wherever the order of the moment has put it (5)."""
    with (
        serving(Size(backends=4, models=12, rate=30.0)) as at,
        console_at(place, "--socket", str(at)) as terminal,
    ):
        terminal.row("● live")
        terminal.keys("2")
        terminal.sees("MODEL")
        while "sort run" not in terminal.row("Models", "12/12"):
            title = terminal.row("Models", "12/12")
            terminal.keys(">")
            terminal.until(lambda title=title: terminal.row("Models", "12/12") != title, "another order")
        target = ""
        while not target or "ready" not in terminal.row("▌"):
            before = chosen(terminal, "sort run")
            terminal.keys("j")
            terminal.until(lambda before=before: chosen(terminal, "sort run") != before, "another row chosen")
            target = chosen(terminal, "sort run")
        place_of = {terminal.text.index(f" {target}")}

        def moved() -> bool:
            place_of.add(terminal.text.index(f" {target}"))
            return len(place_of) > 2

        terminal.until(moved, "rows that move")
        assert target in terminal.row("▌")
        terminal.keys("U")
        terminal.sees(f"Unload {target} from")
        terminal.keys("Escape")
        left(terminal)


def test_a_breaker_tells_its_story_from_open_to_closed(place: Path, mended: FleetProcess) -> None:
    """Failures open it with their reason and a countdown; once the backend is well a probe closes it (6)."""
    config = mended.config(only=["sim-small"])
    with (
        EngineProcess(config, home=place) as engine,
        console_at(place, "--socket", str(engine.socket), size=(120, 40)) as terminal,
    ):
        terminal.row("● live")
        terminal.keys("3")
        terminal.row("sim-small/sim-small:1b", "closed")
        mended.fault("sim-small", "error")
        while not any(view["state"] == "open" for view in engine.snapshot()["breakers"]):
            engine.chat(model="sim-small:1b", max_tokens=4)
        told = terminal.row("sim-small/sim-small:1b", "open")
        assert re.search(r"\d+s", told)
        mended.repair()
        terminal.row("sim-small/sim-small:1b", "closed")
        left(terminal)
