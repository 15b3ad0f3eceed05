"""What is said where not all is well: old data, an engine of another version, a slow line, a crash."""

from pathlib import Path

import msgspec
import pytest
from textual import events

from orchestra_core import __version__
from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.app import Orchestra
from orchestra_tui.preferences.beginning import Beginning
from orchestra_tui.present.connection import Lost
from tests.fakes.console_engine import ConsoleEngine, Hand, console, sees, shown, text, until

VIEWS = {"1": "Memory", "2": "Models", "3": "Breakers", "7": "Alerts"}


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)], ids=str)
async def test_old_data_says_its_age_where_it_stands(size: tuple[int, int]) -> None:
    """Every pane: stale after two missed intervals, then how old it is while lost, and nothing more when live."""
    engine, clock = ConsoleEngine(), Hand()
    engine.tick()
    app = console(engine, clock=clock)
    async with app.run_test(size=size) as pilot:
        for digit, pane in VIEWS.items():
            await sees(pilot, "live 1s")
            await pilot.press(digit)
            await sees(pilot, pane)
            clock.at += 9
            await until(pilot, lambda pane=pane: titled(app, pane, "stale 9s"))  # type: ignore[misc]  # bound by its default
            clock.at += 3
            engine.push(Lost(4, 3.0, "nothing listens there"))
            await until(pilot, lambda pane=pane: titled(app, pane, "12s old"))  # type: ignore[misc]  # bound by its default
            assert "lost: reconnecting in 3 s (try 4)  data 12s old" in shown(app)[0]
            engine.tick()
            await sees(pilot, "live 1s")
            await until(pilot, lambda: "12s old" not in text(app) and "stale" not in text(app))


def titled(app: Orchestra, pane: str, words: str) -> bool:
    return any(pane in row and words in row for row in shown(app)[2:])


async def test_an_engine_of_another_version_is_named() -> None:
    """A badge in every view, and on the Overview what that means and how to end it."""
    engine = ConsoleEngine()
    engine.push(msgspec.structs.replace(engine.world.snapshot(), version="0.0.9"))
    app = console(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "ENGINE v0.0.9")
        await sees(pilot, f"version 0.0.9, this console {__version__}")
        await sees(pilot, "ai-orchestra shutdown")
        await pilot.press("2")
        await sees(pilot, "MODEL")
        assert "ENGINE v0.0.9" in shown(app)[0]


async def test_the_same_version_is_not_named() -> None:
    """There is no badge where there is nothing to say."""
    engine = ConsoleEngine()
    engine.push(msgspec.structs.replace(engine.world.snapshot(), version=__version__))
    app = console(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "live 1s")
        assert "ENGINE v" not in text(app)


@pytest.mark.parametrize("before", [True, False], ids=["with data", "without"])
async def test_an_engine_that_cannot_be_understood_is_said(before: bool) -> None:
    """Not only that it reconnects: which version it is, what is wrong, and what to do."""
    engine = ConsoleEngine()
    if before:
        engine.tick()
    for attempt in (1, 2):
        engine.push(Lost(attempt, 3.0, "its snapshot cannot be read: no field x", foreign="9.0.0"))
    app = console(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "engine v9.0.0 not understood: reconnecting in 3 s (try 2)")
        words = "its snapshot cannot be read: no field x. Open the console that came with the engine"
        await until(pilot, lambda: words in " ".join(text(app).replace("│", " ").split()))


async def test_a_slow_line_is_spared_and_said() -> None:
    """Two late answers of the terminal: every two seconds; five quick ones: as it was."""
    engine, clock = ConsoleEngine(), Hand()
    engine.tick()
    app = console(engine, clock=clock)
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "live 1s")
        pace = app.pacing.pace
        for taken in (1.0, 1.0):
            pace.asked(clock.at - taken)
            app.post_message(events.CursorPosition(0, 0))
            await until(pilot, lambda: not pace.waiting)
        await sees(pilot, "slow link: 2 s")
        await sees(pilot, "slow link: updates every 2 s")
        await until(pilot, lambda: engine.intervals[-1] == 2.0)
        await pilot.press("plus")
        await sees(pilot, "updates every 0.5 s when the line is quick again; now 2 s")
        for _ in range(5):
            pace.asked(clock.at)
            app.post_message(events.CursorPosition(0, 0))
            await until(pilot, lambda: not pace.waiting)
        await sees(pilot, "live 0.5s")
        await until(pilot, lambda: engine.intervals[-1] == 0.5)


async def test_slow_is_without_plots() -> None:
    """--slow: the Overview has its numbers, and a line instead of the plot."""
    engine = ConsoleEngine()
    engine.tick()
    plots = console(engine)
    async with plots.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "┤")
    engine.tick()
    app = Orchestra(engine, now=Hand(), beginning=Beginning(slow=True, interval=2.0))
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "live 2s")
        await sees(pilot, "req/s")
        assert "┤" not in text(app)


class Broken(ConsoleEngine):
    """An engine whose state breaks the console."""

    def tick(self, seconds: int = 1) -> Snapshot:
        snapshot = msgspec.structs.replace(self.world.snapshot(), host="not memory")  # type: ignore[arg-type]  # wrong on purpose
        self.push(snapshot)
        return snapshot


async def test_a_crash_leaves_a_log(tmp_path: Path) -> None:
    """The whole story is in the file; the terminal is told where, and sees no variables."""
    log = tmp_path / "state" / "console.log"
    engine = Broken()
    engine.tick()
    app = Orchestra(engine, now=Hand(), beginning=Beginning(log=log))
    with pytest.raises(AttributeError, match="'str' object"):
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, lambda: not app.is_running)
    assert "Traceback" in log.read_text()
    assert __version__ in log.read_text()
    assert app.return_code == 1
