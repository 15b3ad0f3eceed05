"""The Cost view: numbers that line up, dashes for what is not known, and asking only while it is seen."""

from typing import Any

import pytest
from msgspec.structs import replace

from orchestra_tui.present.actions.views import BY_NAME
from orchestra_tui.screens.cost import CostScreen
from tests.fakes.budget_views import BUDGETS
from tests.fakes.console_engine import ConsoleEngine, Hand, console, sees, shown, text, until

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
            assert nobody[:10] == ["–", "1", "–", "0", "0", "0", "–", "–", "–", "–"]
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
        assert "nothing is selected" not in text(app)
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
    """Also where there are numbers from before, which stay; gone with the next answer."""
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
        engine.refusal = "the ledger is away"
        screen = app.screen
        assert isinstance(screen, CostScreen)
        screen._ask()
        await sees(pilot, "the ledger is away")
        assert "code_generation" in text(app)


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
        screen = app.get_screen_stack("cost")[0]
        screen._renew()  # type: ignore[attr-defined]  # as its timer does
        await pilot.pause()
        assert len(engine.usages) == asked
        await pilot.press("8")
        await until(pilot, lambda: len(engine.usages) == asked + 1)


def test_the_view_has_its_number() -> None:
    """As the keymap has it."""
    assert (BY_NAME["cost"].digit, BY_NAME["cost"].short) == ("8", "co")


async def with_budgets(pilot: Any, engine: ConsoleEngine) -> None:
    engine.push(replace(engine.world.snapshot(), budgets=BUDGETS))
    await pilot.press("8")
    await sees(pilot, "Budgets  5")


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)], ids=str)
async def test_budgets_stand_above_with_where_they_lead(size: tuple[int, int]) -> None:
    """A bar, what is left, what it will be at the end, when it runs out, and one word; today and this month below."""
    engine = ConsoleEngine()
    app = console(engine)
    async with app.run_test(size=size) as pilot:
        await with_budgets(pilot, engine)
        await sees(pilot, "this month 1.50+")
        cloud = row(app, " cloud ")
        for words in ("18.20+", "1.40", "72.80+", "17h 48m", "fast"):
            assert words in cloud
        assert ("ENDS IN" in text(app)) == (size[0] >= 120)
        assert "* set by an operator" in text(app)
        assert all(len(each) <= size[0] for each in shown(app))


async def test_enter_on_a_budget_tells_all_of_it() -> None:
    """Over the view; tab goes between budgets and sums."""
    engine = ConsoleEngine()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await with_budgets(pilot, engine)
        app.screen.query_one("#budgets").focus()
        await pilot.press("j", "enter")
        await sees(pilot, "3 requests of unknown price")
        await pilot.press("escape")
        await sees(pilot, "Usage by model")


async def test_another_limit_is_asked_for_and_then_confirmed() -> None:
    """B on the row, an amount, and yes; what is wrong is said in the dialog, and the engine gets one request."""
    engine = ConsoleEngine()
    app = console(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await with_budgets(pilot, engine)
        app.screen.query_one("#budgets").focus()
        await pilot.press("B")
        await sees(pilot, "50.00 USD a month; an amount, or configured (40.00)")
        await pilot.press("x", "enter")
        await sees(pilot, "an amount from 0 up, or the word configured")
        await pilot.press("backspace", "6", "0", "enter")
        await sees(pilot, "50.00 › 60.00 USD a month")
        assert engine.posted == []
        await pilot.press("y")
        await sees(pilot, "budget team has 60 now")
        assert engine.posted == [("/api/v1/budgets/team", {"limit": 60.0})]


async def test_a_limit_below_what_is_spent_needs_the_name() -> None:
    """All of it: anything else cancels. It says that nothing new will pass."""
    engine = ConsoleEngine()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await with_budgets(pilot, engine)

        async def typed(text: str) -> None:
            for letter in text:
                await pilot.press("space" if letter == " " else letter)
            await pilot.press("enter")

        for name in ("tea", "team"):
            await pilot.press("colon")
            await typed("budget set team 5")
            await sees(pilot, "nothing new that costs money passes")
            assert engine.posted == []
            await typed(name)
            await sees(pilot, "budget cancelled" if name == "tea" else "budget team has 5 now")
        assert engine.posted == [("/api/v1/budgets/team", {"limit": 5.0})]


async def test_paused_and_stale_budgets_stand_still_and_grey() -> None:
    """Paused, what was seen stays; without news it is greyed out."""
    engine, clock = ConsoleEngine(), Hand()
    app = console(engine, clock=clock)
    async with app.run_test(size=(120, 40)) as pilot:
        await with_budgets(pilot, engine)
        await pilot.press("p")
        await sees(pilot, "PAUSED")
        engine.push(replace(engine.world.snapshot(), budgets=BUDGETS[:1]))
        await pilot.pause(0.05)
        assert "Budgets  5" in text(app)
        await pilot.press("p")
        await sees(pilot, "Budgets  1")
        clock.at += 30
        await sees(pilot, "stale")
        assert app.screen.query_one("#budgets").has_class("-old")


async def test_without_budgets_it_says_how_to_make_one() -> None:
    """And B has nothing to work on, which it says."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("8")
        await sees(pilot, "no budgets: each is a [[budgets]] table")
        await pilot.press("B")
        await sees(pilot, "budget: there is none")


async def test_what_was_chosen_is_remembered() -> None:
    """The window and what rows are by; what makes no sense any more is left as it is."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)):
        screen = CostScreen()
        screen.recall({"window": "30 days", "by": "key"})
        assert {"window": "30 days", "by": "key"}.items() <= screen.kept().items()
        screen.recall({"window": "2 days", "by": "planet"})
        assert {"window": "30 days", "by": "key"}.items() <= screen.kept().items()
