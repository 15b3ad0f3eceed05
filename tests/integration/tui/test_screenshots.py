"""Pictures of the running console, as SVG.

Normally of a simulated fleet and into a temporary folder. `ORCHESTRA_SCREENSHOTS` names another folder, and
`ORCHESTRA_SCREENSHOT_SOCKET` a running engine to show instead:

    ORCHESTRA_SCREENSHOTS=screenshots python -m pytest tests/integration/tui/test_screenshots.py
"""

import os
import re
from pathlib import Path

import pytest

from orchestra_tui.app import Orchestra
from orchestra_tui.client import Engine, EngineClient
from tests.fakes.console_engine import ConsoleEngine, Hand, sees

PROMPT = "What does a circuit breaker do?"
# Name, size, keys to press, words to wait for.
SHOTS: tuple[tuple[str, tuple[int, int], tuple[str, ...], str], ...] = (
    ("overview-80x24", (80, 24), (), "Events"),
    ("overview-120x40", (120, 40), (), "first token p50"),
    ("overview-200x60", (200, 60), (), "TTFT"),
    ("models-120x40", (120, 40), ("2", "j", "j"), "first token"),
    ("playground-120x40", (120, 40), ("6", *PROMPT, "enter"), "done"),
)
FONT = "DejaVu Sans Mono, Menlo, Consolas, monospace"


async def write_screenshot(
    engine: Engine, name: str, size: tuple[int, int], keys: tuple[str, ...], words: str, folder: Path,
    seconds: float = 60.0, now: Hand | None = None,
) -> Path:  # fmt: skip
    """Runs a console on `engine`, presses `keys`, waits for `words` and writes what is then shown."""
    app = Orchestra(engine, now=now)
    async with app.run_test(size=size) as pilot:
        await sees(pilot, "live")
        await pilot.press(*keys)
        await until_seen(pilot, words, seconds)
        await pilot.pause()
        picture = without_web_fonts(app.export_screenshot(title="ai-orchestra"))
    path = folder / f"{name}.svg"
    path.write_text(picture, encoding="utf-8")
    return path


async def until_seen(pilot, words: str, seconds: float) -> None:  # type: ignore[no-untyped-def]
    from tests.fakes.console_engine import text, until

    await until(pilot, lambda: words in text(pilot.app), seconds)


def without_web_fonts(svg: str) -> str:
    """The picture with fonts of the viewer's machine; nothing is fetched from anywhere."""
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    return re.sub(r"font-family: ?(Fira Code|arial)[^;]*;", f"font-family: {FONT};", svg)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(os.environ.get("ORCHESTRA_SCREENSHOTS", tmp_path))


@pytest.fixture
def engine() -> tuple[Engine, Hand | None]:
    """The engine to show, and a clock that stands still where it is a simulated one."""
    socket = os.environ.get("ORCHESTRA_SCREENSHOT_SOCKET")
    if socket:
        return EngineClient(socket), None
    simulated = ConsoleEngine()
    simulated.tick()
    simulated.clock = Hand()
    return simulated, simulated.clock


@pytest.mark.parametrize(("name", "size", "keys", "words"), SHOTS, ids=[shot[0] for shot in SHOTS])
async def test_a_screenshot_is_written(
    name: str,
    size: tuple[int, int],
    keys: tuple[str, ...],
    words: str,
    folder: Path,
    engine: tuple[Engine, Hand | None],
) -> None:
    """Each picture shows the running console and refers to nothing outside itself."""
    path = await write_screenshot(engine[0], name, size, keys, words, folder, now=engine[1])
    svg = path.read_text(encoding="utf-8")
    assert "ORCHESTRA" in svg
    assert not re.search(r"url\(\"?https?:|src=", svg)
