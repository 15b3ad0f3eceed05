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
from xml.etree import ElementTree

import pytest
from textual.pilot import Pilot

from orchestra_tui.app import Orchestra
from orchestra_tui.client import EngineClient
from orchestra_tui.widgets.prompts import PromptArea
from tests.fakes.console_engine import sees, text, until
from tests.fakes.demo_traffic import DemoTraffic
from tests.fakes.engine_process import ROOT, EngineProcess
from tests.fakes.moving_picture import Frame, moving

# What backends did in the last seconds is seen only after some; for pictures that nobody keeps there is no need.
SAMPLES = 12 if "ORCHESTRA_SCREENSHOTS" in os.environ else 1
PROMPT = "What does a circuit breaker do?"
# Name, size, keys to press or words to type, patterns to wait for: the last of each picture to appear.
SHOTS: tuple[tuple[str, tuple[int, int], tuple[str, ...], tuple[str, ...]], ...] = (
    ("overview-80x24", (80, 24), (), ("Events", "req/s")),
    ("overview-120x40", (120, 40), (), ("first token p50", "breakers", "critical 90%")),
    ("overview-200x60", (200, 60), (), ("TTFT", "failovers")),
    ("models-120x40", (120, 40), ("2", *"jjjjj"), ("Details", "first token")),
    ("backends-120x40", (120, 40), ("3",), ("WHY", "sim-phi")),
    ("throughput-120x40", (120, 40), ("4",), ("TOK/S", "Latency")),
    ("requests-120x40", (120, 40), ("5", *"jjjjjj"), ("success", "to first|attempt|waited")),
    ("playground-120x40", (120, 40), ("6", PROMPT, "enter"), (r"\d{2,} so far|● done", "cancel|send")),
    ("alerts-120x40", (120, 40), ("7", "j"), ("firing|nothing fires",)),
    ("cost-120x40", (120, 40), ("8",), ("Savings", "sim-cloud-mini")),
    ("events-120x40", (120, 40), ("9",), ("audit", "request.failed", "all")),
)
# Where nobody keeps them a few do, of those who ask too: what each view shows is tested elsewhere.
KEPT = "ORCHESTRA_SCREENSHOTS" in os.environ
TAKEN = SHOTS if KEPT else [shot for shot in SHOTS if shot[0].startswith(("overview", "playground", "cost"))]
USERS = "40" if KEPT else "8"
# What the tour says, the keys that lead there, patterns to wait for.
TOUR: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("Everything at a glance: health, breakers, traffic, memory, problems.", (), ("first token",)),
    ("2: every model on every machine. L loads, after its plan; U unloads.", ("2", "j", "j"), ("Details",)),
    ("/ filters: words, expressions, fields.", ("slash", *"state:ready tok/s>20", "enter"), ("filter",)),
    ("3: backends and breakers, each with its story.", ("3",), ("WHY",)),
    ("B: force it open, close it, ask for one token.", ("B",), ("half-open",)),
    ("F: a fault drill, graded at its end.", ("escape", "F"), ("Fault drill",)),
    ("4: throughput and latency, five minutes to a day.", ("escape", "4"), ("Latency",)),
    ("5: what runs now and what has been, live.", ("5", *"jjjjjjjjjjjj"), ("success",)),
    ("enter: its timeline, and the decision term by term.", ("enter",), ("tokens", "POINTS")),
    ("6: ask a model, or two side by side.", ("escape", "6", PROMPT, "enter"), (r"\d{2,} so far|● done",)),
    (
        "8: what it cost, what is left, what routing saved.",
        ("escape", "escape", "8"),
        ("Savings", "sim-cloud-mini"),
    ),
    ("9: what happened, who did what, and the same as a command.", ("9",), ("audit",)),
    ("? tells every key. Lower-case keys never change anything.", ("question_mark",), ("Everywhere",)),
)
CONFIG = """
[server]
grace_seconds = 0.5
[discovery]
enabled = false
[embedded]
enabled = false
[[budgets]]
name = "cloud-month"
limit = 20
period = "month"
kind = "hard"
[[budgets]]
name = "cloud-today"
limit = 1
period = "day"
kind = "soft"
"""
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
    with EngineProcess(CONFIG, "--users", USERS, demo=True) as engine, DemoTraffic(engine) as traffic:
        traffic.go_on(float(os.environ.get("ORCHESTRA_SCREENSHOT_SECONDS", "1")))
        yield str(engine.socket)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(os.environ.get("ORCHESTRA_SCREENSHOTS", tmp_path))


@pytest.mark.parametrize("size", dict.fromkeys(shot[1] for shot in TAKEN), ids=str)
async def test_screenshots_are_written(size: tuple[int, int], folder: Path, socket: str) -> None:
    """Each picture shows the running console, says that it is simulated, and refers to nothing outside itself."""
    app = Orchestra(EngineClient(socket))
    async with app.run_test(size=size) as pilot:
        await sees(pilot, "live")
        await until(pilot, lambda: len(app.picture().activity) >= SAMPLES, 60)
        for name, _, keys, words in (shot for shot in TAKEN if shot[1] == size):
            for key in ("escape", "escape", *keys):
                await typed(pilot, key)
            svg = solid(without_web_fonts(await taken(pilot, ("SIMULATED", *words))))
            (folder / f"{name}.svg").write_text(svg, encoding="utf-8")

            assert "ORCHESTRA" in svg
            assert "SIMULATED" in svg
            assert not re.search(r"url\(\"?https?:|src=", svg)


async def test_the_tour_is_written(folder: Path, socket: str) -> None:
    """One console from view to view, as a picture that moves by itself; only its beginning where nobody keeps it."""
    steps = TOUR if KEPT else TOUR[:4]
    app = Orchestra(EngineClient(socket))
    frames: list[Frame] = []
    async with app.run_test(size=(120, 36)) as pilot:
        await sees(pilot, "live")
        for says, keys, words in steps:
            for key in keys:
                await typed(pilot, key)
            svg = solid(without_web_fonts(await taken(pilot, ("SIMULATED", *words))))
            frames.append(Frame(svg, says))
    tour = moving(frames, FONT)
    (folder / "tour.svg").write_text(tour, encoding="utf-8")

    assert tour.count("@keyframes") == len(steps)
    assert not re.search(r"url\(\"?https?:|src=", tour)
    ElementTree.fromstring(tour)


def test_the_screenshots_of_the_readme_are_there() -> None:
    """One picture of each name is part of the project."""
    names = {"tour", *(shot[0] for shot in SHOTS)}
    assert {path.stem for path in (ROOT / "screenshots").glob("*.svg")} == names


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
    # Some viewers take the spaces at the ends of a text away, no-break spaces too.
    svg = svg.replace("<svg ", '<svg xml:space="preserve" ', 1)
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
