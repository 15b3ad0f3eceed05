"""The Throughput view: charts where there is room, rows where not, asked for only while it is seen."""

from typing import Any

import msgspec
import pytest

from orchestra_core.domain.series import SeriesView
from orchestra_tui.present.actions.views import BY_NAME
from orchestra_tui.screens.throughput import ThroughputScreen
from orchestra_tui.widgets.curves import ChartPane
from tests.fakes.console_engine import ConsoleEngine, Hand, console, sees, shown, text, until
from tests.fakes.series_views import series_view

SIZES = [(80, 24), (120, 40), (200, 60)]


def asked(engine: ConsoleEngine) -> list[dict[str, str]]:
    return [query for path, query in engine.read if path == "/api/v1/series"]


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_it_is_complete_at_every_size(size: tuple[int, int]) -> None:
    """Sparklines with numbers at 80 cells, four charts at 120, six at 200, none above 16 rows; models below."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=size) as pilot:
        await pilot.press("4")
        await sees(pilot, "gpt-5-mini")
        if size[0] == 80:
            for words in ("latency p99", "first p50", "in flight", "NOW", "TOP"):
                await sees(pilot, words)
            assert "┤" not in text(app)
        else:
            await until(pilot, lambda: text(app).count("now") >= (6 if size[0] == 200 else 4))
            assert ("Known cost an hour" in text(app)) == (size[0] == 200)
            panes = [pane for pane in app.screen.query(ChartPane) if pane.display and pane.lines]
            assert max(len(pane.lines) for pane in panes) <= 16
        assert all(len(row) <= size[0] for row in shown(app))


async def test_the_brackets_change_the_window_and_b_the_rows() -> None:
    """Each asks at once; at either end it says so and asks nothing."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("4")
        await sees(pilot, "By model, 5m")
        await pilot.press("]", "]")
        await sees(pilot, "By model, 1h")
        await pilot.press("b")
        await sees(pilot, "By backend, 1h")
        assert asked(engine)[-1] == {"window": "1h", "by": "backend"}
        await pilot.press("[", "[")
        await sees(pilot, "By backend, 5m")
        number = len(asked(engine))
        await pilot.press("[")
        await sees(pilot, "5m is the shortest window")
        assert len(asked(engine)) == number


async def test_enter_makes_one_chart_large_and_escape_small_again() -> None:
    """With the numbers of each curve and when it was highest."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("4")
        await until(pilot, lambda: text(app).count("now") >= 4)
        await pilot.press("tab", "tab", "enter")
        await sees(pilot, "HIGHEST AT")
        assert "By model" not in text(app)
        assert "Latency" in text(app)
        await pilot.press("escape")
        await sees(pilot, "By model")
        assert "HIGHEST AT" not in text(app)


async def test_enter_on_a_row_of_numbers_makes_its_chart_large() -> None:
    """Also at 80x24, where there are no charts otherwise."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        await sees(pilot, "first p99")
        await pilot.press("G", "enter")
        await sees(pilot, "HIGHEST AT")
        assert "First token" in text(app)
        await pilot.press("escape")
        await sees(pilot, "first p99")


async def test_enter_on_a_model_shows_it_alone() -> None:
    """All charts are its own then; escape brings everything back."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("4")
        await sees(pilot, "gpt-5-mini")
        whole = text(app)
        app.screen.query_one("#parts").focus()
        await pilot.press("j", "enter")
        await sees(pilot, "only mistral-nemo:12b")
        await until(pilot, lambda: "req/s" in text(app) and _row(app, "req/s") != _line(whole, "req/s"))
        await pilot.press("escape")
        await sees(pilot, "rows by model")


def _row(app: Any, words: str) -> str:
    return _line(text(app), words)


def _line(screen: str, words: str) -> str:
    return next((row for row in screen.split("\n") if words in row), "")


async def test_it_asks_when_a_stretch_has_ended_and_only_while_it_is_seen() -> None:
    """Every two seconds of the shortest window, every minute of a long one; never while paused or elsewhere."""
    engine, clock = ConsoleEngine(), Hand()
    engine.tick()
    app = console(engine, clock=clock)
    async with app.run_test(size=(80, 24)) as pilot:
        await sees(pilot, "live 1s")
        assert asked(engine) == []
        await pilot.press("4")
        await sees(pilot, "By model, 5m")
        renew = app.screen._renew  # type: ignore[attr-defined]  # as its timer does

        async def asks(seconds: float) -> bool:
            clock.at += seconds
            engine.tick()
            await until(pilot, lambda: app.picture().link.live)
            number = len(asked(engine))
            renew()
            await pilot.pause(0.05)
            return len(asked(engine)) > number

        assert not await asks(1.0)
        assert await asks(1.0)
        await pilot.press("]", "]", "]")
        await sees(pilot, "By model, 6h")
        assert not await asks(30.0)
        assert await asks(30.0)
        await pilot.press("p")
        assert not await asks(120.0)
        await pilot.press("p", "1")
        await sees(pilot, "Backends and breakers")
        assert not await asks(120.0)


async def test_nothing_is_painted_again_while_nothing_is_new() -> None:
    """The same answer builds no chart a second time, and no line of a chart changes by itself."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("4")
        await until(pilot, lambda: text(app).count("now") >= 4)
        pane = app.screen.query_one("#chart-latency", ChartPane)
        await until(pilot, lambda: pane._plot)
        before, number = pane._plot, len(asked(engine))
        app.screen._ask()  # type: ignore[attr-defined]  # as its timer does
        await until(pilot, lambda: len(asked(engine)) > number)
        await pilot.pause(0.2)
        assert pane._plot is before


async def test_what_the_engine_refuses_is_said_and_old_data_is_grey() -> None:
    """The charts stay; a lost engine greys them out."""
    engine = ConsoleEngine()
    engine.tick()
    clock = Hand()
    app = console(engine, clock=clock)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("4")
        await until(pilot, lambda: text(app).count("now") >= 4)
        engine.refusal = "there is nothing at /api/v1/series"
        await pilot.press("]")
        await sees(pilot, "there is nothing at /api/v1/series")
        assert "now" in text(app)
        clock.at += 30
        await sees(pilot, "stale")
        assert app.screen.query_one("#chart-latency").has_class("-old")
        assert app.screen.query_one("#parts").has_class("-old")


def test_the_view_has_its_number() -> None:
    """As the keymap has it."""
    assert (BY_NAME["throughput"].digit, BY_NAME["throughput"].short) == ("4", "tp")


async def test_a_smaller_terminal_takes_the_focus_along() -> None:
    """Where the charts have no room any more keys work on the rows."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("4")
        await sees(pilot, "By model, 5m")
        await pilot.press("tab")
        await pilot.resize_terminal(80, 24)
        await sees(pilot, "first p99")
        await until(pilot, lambda: app.focused is not None and app.focused.id == "metrics")
        await pilot.press("enter")
        await sees(pilot, "Requests a second")


async def test_what_was_chosen_is_remembered() -> None:
    """The window and what rows are by; what makes no sense any more is left as it is."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)):
        screen = ThroughputScreen()
        screen.recall({"window": "1h", "by": "backend"})
        assert {"window": "1h", "by": "backend"}.items() <= screen.kept().items()
        screen.recall({"window": "2h", "by": "key"})
        assert {"window": "1h", "by": "backend"}.items() <= screen.kept().items()


async def test_all_numbers_can_be_exported() -> None:
    """As the engine told them."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("4")
        await sees(pilot, "By model, 5m")
        screen = app.screen
        assert isinstance(screen, ThroughputScreen)
        label, suffix, made = screen.exports()["j"]
        assert (label, suffix) == ("JSON of 5m with 3 models", ".json")
        assert msgspec.json.decode(made(), type=SeriesView) == series_view("5m")
