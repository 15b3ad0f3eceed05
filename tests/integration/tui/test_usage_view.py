"""The Usage view: numbers that line up, dashes for what is not known, and asking only while it is seen."""

from typing import Any

import pytest

from orchestra_tui.present.actions.views import BY_NAME
from tests.fakes.console_engine import ConsoleEngine, console, sees, shown, text, until

SIZES = [(60, 18), (80, 24), (200, 60)]


def row(app: Any, words: str) -> str:
    """The first of the terminal's rows with these words."""
    return next((each for each in shown(app) if words in each), "")


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_what_was_used_is_in_columns(size: tuple[int, int]) -> None:
    """Cost and the 95th of 100 at every width, more where there is room; nothing unknown is a zero."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=size) as pilot:
        await pilot.press("8")
        await sees(pilot, "gpt-5-mini")
        head = row(app, "REQS")
        for word in ("MODEL", "COST", "P95"):
            assert word in head
        assert ("FALLB" in head) == (size[0] >= 80)
        cloud = row(app, "gpt-5-mini").split()
        assert "1.5+" in cloud
        assert "412" in cloud
        if size[0] == 200:
            nobody = row(app, "    1  ").replace("│", " ").split()
            assert nobody == ["–", "1", "–", "0", "0", "0", "–", "–", "–", "–"]
        assert all(len(each) <= size[0] for each in shown(app))
        assert engine.usages[0] == ("model", "7d")


async def test_savings_and_suggestions_are_below() -> None:
    """With over how many requests, and the way to act."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("8")
        await sees(pilot, "always the best model: 4.5 USD instead of 1.5, over 400 of 12758 requests")
        assert "always the first model: not known what it would have cost" in text(app)
        assert "at tier high that asked for low" in text(app)
        assert "have a model of tier low for it" in text(app)


async def test_b_and_the_brackets_ask_anew() -> None:
    """By the next column, over more or fewer days; at either end it says so and asks nothing."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("8")
        await sees(pilot, "Usage by model, 7 days")
        await pilot.press("b")
        await sees(pilot, "Usage by task, 7 days")
        await sees(pilot, "code_generation")
        await pilot.press("]", "]")
        await sees(pilot, "Usage by task, all days")
        await until(pilot, lambda: engine.usages[-1] == ("task", ""))
        asked = len(engine.usages)
        await pilot.press("]")
        await sees(pilot, "all days is all there is")
        assert len(engine.usages) == asked
        await pilot.press("[")
        await until(pilot, lambda: engine.usages[-1] == ("task", "30d"))


async def test_enter_tells_everything_of_a_row() -> None:
    """Failures by kind, both directions of tokens, all quantiles."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("8")
        await sees(pilot, "gpt-5-mini")
        await pilot.press("j", "enter")
        await sees(pilot, "32 timeout")
        assert "41200 in, 90000 out" in text(app)
        assert "not known of 3 requests" in text(app)
        assert "p50 " in text(app)


async def test_what_the_engine_refuses_is_said_in_its_words() -> None:
    """In place of the numbers, and gone with the next answer."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await sees(pilot, "live 1s")
        engine.refusal = "the ledger cannot be read now"
        await pilot.press("8")
        await sees(pilot, "the ledger cannot be read now")
        engine.refusal = None
        await pilot.press("b")
        await sees(pilot, "code_generation")
        assert "cannot be read" not in text(app)


async def test_nobody_is_asked_while_another_view_is_seen() -> None:
    """Coming back asks at once."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await sees(pilot, "live 1s")
        assert engine.usages == []
        await pilot.press("8")
        await sees(pilot, "gpt-5-mini")
        await pilot.press("1")
        await sees(pilot, "Backends and breakers")
        asked = len(engine.usages)
        screen = app.get_screen_stack("usage")[0]
        screen._renew()  # type: ignore[attr-defined]  # as its timer does
        await pilot.pause()
        assert len(engine.usages) == asked
        await pilot.press("8")
        await until(pilot, lambda: len(engine.usages) == asked + 1)


def test_the_view_has_its_number() -> None:
    """As the keymap has it."""
    assert (BY_NAME["usage"].digit, BY_NAME["usage"].short) == ("8", "us")
