"""What is typed faster than it can be done, or comes in one piece over a slow line: all of it counts, in order."""

import asyncio

import pytest
from textual import events
from textual.widgets import TextArea

from orchestra_tui.app import Orchestra
from orchestra_tui.screens.dialogs import ConfirmScreen
from orchestra_tui.screens.tabled import TableScreen
from orchestra_tui.widgets.prompts import CommandLine
from tests.fakes.console_engine import ConsoleEngine, console, sees, shown, until
from tests.fakes.outside import until_outside

NAMES = {"/": "slash", ":": "colon", "?": "question_mark", " ": "space", ".": "full_stop"}


def burst(app: Orchestra, *keys: str) -> None:
    """Every key is there before the first is looked at, as when they were read in one piece."""
    for key in keys:
        character = key if len(key) == 1 else {"enter": "\r"}.get(key)
        app.post_message(events.Key(NAMES.get(key, key), character).set_sender(app))


def lines(app: Orchestra) -> dict[str | None, str]:
    """What stands in the line that is open, by the view it is in."""
    # A view that is opened for the first time has no line yet.
    found = [line.value for line in app.screen.query(CommandLine) if line.is_open]
    return {app.screen.id: found[0]} if found else {}


def attached() -> tuple[ConsoleEngine, Orchestra]:
    engine = ConsoleEngine()
    engine.tick()
    return engine, console(engine)


async def test_a_key_after_a_filter_acts_on_what_is_left() -> None:
    """Filter, enter, U: the line is closed with the words before U, which is for the row that they left."""
    _, app = attached()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("2")
        await sees(pilot, "MODEL")
        burst(app, "/", *"qwen", "enter", "U")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await sees(pilot, "qwen2.5:14b")
        burst(app, "escape")
        await until(pilot, lambda: isinstance(app.screen, TableScreen))
        assert app.screen.query_one(CommandLine).value == "qwen"
        assert not app.screen.query_one(CommandLine).is_open


async def test_a_view_is_opened_before_its_line() -> None:
    """A line is taken before other keys are; not before the key that was pressed before it."""
    _, app = attached()
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "live 1s")
        for view, name in (("3", "backends"), ("2", "models"), ("1", "overview")):
            burst(app, view, ":", *"he")
            await until(pilot, lambda name=name: lines(app) == {name: "he"})
            burst(app, "escape")
            await until(pilot, lambda: not lines(app))


async def test_keys_for_a_view_that_is_not_there_yet_wait_for_it() -> None:
    """At its first opening there is nothing to move on; the third row is the third nevertheless."""
    _, app = attached()
    async with app.run_test(size=(120, 40)) as pilot:
        burst(app, "2", "j", "j", "enter")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        models = app.screen_stack[0]
        assert isinstance(models, TableScreen)
        assert models.table.selected == models.table.keys[2]
        burst(app, "escape", "3", "j", "5", "8", "9", "2", "k", "?")
        await sees(pilot, "Help")
        assert app.current_mode == "models"
        assert models.table.selected == models.table.keys[1]


@pytest.mark.parametrize("pasted", [False, True], ids=("typed", "pasted"))
async def test_a_prompt_is_sent_whole(pasted: bool) -> None:
    """Into the playground and out again: the text between is the prompt, what comes after it is keys again."""
    _, app = attached()
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "live 1s")
        burst(app, "6")
        if pasted:
            app.post_message(events.Paste("why is it q").set_sender(app))
        else:
            burst(app, *"why is it q")
        burst(app, "escape", "2")
        await until(pilot, lambda: app.current_mode == "models")
        burst(app, "6")
        await until(pilot, lambda: "why is it q" in "\n".join(shown(app)))
        assert app.screen.query_one(TextArea).text == "why is it q"


async def test_what_never_ends_does_not_keep_the_keys_after_it() -> None:
    """Where a view hangs with a key, one that does not need the view is taken after a second."""
    _, app = attached()
    hangs = asyncio.Event()
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "live 1s")
        app.screen.call_later(hangs.wait)
        try:
            burst(app, "j", "ctrl+q")
            await until_outside(lambda: app._exit, "an end")
        finally:
            hangs.set()
    assert not app.is_running


@pytest.mark.parametrize("key", ["j", "colon"])
@pytest.mark.parametrize("on_its_way", [False, True])
async def test_a_key_after_the_end_is_nothing(key: str, on_its_way: bool) -> None:
    """What was typed behind the key that quits must not end the console with a failure."""
    _, app = attached()
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "live 1s")
    event = events.Key(key, None)
    if on_its_way:
        event._set_forwarded()
    await app.on_event(event)
    assert not app.screen_stack
