"""The options and the themes: changed where they are shown, and seen at once."""

from pathlib import Path

from orchestra_tui.app import Orchestra
from orchestra_tui.preferences.beginning import Beginning
from tests.fakes.console_engine import ConsoleEngine, Hand, console, sees, shown, text, until


async def test_options_are_changed_live() -> None:
    """Interval, signs, plots, pause and the slow link: left and right change, esc closes."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "┤")
        await pilot.press("o")
        await sees(pilot, "seconds between updates")
        await pilot.press("right")
        await until(pilot, lambda: any("interval" in row and "< 2 s" in row for row in shown(app)))
        await pilot.press("left")
        await until(pilot, lambda: any("interval" in row and "< 1 s" in row for row in shown(app)))
        await pilot.press("j", "j", "right")
        await until(pilot, lambda: "●" not in shown(app)[0])
        await pilot.press("right", "j", "right")
        await until(pilot, lambda: any("plots" in row and "< off" in row for row in shown(app)))
        await pilot.press("j", "right", "j", "right")
        await until(pilot, lambda: any("paused" in row and "< on" in row for row in shown(app)))
        assert not app.looks.mouse
        await pilot.press("right", "j", "right", "j", "right")
        await sees(pilot, "slow link: 2 s")
        await pilot.press("left", "escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        await sees(pilot, "live 1s")
        assert "┤" not in text(app)


async def test_options_show_what_cannot_be_changed_here(tmp_path: Path) -> None:
    """Read-only, and where settings and memory are; keys on them do nothing."""
    engine = ConsoleEngine()
    engine.tick()
    beginning = Beginning(read_only=True, settings=tmp_path / "console.toml", file=tmp_path / "console.json")
    app = Orchestra(engine, now=Hand(), beginning=beginning)
    async with app.run_test(size=(200, 40)) as pilot:
        await sees(pilot, "live 1s")
        await pilot.press("o")
        await sees(pilot, "read-only")
        await sees(pilot, "console.toml"[:4])
        await pilot.press(*"jjjjjjjjjjjj", "right", "left", "escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)


async def test_options_fit_a_small_terminal() -> None:
    """At 80x24 every option has its row, with its value."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await sees(pilot, "live 1s")
        await pilot.press("o")
        for label in (
            "interval",
            "theme",
            "ascii",
            "plots",
            "mouse",
            "paused",
            "wide",
            "slow link",
            "remembered",
        ):
            await sees(pilot, label)
        assert max(len(row.rstrip()) for row in shown(app)) <= 80


async def test_a_theme_is_tried_on_before_it_is_chosen() -> None:
    """Moving tries it on, esc brings back the one before, enter keeps it; typing narrows."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await sees(pilot, "live 1s")
        await pilot.press("t")
        await sees(pilot, "orchestra-light")
        await pilot.press("down")
        await until(pilot, lambda: app.theme == "orchestra-light")
        await pilot.press("escape")
        await until(pilot, lambda: app.theme == "orchestra-dark")
        await pilot.press("t")
        await sees(pilot, "orchestra-light")
        await pilot.press(*"drac", "enter")
        await until(pilot, lambda: app.theme == "dracula")
