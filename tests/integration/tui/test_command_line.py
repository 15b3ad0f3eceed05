"""The command line: what it offers, and what it remembers."""

from textual.widgets import Input

from orchestra_tui.present.actions.views import VIEWS
from orchestra_tui.terminal import Terminal
from orchestra_tui.widgets.prompts import CommandLine
from tests.fakes.console_engine import ConsoleEngine, console, sees, shown, text, until


async def test_tab_goes_through_what_a_line_can_become() -> None:
    """More than one: they are listed above the line, and tab and shift+tab go round; one is simply taken."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await sees(pilot, "live 1s")
        await pilot.press("colon", *"unload box2/")
        line = app.screen.query_one(CommandLine)
        await until(pilot, lambda: "box2/llama3.2:3b" in shown(app)[-3])
        assert "box2/qwen2.5:14b" in shown(app)[-3]
        await pilot.press("tab")
        await until(pilot, lambda: line.value == "unload box2/llama3.2:3b")
        await pilot.press("tab")
        await until(pilot, lambda: line.value not in ("unload box2/", "unload box2/llama3.2:3b"))
        second = line.value
        await pilot.press("shift+tab")
        await until(pilot, lambda: line.value == "unload box2/llama3.2:3b")
        await pilot.press("shift+tab", "tab", "tab")
        await until(pilot, lambda: line.value == second)
        await pilot.press("escape")
        await until(pilot, lambda: "box2/qwen2.5:14b " not in shown(app)[-3])
        await pilot.press("colon", *"pla", "tab")
        await until(pilot, lambda: app.screen.query_one(CommandLine).value == "playground")


async def test_lines_are_remembered_in_every_view() -> None:
    """Up brings back what was entered elsewhere, the latest first; the same line again is one."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await sees(pilot, "live 1s")
        for entered in ("nonsense", "be", "be"):
            await pilot.press("colon", *entered, "enter")
            await pilot.pause()
        await until(pilot, lambda: app.screen.id == "backends")
        await pilot.press("colon", "up")
        line = app.screen.query_one(CommandLine)
        assert line.value == "be"
        await pilot.press("up")
        assert line.value == "nonsense"
        await pilot.press("down", "down")
        assert line.value == ""


async def test_the_command_line_works_where_there_is_no_room() -> None:
    """Down to 20x5: the summary stands, a command is typed, seen and done, and nothing breaks on the way."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "live 1s")
        for size in ((59, 18), (60, 17), (40, 10), (20, 5), (10, 2), (1, 1), (20, 5)):
            await pilot.resize_terminal(*size)
            await until(pilot, lambda size=size: app.size == size)  # type: ignore[misc]  # bound by its default
            await pilot.pause()
        await sees(pilot, "live 1s")
        await pilot.press("colon", *"mo")
        await sees(pilot, "mo")
        assert isinstance(app.focused, Input)
        await pilot.press("enter")
        await until(pilot, lambda: app.current_mode == "models")
        await pilot.press(
            "j", "slash", *"q", "escape", "question_mark", "escape", "0", "d", "p", "comma", "p"
        )
        await pilot.resize_terminal(80, 24)
        await sees(pilot, "Overview")
        await pilot.resize_terminal(20, 5)
        await pilot.press("q")
        await until(pilot, lambda: app._exit)


async def test_every_view_survives_a_terminal_that_shrinks_from_wide() -> None:
    """From 200x60, where the rail is, straight to almost nothing and back."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(200, 60)) as pilot:
        await sees(pilot, "live 1s")
        for view in VIEWS:
            app.action_view(view.name)
            await until(pilot, lambda view=view: app.screen.id == view.name)  # type: ignore[misc]  # bound by its default
            for size in ((60, 18), (200, 60), (20, 5), (200, 60)):
                await pilot.resize_terminal(*size)
                await pilot.pause()
        await sees(pilot, "live 1s")


async def test_the_palette_finds_commands_that_take_words() -> None:
    """In whichever view: what it finds is the beginning of a line, with its sign before it; all ASCII if need be."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine, terminal=Terminal(ascii=True))
    async with app.run_test(size=(80, 24)) as pilot:
        await sees(pilot, "live 1s")
        await pilot.press("ctrl+p")
        await pilot.press(*"drain")
        await sees(pilot, ":drain BACKEND...")
        assert [row for row in shown(app) if not row.isascii()] == []
        await pilot.press("enter")
        await until(pilot, lambda: shown(app)[-2].startswith(":drain "))
        await pilot.press(*"box1", "escape")
        await until(pilot, lambda: not shown(app)[-2].startswith(":"))
        await pilot.press("2", "slash")
        await until(pilot, lambda: shown(app)[-2].startswith("/"))


async def test_the_palette_finds_models_and_backends() -> None:
    """A name that is typed leads to the object, selected in its list."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "live 1s")
        await pilot.press("ctrl+p")
        await pilot.press(*"mistral-nemo")
        await sees(pilot, "model, unloaded")
        await pilot.press("enter")
        await until(pilot, lambda: app.current_mode == "models")
        await until(pilot, lambda: any("▌" in row and "mistral-nemo" in row for row in shown(app)))
        await pilot.press("ctrl+p")
        await pilot.press(*"gpu-a")
        await sees(pilot, "backend, up")
        await pilot.press("enter")
        await sees(pilot, "filter: backend:gpu-a")
        assert "box1/" not in "".join(row.split("│  ")[0] for row in text(app).splitlines()[8:-3])
