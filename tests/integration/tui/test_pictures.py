"""How the Overview looks, as text, at every size and in every state; and every view in every state."""

from typing import Any

import pytest
from textual.pilot import Pilot

from orchestra_tui.present.actions.views import VIEWS
from orchestra_tui.present.connection import Lost
from tests.fakes.console_engine import ConsoleEngine, Hand, console, sees, shown, text, until
from tests.fakes.text_snapshots import differs

SIZES = [(80, 24), (120, 40), (200, 60)]


async def settled(pilot: Pilot[Any]) -> None:
    """Until two looks see the same."""
    seen = ""
    while seen != text(pilot.app):
        seen = text(pilot.app)
        await pilot.pause(0.2)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_the_overview_looks_as_it_should(size: tuple[int, int]) -> None:
    """Live, paused a minute ago, stale, and lost: each as the file beside says."""
    engine, clock = ConsoleEngine(), Hand()
    engine.tick(60)
    app = console(engine, clock=clock)
    name = f"overview-{size[0]}x{size[1]}"
    async with app.run_test(size=size) as pilot:
        await sees(pilot, "live 1s")
        await settled(pilot)
        assert differs(app, f"{name}-live") == ""
        await pilot.press("p")
        clock.at += 60
        newest = engine.tick(60)
        await until(pilot, lambda: app.fresh().snapshot == newest)
        await sees(pilot, "PAUSED -1:00")
        assert differs(app, f"{name}-paused") == ""
        await pilot.press("p")
        clock.at += 9
        await sees(pilot, "stale 9s")
        await settled(pilot)
        assert differs(app, f"{name}-stale") == ""
        engine.push(Lost(4, 3.0, "nothing listens there"))
        await sees(pilot, "reconnecting in 3 s (try 4)")
        await settled(pilot)
        assert differs(app, f"{name}-lost") == ""


@pytest.mark.parametrize("size", SIZES[:2], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_every_view_stands_in_every_state(size: tuple[int, int]) -> None:
    """Paused and stale: header, tabs and footer are there, nothing is too wide, and no view breaks."""
    engine, clock = ConsoleEngine(), Hand()
    engine.tick()
    app = console(engine, clock=clock)
    async with app.run_test(size=size) as pilot:
        await sees(pilot, "live 1s")
        for state in ("PAUSED", "stale"):
            if state == "PAUSED":
                await pilot.press("p")
            elif state == "stale":
                await pilot.press("p")
                clock.at += 30
            for view in VIEWS:
                app.action_view(view.name)
                await until(pilot, lambda view=view: app.screen.id == view.name)  # type: ignore[misc]  # bound by its default
                await sees(pilot, state)
                await until(pilot, lambda: "quit" in shown(app)[-1])
                rows = shown(app)
                assert len(rows) == size[1]
                assert max(map(len, rows)) <= size[0]
                assert "SIMULATED" in rows[0]
                assert state in rows[0]
                assert f"{view.digit} " in rows[1]
