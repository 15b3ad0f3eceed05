"""Answers that take longer than the time until they are asked for again, as over a slow line."""

import pytest

from orchestra_tui.screens.cost import CostScreen
from orchestra_tui.screens.requests import RequestsScreen
from orchestra_tui.screens.throughput import ThroughputScreen
from tests.fakes.console_engine import ConsoleEngine, Hand, console, sees, until
from tests.fakes.request_log import ENDED


def asked(engine: ConsoleEngine, path: str) -> int:
    return sum(read == path for read, _ in engine.read)


@pytest.mark.parametrize(
    ("key", "path", "words"),
    [("8", "/api/v1/usage", "always the best model"), ("4", "/api/v1/series", "p95")],
)
async def test_a_view_waits_for_what_is_under_way(key: str, path: str, words: str) -> None:
    """Asked for anew each time it is due, it would never come."""
    engine, clock = ConsoleEngine(), Hand()
    engine.tick()
    app = console(engine, clock=clock)
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "live 1s")
        engine.reading.clear()
        await pilot.press(key)
        await until(pilot, lambda: asked(engine, path))
        screen, before = app.screen, asked(engine, path)
        assert isinstance(screen, CostScreen | ThroughputScreen)
        for _ in range(3):
            clock.at += 20
            newest = engine.tick()
            await until(pilot, lambda newest=newest: screen.picture.snapshot == newest)  # type: ignore[misc]  # bound by its default
            screen._renew()
            await pilot.pause()
        assert asked(engine, path) == before
        engine.reading.set()
        await sees(pilot, words)


async def test_a_request_is_asked_about_once_also_behind_another() -> None:
    """Each drawing of its sheet wants it; the one before it that was given up must not make it begin anew."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    first, second = (row.id for row in ENDED[:2])
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "live 1s")
        await pilot.press("5")
        await sees(pilot, "success")
        screen = app.screen
        assert isinstance(screen, RequestsScreen)
        engine.reading.clear()
        for one in (first, second):
            screen._explain(one)
            await until(pilot, lambda one=one: asked(engine, f"/api/v1/requests/{one}"))  # type: ignore[misc]  # bound by its default
        for _ in range(3):
            screen._explain(second)
            await pilot.pause()
        assert asked(engine, f"/api/v1/requests/{second}") == 1
        engine.reading.set()
        await until(pilot, lambda: second in screen._reports)
