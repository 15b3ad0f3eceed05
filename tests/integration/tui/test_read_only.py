"""A console that changes nothing: every key that would says why, nothing is sent, and the engine would refuse it."""

from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from orchestra_tui.app import Orchestra
from orchestra_tui.client import EngineClient
from orchestra_tui.engine import EngineError, Nothing
from orchestra_tui.preferences.beginning import Beginning
from orchestra_tui.present.actions.table import ACTIONS
from orchestra_tui.present.actions.views import BY_NAME
from tests.fakes.console_engine import ConsoleEngine, Hand, console, sees, shown, until
from tests.fakes.engine_process import EngineProcess

CHANGING = [(action, view) for action in ACTIONS if action.mutates for view in action.views]
TYPED = (
    "load mistral-nemo:12b",
    "unload qwen2.5-coder:7b",
    "drain box1",
    "restart local",
    "pause-intake",
    "trip box1/llama3.2:3b 5",
    "reset box2/nomic-embed-text",
    "probe box2/nomic-embed-text",
    "drill gpt-5-mini",
)


async def press_all(pilot: Pilot[Any], why: str) -> None:
    """Presses every changing key and gives every changing command, and sees the reason each time."""
    for action, view in CHANGING:
        await pilot.press(BY_NAME[view].digit)
        await pilot.pause()
        await pilot.press("g", action.keys[0])
        await sees(pilot, why)
        pilot.app.say("next", "muted")  # type: ignore[attr-defined]  # the console
        await sees(pilot, " next")
    for command in TYPED:
        await pilot.press("colon")
        await until(pilot, lambda: isinstance(pilot.app.focused, Input))
        assert isinstance(pilot.app.focused, Input)
        pilot.app.focused.value = command
        await pilot.press("enter")
        await sees(pilot, f"{command.split()[0]}: {why}")


async def test_a_read_only_console_sends_nothing() -> None:
    """The header says RO, and no key or command reaches the engine."""
    engine = ConsoleEngine()
    engine.tick()
    app = Orchestra(engine, now=Hand(), beginning=Beginning(read_only=True))
    async with app.run_test(size=(120, 24)) as pilot:
        await sees(pilot, "live")
        assert " RO " in shown(app)[0]
        await press_all(pilot, "this console is read-only; nothing was sent")
        assert engine.posted == []


async def test_a_read_only_engine_is_known_as_such() -> None:
    """Without asking it for anything it would refuse."""
    engine = ConsoleEngine()
    engine.push(msgspec.structs.replace(engine.world.snapshot(), read_only=True))
    app = console(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, " RO ")
        await pilot.press("2")
        await sees(pilot, "MODEL")
        await pilot.press("U")
        await sees(pilot, "unload: this engine is read-only ([server] read_only); nothing was sent")
        assert (engine.posted, engine.fetched) == ([], 0)


@pytest.fixture(scope="module")
def running() -> Any:
    with EngineProcess() as engine:
        yield engine


async def test_the_engine_refuses_what_such_a_console_would_send(running: EngineProcess) -> None:
    """Whatever a fault of the console let through; questions are answered, and the log has no deed that was done."""
    client = EngineClient(str(running.socket), read_only=True)
    try:
        assert (await client.fetch()).pid == running.pid
        for path in ("intake/pause", "reload", "shutdown", "backends/x/drain"):
            with pytest.raises(EngineError, match="bound itself") as caught:
                await client.post(f"/api/v1/{path}", {}, Nothing)
            assert caught.value.code == "read_only"
    finally:
        await client.close()
    log = running.home / ".local/state/ai-orchestra/audit.log"
    assert '"status":403' in log.read_text().replace(" ", "")
    assert '"status":20' not in log.read_text().replace(" ", "")
    assert not running.snapshot()["intake_paused"]
