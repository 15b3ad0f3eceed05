"""Help and details over a view: searching in them, copying them, leaving them; and typing a filter above a table."""

import pytest
from rich.cells import cell_len
from textual import events

from orchestra_tui.app import Orchestra
from orchestra_tui.present.searching import places
from orchestra_tui.screens.help import HelpScreen, SheetScreen
from orchestra_tui.screens.tabled import TableScreen
from orchestra_tui.terminal import Terminal
from tests.fakes.console_engine import ConsoleEngine, console, sees, shown, text, until

BUSY = "box1/llama3.2:3b"
NAMES = {"?": "question_mark", "/": "slash"}


# Each ends where it began, but for a mark and a sort.
OPENING = (
    ("y", "escape"),
    ("ctrl+e", "escape"),
    ("question_mark", "x", "escape", "escape"),
    ("J", "slash", "a", "enter", "escape", "escape"),
    ("w", "right", "w"),
    ("space", "greater_than_sign"),
)


def burst(app: Orchestra, text: str) -> None:
    """Typed so fast that no key waits for what the one before it does."""
    for char in text:
        app.post_message(events.Key(NAMES.get(char, char), char).set_sender(app))


async def test_help_is_searched_by_typing() -> None:
    """Letters narrow it at once, backspace and escape widen it again, and it fits the smallest usual terminal."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await sees(pilot, "MODEL")
        await pilot.press("question_mark")
        await sees(pilot, "type to search")
        await sees(pilot, "This view")
        await pilot.press(*"jsonq")
        await sees(pilot, "no key has to do with 'jsonq'")
        await pilot.press("backspace")
        await sees(pilot, "search: json")
        await sees(pilot, "all that the engine says of the row")
        assert "sort by the next column" not in text(app)
        assert all(len(row) <= 80 for row in shown(app))
        await pilot.press("escape")
        await sees(pilot, "sort by the next column")
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, HelpScreen))
        for key in ("q", "question_mark", "backspace", "enter"):
            await pilot.press("question_mark")
            await sees(pilot, "type to search")
            await pilot.press(key)
            await until(pilot, lambda: not isinstance(app.screen, HelpScreen))


async def test_words_are_found_in_a_sheet() -> None:
    """/ types them, n and N go from one to the next and round, escape ends the search, then leaves."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await sees(pilot, "MODEL")
        await pilot.press("J")
        await sees(pilot, "/ search")
        sheet = app.screen
        assert isinstance(sheet, SheetScreen)
        await pilot.press(*"/token")
        await sees(pilot, "found")
        top = sheet.sheet.scroll_y
        await pilot.press("enter")
        number = len(places(sheet.sheet.lines, "token"))
        assert number > 2
        await sees(pilot, f"1 of {number}")
        await pilot.press("n")
        await sees(pilot, f"2 of {number}")
        assert sheet.sheet.scroll_y >= top
        await pilot.press(*"n" * (number - 1))
        await sees(pilot, f"1 of {number}")
        await pilot.press("N")
        await sees(pilot, f"{number} of {number}")
        assert any("token" in row for row in shown(app))
        await pilot.press("escape")
        await sees(pilot, "/ search")
        await pilot.press(*"/zzz", "enter")
        await sees(pilot, "0 of 0")
        await pilot.press("n", "q")
        await until(pilot, lambda: not isinstance(app.screen, SheetScreen))


async def test_what_is_typed_at_once_is_searched_for() -> None:
    """A fast typist's letters after ? and / are words, not keys of the view or the sheet; a slash is a sign too."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await sees(pilot, "MODEL")
        burst(app, "?th")
        await sees(pilot, "search: th")
        await pilot.press("escape", "escape")
        await pilot.press("J")
        await sees(pilot, "/ search")
        burst(app, "/q/")
        await sees(pilot, "/q/")


async def test_escape_and_a_key_that_come_as_one_leave_and_go_on() -> None:
    """On a slow line escape and 3 arrive together: whatever is open closes, and the view opens."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        for key, words in (
            ("question_mark", "type to search"),
            ("J", "/ search"),
            ("y", "letter or enter"),
            ("o", "slow link"),
            ("t", "type to narrow"),
        ):
            await pilot.press("2")
            await sees(pilot, "MODEL")
            await pilot.press(key)
            await sees(pilot, words)
            await pilot.press("alt+3")
            await sees(pilot, "ENDPOINT")


@pytest.mark.parametrize("size", [(20, 5), (40, 10), (200, 18)])
async def test_no_size_is_too_small_for_what_opens_over_a_view(size: tuple[int, int]) -> None:
    """Menus, help, JSON and wide columns neither fail nor draw beyond the edge, also when the size changes."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        for view in ("2", "3", "7"):
            await pilot.press(view)
            await pilot.resize_terminal(*size)
            for keys in OPENING:
                await pilot.press(*keys)
                assert all(cell_len(row) <= size[0] for row in shown(app))
            await pilot.resize_terminal(80, 24)
            await sees(pilot, "1 marked")


async def test_letters_of_a_search_are_not_keys() -> None:
    """q and y are text while words are typed; escape gives them back to the sheet, and y copies all of it."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine, terminal=Terminal())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await sees(pilot, "MODEL")
        await pilot.press("J", *"/qy")
        await sees(pilot, "/qy")
        await pilot.press("backspace", "backspace", "backspace")
        await sees(pilot, "/ search")
        await pilot.press("y")
        await until(pilot, lambda: app.clipboard.startswith(" {"))
        assert '"residency"' in app.clipboard
        assert isinstance(app.screen, SheetScreen)


async def test_what_half_a_word_hides_is_selected_again() -> None:
    """While a filter is typed the cursor comes back to its object as soon as it is shown."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await sees(pilot, "MODEL")
        screen = app.screen
        assert isinstance(screen, TableScreen)
        screen.table.select(BUSY)
        await pilot.press(*"/state")
        await until(pilot, lambda: BUSY not in screen.table.keys)
        await pilot.press(*":ready", "enter")
        await sees(pilot, "filter: state:ready")
        assert screen.table.selected == BUSY
        await pilot.press(*"/zzzz")
        await sees(pilot, "0/10")
        assert screen.table.selected is None
        await pilot.press("escape")
        await sees(pilot, "10/10")
        assert screen.table.selected == BUSY


async def test_what_opens_over_a_view_is_ascii_where_that_is_all_there_is() -> None:
    """Menus, JSON, marks and arrows too; what is not known is a dash and never a question."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine, terminal=Terminal(ascii=True))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await sees(pilot, "MODEL")
        assert not any(" ? " in row for row in shown(app)[3:20])
        await pilot.press(">", ">", "space")
        await sees(pilot, "STATE^")
        await sees(pilot, "# ")
        for key in ("y", "J"):
            assert [row for row in shown(app) if not row.isascii()] == []
            await pilot.press(key)
            await sees(pilot, "esc")
            assert [row for row in shown(app) if not row.isascii()] == []
            await pilot.press("escape")
