"""Rows of a table that nobody sees are not drawn."""

from textual.app import App, ComposeResult

from orchestra_tui.present.drawn import Drawn, Unseen
from orchestra_tui.present.spans import Line, line, plain, span
from orchestra_tui.widgets.table import LiveTable
from orchestra_tui.widgets.tones import TONE_CLASSES
from tests.fakes.turns import until


class Tables(App[None]):
    COMPONENT_CLASSES = TONE_CLASSES

    def compose(self) -> ComposeResult:
        yield LiveTable(id="table")


class Fleet:
    """Two hundred things, and which of them were drawn."""

    def __init__(self) -> None:
        self.drawn: list[int] = []
        self.calls = [0] * 200

    def row(self, at: int) -> Line:
        self.drawn.append(at)
        return line(span(f"  thing {at} called {self.calls[at]}"))

    def rows(self) -> Drawn:
        return Drawn(range(200), str, self.row)


async def test_only_what_is_seen_is_drawn() -> None:
    """Of two hundred rows a screenful; what is scrolled to is there, also where it changed while nobody saw it."""
    fleet = Fleet()
    async with Tables().run_test(size=(60, 20)) as pilot:
        table = pilot.app.query_one(LiveTable)
        table.show_rows((), fleet.rows())
        await until(lambda: 18 in fleet.drawn)
        await pilot.pause()
        assert max(fleet.drawn) < 40
        assert len(table.keys) == len(table.lines) == 200
        fleet.drawn.clear()
        fleet.calls[150], fleet.calls[3] = 7, 1
        table.show_rows((), fleet.rows())
        await pilot.pause()
        assert max(fleet.drawn) < 40
        assert "called 1" in plain(table.lines[3])
        table.select("150")
        await until(lambda: 150 in fleet.drawn)
        await pilot.pause()
        shown = [strip.text for strip in table.render_lines(table.size.region)]
        assert any("thing 150 called 7" in text for text in shown)
        assert table.text.count("called") == 200


def test_a_row_is_drawn_once() -> None:
    """However often it is looked at, and by whichever index; a slice is of rows."""
    fleet = Fleet()
    rows = fleet.rows()
    assert rows[7] == ("7", rows.lines[7])
    assert [key for key, _ in rows[:3]] == ["0", "1", "2"]
    assert rows.lines[-1] is rows.lines[199]
    assert sorted(fleet.drawn) == [0, 1, 2, 7, 199]
    assert [key for key, _ in rows] == [str(at) for at in range(200)]
    assert len(fleet.drawn) == 200


def test_what_is_drawn_later_is_what_was_given() -> None:
    """A list that goes on to change is not looked at again."""
    things = ["a", "b"]
    lines = Unseen(things, lambda thing: line(span(thing)))
    things.clear()
    assert [plain(row) for row in lines] == ["a", "b"]
