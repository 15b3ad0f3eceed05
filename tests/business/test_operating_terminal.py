"""An operator at a real terminal: what is changed by key is what was meant, and only when it may be."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.fakes.consoles import filtered
from tests.fakes.engine_process import EngineProcess, FleetProcess, clean_environment
from tests.fakes.terminal import Terminal, missing

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "there is a terminal")

MODEL, FIRST, SECOND = "sim-small:1b", "sim-small", "sim-second"
PROD = "[server]\nenvironment = 'prod-a'\nenvironment_color = 'red'\n"


@pytest.fixture
def engine(mended: FleetProcess) -> Iterator[EngineProcess]:
    """A real engine in the environment prod-a, over two backends that serve one model."""
    mended.load(FIRST, MODEL)
    with EngineProcess(PROD + mended.config()) as running:
        yield running


@contextmanager
def console(engine: EngineProcess, *arguments: str) -> Iterator[Terminal]:
    argv = [sys.executable, "-m", "orchestra_core", "--socket", str(engine.socket), *arguments]
    with Terminal(argv, clean_environment(engine.home), engine.home, (80, 24)) as terminal:
        terminal.sees("prod-a")
        terminal.sees("live")
        yield terminal


def draining(engine: EngineProcess) -> dict[str, bool]:
    return {view["name"]: view["draining"] for view in engine.snapshot()["backends"]}


def breaker(engine: EngineProcess) -> dict[str, Any]:
    (view,) = [view for view in engine.snapshot()["breakers"] if view["endpoint"] == f"{FIRST}/{MODEL}"]
    return dict(view)


def test_a_backend_is_drained_and_a_breaker_forced_open_and_probed(engine: EngineProcess) -> None:
    """Menu, box with the environment, y; the rows and the engine follow; Enter alone changes nothing."""
    with console(engine) as terminal:
        terminal.keys("3")
        terminal.sees("ENDPOINT   ")
        filtered(terminal, f"endpoint:{FIRST}/{MODEL}")
        terminal.row("▌", f"{FIRST}/{MODEL}")
        terminal.keys("D")
        terminal.sees(f"Drain or resume {FIRST}")
        terminal.keys("Enter")
        terminal.sees(f"Drain {FIRST}?")
        terminal.row("in", "prod-a")
        terminal.row("routes", f"falls back to {SECOND}")
        terminal.keys("Escape")
        terminal.sees("drain cancelled")
        assert not any(draining(engine).values())

        terminal.keys("B")
        terminal.sees(f"Breaker of {FIRST}/{MODEL}")
        terminal.type("5 min")
        terminal.keys("Enter")
        terminal.sees("open for 5 min?")
        terminal.keys("Enter")
        terminal.sees("trip cancelled")
        assert breaker(engine)["state"] == "closed"
        terminal.keys("B")
        terminal.sees(f"Breaker of {FIRST}/{MODEL}")
        terminal.type("5 min")
        terminal.keys("Enter")
        terminal.sees("y confirms")
        terminal.keys("y")
        terminal.row("◇", f"{FIRST}/{MODEL}", "open", "held 4m")
        assert breaker(engine)["tripped"]

        terminal.type(f":probe {FIRST}/{MODEL}")
        terminal.keys("Enter")
        terminal.sees("an operator holds")
        terminal.keys("y")
        terminal.row("◆", f"{FIRST}/{MODEL}", "closed")
        assert not breaker(engine)["tripped"]


def test_a_read_only_console_leaves_no_trace(engine: EngineProcess) -> None:
    """Every changing key says why it does nothing; the engine's audit log has nothing of it (scenario 9)."""
    with console(engine, "--read-only") as terminal:
        terminal.sees(" RO ")
        for view, title, keys in (
            ("2", "Models  ", (("L", "load"), ("U", "unload"))),
            ("3", "ENDPOINT   ", (("D", "drain"), ("B", "breaker"), ("R", "restart"))),
        ):
            terminal.keys(view)
            terminal.sees(title)
            for key, verb in keys:
                terminal.keys(key)
                terminal.sees(f"{verb}: this console is read-only; nothing was sent")
                assert "confirm" not in terminal.text
        terminal.type(":pause-intake")
        terminal.keys("Enter")
        terminal.sees("pause-intake: this console is read-only; nothing was sent")
    log = engine.home / ".local/state/ai-orchestra/audit.log"
    told = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    assert [line for line in told if line["path"] != "/api/v1/recording"] == []
    assert not engine.snapshot()["intake_paused"]
