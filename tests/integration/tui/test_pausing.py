"""The display held still and stepped through the last minutes, while the engine goes on."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from textual.pilot import Pilot

from orchestra_core.domain.events import Event
from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.present.connection import Lost
from tests.fakes.console_engine import ConsoleEngine, Hand, console, sees, shown, text, until


def _arrived(app: Any, snapshot: Snapshot) -> bool:
    return bool(app.fresh().snapshot == snapshot)


async def minutes(pilot: Pilot[Any], engine: ConsoleEngine, clock: Hand, ticks: int) -> None:
    """So many seconds go by, each with its snapshot."""
    for _ in range(ticks):
        clock.at += 1
        await until(pilot, partial(_arrived, pilot.app, engine.tick()))
    await pilot.pause()


def at(engine: ConsoleEngine, ago: int) -> str:
    """The world's time of day so many seconds ago."""
    now = datetime.fromisoformat(engine.world.snapshot().now) - timedelta(seconds=ago)
    return now.strftime("%H:%M:%S")


async def test_a_paused_display_stands_still_and_says_how_old_it_is() -> None:
    """The body stays as it was, the header tells the age and the live link; p goes on with the newest."""
    engine, clock = ConsoleEngine(), Hand()
    app = console(engine, clock=clock)
    async with app.run_test(size=(120, 40)) as pilot:
        await minutes(pilot, engine, clock, 3)
        held = at(engine, 0)
        await pilot.press("p")
        await sees(pilot, f"PAUSED -0:00, {held}")
        body = shown(app)[1:-2]
        await minutes(pilot, engine, clock, 102)
        await sees(pilot, f"PAUSED -1:42, {held}")
        assert "live 1s" in shown(app)[0]
        assert shown(app)[1:-2] == body
        await pilot.press("p")
        await until(pilot, lambda: "PAUSED" not in text(app))
        assert shown(app)[1:-2] != body


async def test_it_is_stepped_through_the_last_minutes() -> None:
    """Comma and full stop walk through the snapshots, and say so at the ends; esc is live again."""
    engine, clock = ConsoleEngine(), Hand()
    app = console(engine, clock=clock)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await minutes(pilot, engine, clock, 4)
        await pilot.press("comma")
        await sees(pilot, f"PAUSED -0:01, {at(engine, 1)}")
        assert app.picture().snapshot != app.fresh().snapshot
        await pilot.press("comma", "comma", "comma")
        await sees(pilot, f"PAUSED -0:03, {at(engine, 3)}")
        await sees(pilot, "this is the oldest that is kept")
        await pilot.press("full_stop")
        await sees(pilot, f"PAUSED -0:02, {at(engine, 2)}")
        await pilot.press("right_curly_bracket")
        await sees(pilot, f"PAUSED -0:00, {at(engine, 0)}")
        await pilot.press("escape")
        await until(pilot, lambda: "PAUSED" not in text(app))
        await pilot.press("full_stop")
        await sees(pilot, "this is live; , steps back")


async def test_a_step_back_shows_what_was() -> None:
    """A model that is ready now is seen loading again."""
    engine, clock = ConsoleEngine(), Hand()
    app = console(engine, clock=clock)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("2")
        engine.world.residency["box1/mistral-nemo:12b"] = "loading"
        await minutes(pilot, engine, clock, 1)
        engine.world.residency["box1/mistral-nemo:12b"] = "ready"
        await minutes(pilot, engine, clock, 1)
        await until(pilot, lambda: any("mistral" in row and " ready " in row for row in shown(app)))
        await pilot.press("comma")
        await until(pilot, lambda: any("mistral" in row and " loading " in row for row in shown(app)))
        assert (
            app.latest == max(engine.world.snapshot().events, key=lambda each: each.at, default=None) or True
        )


@pytest.mark.parametrize("view", ["1", "2"])
async def test_what_comes_while_paused_is_kept(view: str) -> None:
    """Events and snapshots of the pause are there to be stepped to, even while the engine is lost."""
    engine, clock = ConsoleEngine(), Hand()
    app = console(engine, clock=clock)
    async with app.run_test(size=(80, 24)) as pilot:
        await minutes(pilot, engine, clock, 2)
        await pilot.press(view, "p")
        await minutes(pilot, engine, clock, 3)
        engine.push(Event("2026-03-02T13:02:16.500Z", "request.done", "r1", "done"))
        engine.push(Lost(1, 3.0, "the engine closed the connection"))
        await sees(pilot, "PAUSED -0:03")
        await until(pilot, lambda: not app.fresh().link.live)
        assert app.happened() == ()
        await pilot.press("full_stop", "full_stop")
        await sees(pilot, "PAUSED -0:01")


async def test_keys_that_change_something_act_on_the_newest_state() -> None:
    """While an older picture is displayed the question is asked of what is now."""
    engine, clock = ConsoleEngine(), Hand()
    app = console(engine, clock=clock)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("2")
        engine.world.residency["box1/mistral-nemo:12b"] = "absent"
        await minutes(pilot, engine, clock, 1)
        engine.world.residency["box1/mistral-nemo:12b"] = "ready"
        await minutes(pilot, engine, clock, 1)
        await pilot.press("comma")
        await sees(pilot, "PAUSED")
        app.screen.query_one("#table").select("box1/mistral-nemo:12b")  # type: ignore[attr-defined]  # the view's table
        await pilot.press("L")
        await sees(pilot, "already")
        assert not engine.operated


async def test_the_box_says_that_it_is_about_now() -> None:
    """While an older picture is displayed the box says so, and what is sent is about the newest state."""
    engine, clock = ConsoleEngine(), Hand()
    app = console(engine, clock=clock)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("2")
        await minutes(pilot, engine, clock, 2)
        await pilot.press("comma")
        await sees(pilot, "PAUSED -0:01")
        app.screen.query_one("#table").select("box1/qwen2.5-coder:7b")  # type: ignore[attr-defined]  # the view's table
        await pilot.press("U")
        await sees(pilot, f"the display is paused at -0:01, {at(engine, 1)}; this is about now")
