"""Pictures, as SVG, of the console on a running engine: a simulated fleet with some users and some trouble.

Into a temporary folder, unless `ORCHESTRA_SCREENSHOTS` names another one. `ORCHESTRA_SCREENSHOT_SECONDS` is how
long the users ask before the first picture, `ORCHESTRA_SCREENSHOT_SOCKET` the socket of another engine to show.
`make screenshots` renews those of the README.
"""

import os
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from textual.pilot import Pilot

from orchestra_tui.app import Orchestra
from orchestra_tui.client import EngineClient
from orchestra_tui.widgets.prompts import PromptArea
from tests.fakes.console_engine import sees, text, until
from tests.fakes.demo_traffic import DemoTraffic
from tests.fakes.engine_process import ROOT, EngineProcess

PROMPT = "What does a circuit breaker do?"
# Name, size, keys to press or words to type, patterns to wait for: the last of each picture to appear.
SHOTS: tuple[tuple[str, tuple[int, int], tuple[str, ...], tuple[str, ...]], ...] = (
    ("overview-80x24", (80, 24), (), ("Events", "req/s")),
    ("overview-120x40", (120, 40), (), ("first token p50", "breakers")),
    ("overview-200x60", (200, 60), (), ("TTFT", "failovers")),
    ("models-120x40", (120, 40), ("2", *"jjjjj"), ("Details", "first token")),
    ("playground-120x40", (120, 40), ("6", PROMPT, "enter"), (r"\d{2,} so far", "cancel")),
)
FONT = "DejaVu Sans Mono, Menlo, Consolas, monospace"
# A cell of the picture: 0.61 and 1.22 of the size that Rich writes. At this size the first font fills its width.
CELL = (12.2, 24.4)
SIZE = "20.26px"


@pytest.fixture(scope="module")
def socket() -> Iterator[str]:
    """The socket of the engine to show."""
    given = os.environ.get("ORCHESTRA_SCREENSHOT_SOCKET")
    if given:
        yield given
        return
    with EngineProcess(demo=True) as engine, DemoTraffic(engine) as traffic:
        traffic.go_on(float(os.environ.get("ORCHESTRA_SCREENSHOT_SECONDS", "1")))
        yield str(engine.socket)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(os.environ.get("ORCHESTRA_SCREENSHOTS", tmp_path))


@pytest.mark.parametrize(("name", "size", "keys", "words"), SHOTS, ids=[shot[0] for shot in SHOTS])
async def test_a_screenshot_is_written(
    name: str, size: tuple[int, int], keys: tuple[str, ...], words: tuple[str, ...], folder: Path, socket: str
) -> None:
    """Each picture shows the running console, says that it is simulated, and refers to nothing outside itself."""
    app = Orchestra(EngineClient(socket))
    async with app.run_test(size=size) as pilot:
        await sees(pilot, "live")
        for key in keys:
            await typed(pilot, key)
        svg = solid(without_web_fonts(await taken(pilot, ("SIMULATED", *words))))
    (folder / f"{name}.svg").write_text(svg, encoding="utf-8")

    assert "ORCHESTRA" in svg
    assert "SIMULATED" in svg
    assert not re.search(r"url\(\"?https?:|src=", svg)


def test_the_screenshots_of_the_readme_are_there() -> None:
    """One picture of each name is part of the project."""
    assert {path.stem for path in (ROOT / "screenshots").glob("*.svg")} == {shot[0] for shot in SHOTS}


async def typed(pilot: Pilot[str], key: str) -> None:
    """Presses a key, or has the words in the prompt at once: each key takes a while."""
    if key == PROMPT:
        await until(pilot, lambda: pilot.app.screen.query(PromptArea))
        pilot.app.screen.query_one(PromptArea).insert(PROMPT)
    else:
        await pilot.press(key)


async def taken(pilot: Pilot[str], words: tuple[str, ...]) -> str:
    """The picture of the moment in which all of these patterns are shown: the console goes on in every other one."""
    pictures: list[str] = []

    def complete() -> bool:
        shown = text(pilot.app)
        if all(re.search(word, shown) for word in words):
            pictures.append(pilot.app.export_screenshot(title="ai-orchestra"))
        return bool(pictures)

    await until(pilot, complete, 30)
    return pictures[0]


def without_web_fonts(svg: str) -> str:
    """The picture with fonts of the viewer's machine; nothing is fetched from anywhere."""
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font-family: ?(Fira Code|arial)[^;]*;", f"font-family: {FONT};", svg)
    return svg.replace("font-size: 20px", f"font-size: {SIZE}")


def solid(svg: str) -> str:
    """The picture with full blocks as rectangles: as letters they have seams, since no font is as high as a row."""
    return re.sub(r'<text class="([\w-]+)" x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*█[^<]*)</text>', _blocks, svg)


def _blocks(found: re.Match[str]) -> str:
    tone, left, base, text = found[1], float(found[2]), float(found[3]), unescape(found[4])
    shapes = [
        f'<rect class="{tone}" x="{left + run.start() * CELL[0]:.1f}" y="{base - 18.5:.1f}" '
        f'width="{len(run[0]) * CELL[0]:.1f}" height="{CELL[1] + 0.2:.1f}"/>'
        for run in re.finditer("█+", text)
    ]
    return found[0] + "".join(shapes)
