"""Sheets over a view: what they are about, long lines whole or folded, and hints that stay with their view."""

from orchestra_tui.screens.help import SheetScreen
from tests.fakes.console_engine import ConsoleEngine, console, sees, text, until


async def test_a_sheet_names_its_object_and_leaves_lines_whole() -> None:
    """The crumbs end at the object; w leaves long lines whole to be scrolled sideways, a match is scrolled to, and w
    folds them again."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(60, 18)) as pilot:
        await pilot.press("2")
        await sees(pilot, "MODEL")
        await pilot.press("J")
        await sees(pilot, "Models › local/gemma3-270m-q4-k-m › JSON")
        await pilot.press("escape", "enter")
        await sees(pilot, "Models › local/gemma3-270m-q4-k-m ─")
        sheet = app.screen
        assert isinstance(sheet, SheetScreen)
        folded = len(sheet.sheet.lines)
        await pilot.press("w")
        await until(pilot, lambda: len(sheet.sheet.lines) < folded)
        await sees(pilot, "w folded lines")
        assert sheet.sheet.max_scroll_x > 0
        await pilot.press("right")
        assert round(sheet.sheet.scroll_x) == min(10, sheet.sheet.max_scroll_x)
        await pilot.press(*"/translation", "enter")
        await sees(pilot, "translation")
        await pilot.press("escape", "w")
        await until(pilot, lambda: len(sheet.sheet.lines) == folded)
        assert sheet.sheet.scroll_x == 0


async def test_a_hint_stays_with_its_view() -> None:
    """What was refused in one view is not said below the next."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await sees(pilot, "MODEL")
        await pilot.press("S")
        await sees(pilot, "reverse: choose a column")
        await pilot.press("3")
        await sees(pilot, "ENDPOINT")
        assert "reverse: choose a column" not in text(app)
