"""What every table can do by keys: sort, mark, filter by fields, wide columns, details, raw JSON."""

from collections.abc import Callable
from functools import partial

import msgspec
from textual.app import App, ComposeResult
from textual.geometry import Region

from orchestra_core.domain.snapshot import ModelView, Snapshot
from orchestra_tui.present.spans import Span
from orchestra_tui.present.subjects import MODELS
from orchestra_tui.screens.tabled import TableScreen
from orchestra_tui.widgets.prompts import CommandLine
from orchestra_tui.widgets.table import LiveTable
from orchestra_tui.widgets.tones import TONE_CLASSES
from tests.fakes.console_engine import ConsoleEngine, Hand, console, sees, shown, text, until

BUSY = "box1/llama3.2:3b"


def table(app) -> LiveTable:
    screen = app.screen
    assert isinstance(screen, TableScreen)
    return screen.table


def has_rows(app, number: int) -> bool:
    return len(table(app).keys) == number


def has_filter(app, query: str) -> bool:
    screen = app.screen
    assert isinstance(screen, TableScreen)
    return screen.listing.query.text == query and not screen.query_one(CommandLine).is_open


def changed(snapshot: Snapshot, identity: str, **values: object) -> Snapshot:
    models = tuple(
        msgspec.structs.replace(view, **values) if view.id == identity else view for view in snapshot.models
    )
    return msgspec.structs.replace(snapshot, models=models)


def column(app, title: str) -> list[str]:
    """What stands under a title, from the column's left neighbour on."""
    rows = [row for row in shown(app) if row.strip()]
    head = next(index for index, row in enumerate(rows) if title in row)
    end = rows[head].index(title) + len(title)
    return [row[:end].split()[-1] for row in rows[head + 1 :] if row[:1] in " ▌✓" and ":" in row]


async def test_columns_are_chosen_and_turned_round() -> None:
    """> goes from column to column with an arrow in the header, S reverses, and what is not known comes last."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("2")
        await sees(pilot, "MODEL")
        await pilot.press("S")
        await sees(pilot, "reverse: choose a column")
        await pilot.press(">")
        await sees(pilot, "MODEL▲")
        await sees(pilot, "sort model ▲")
        await pilot.press(*">>>")
        await sees(pilot, "▼MEM")
        await sees(pilot, "Models  sort mem ▼  10/10")
        rows = [view.memory_bytes for view in app.screen.shown]
        known = [size for size in rows if size is not None]
        assert known == sorted(known, reverse=True)
        assert rows[: len(known)] == known
        await pilot.press("S")
        await sees(pilot, "▲MEM")
        rows = [view.memory_bytes for view in app.screen.shown]
        assert rows[: len(known)] == sorted(known)
        await pilot.press(*"<<<<")
        await until(pilot, lambda: "sort" not in shown(app)[2])


async def test_the_selection_stays_on_its_object_while_rows_move() -> None:
    """Sorting, new values and a filter move rows; the cursor goes with its model, and a key acts on that one."""
    engine, clock = ConsoleEngine(), Hand()
    snapshot = engine.tick()
    app = console(engine, clock=clock)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await sees(pilot, "MODEL")
        table(app).select(BUSY)
        before = table(app).keys.index(BUSY)
        await pilot.press(*">>>>>>")
        await until(pilot, lambda: table(app).keys.index(BUSY) != before)
        assert table(app).selected == BUSY
        clock.at += 3
        engine.push(changed(snapshot, BUSY, tokens_per_second=0.1))
        await pilot.pause()
        await pilot.press("U")
        await sees(pilot, f"Unload {BUSY.split('/')[1]} from box1?")


async def test_rows_do_not_change_places_under_a_dialog() -> None:
    """While a box asks about a row, values change and the order does not; afterwards it does."""
    engine, clock = ConsoleEngine(), Hand()
    snapshot = engine.tick()
    app = console(engine, clock=clock)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("2")
        await sees(pilot, "MODEL")
        screen = app.screen
        assert isinstance(screen, TableScreen)
        await pilot.press(*">>>>")
        await sees(pilot, "sort mem ▼")
        order = screen.table.keys
        await pilot.press("y")
        await sees(pilot, "curl command")
        clock.at += 10
        last = order[0]
        engine.push(changed(snapshot, last, memory_bytes=1))
        await until(pilot, lambda: screen.thing(last).memory_bytes == 1)
        assert screen.table.keys == order
        await pilot.press("escape")
        engine.push(changed(snapshot, last, memory_bytes=1))
        await until(pilot, lambda: screen.table.keys != order)


async def test_marks_are_objects_and_deeds_are_done_to_all_of_them() -> None:
    """space marks, * inverts, \\ clears; marks outlast a filter, stand in the box, and go with their object."""
    engine = ConsoleEngine()
    snapshot = engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await sees(pilot, "MODEL")
        for key in (BUSY, "box1/qwen2.5-coder:7b"):
            table(app).select(key)
            await pilot.press("space")
        await sees(pilot, "2 marked  10/10")
        assert sum("✓" in row for row in shown(app)) == 2
        await pilot.press(*"/coder", "enter")
        await sees(pilot, "2 marked (1 hidden)  1/10")
        await pilot.press("U")
        await sees(pilot, "Unload 2 models?")
        assert BUSY in text(app)
        await pilot.press("escape", "escape")
        await sees(pilot, "2 marked  10/10")
        gone = tuple(view for view in snapshot.models if view.id != BUSY)
        engine.push(msgspec.structs.replace(snapshot, models=gone))
        await sees(pilot, "1 marked  9/9")
        await pilot.press("*")
        await sees(pilot, "8 marked")
        await pilot.press("\\")
        await until(pilot, lambda: "marked" not in shown(app)[2])


async def test_a_filter_says_what_is_wrong_with_it_and_is_completed() -> None:
    """Fields, comparisons and expressions work while they are typed; tab completes; a mistake stands in the chip."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("2")
        await sees(pilot, "10/10")
        await pilot.press(*"/stat", "tab", *"loa", "tab")
        await sees(pilot, "filter: state:loading  1/10")
        await pilot.press("enter", "escape", *"/(qw")
        await sees(pilot, "filter: (qw (regex: a ( without a ); as text)  0/10")
        await pilot.press("escape")
        await sees(pilot, "10/10")
        await pilot.press(*"/tok/s>1 !backend:box2")
        await until(pilot, lambda: all(view.tokens_per_second for view in app.screen.shown))
        assert app.screen.shown
        assert all(view.backend != "box2" for view in app.screen.shown)


async def test_only_problems_in_every_list() -> None:
    """e leaves what needs somebody, and brings the others back; escape does so too."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        for key, title in (("2", "MODEL"), ("3", "BREAKER"), ("7", "SEVERITY")):
            await pilot.press(key)
            await sees(pilot, title)
            screen = app.screen
            assert isinstance(screen, TableScreen)
            number = len(table(app).keys)
            await pilot.press("e")
            await sees(pilot, "problems only")
            assert 0 < len(table(app).keys) < number
            assert all(screen.SUBJECT.problem(thing) for thing in screen.shown)
            await pilot.press("escape")
            await until(pilot, partial(has_rows, app, number))


async def test_wide_columns_scroll_sideways_and_names_stay() -> None:
    """w shows every column; right scrolls to the last while each row keeps its name; w again fits them."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await sees(pilot, "MODEL")
        assert "QUANT" not in text(app)
        assert table(app).max_scroll_x == 0
        await pilot.press("w")
        await sees(pilot, "all columns; left and right scroll")
        for _ in range(100):
            await pilot.press("right")
            if "TIER" in text(app):
                break
        await sees(pilot, "QUANT")
        assert any("nomic-embed-text" in row for row in shown(app))
        await pilot.press("w")
        await until(pilot, lambda: table(app).max_scroll_x == 0)
        await until(pilot, lambda: "QUANT" not in text(app))


async def test_details_are_beside_the_table_or_over_it() -> None:
    """d puts the pane away and back where there is room, z for a while, and d opens a sheet where there is none; tab
    goes to it. What is a key elsewhere says where."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("2")
        await sees(pilot, "Details")
        await pilot.press("tab")
        assert app.focused is app.screen.query_one("#detail")
        await pilot.press("shift+tab")
        assert app.focused is table(app)
        await pilot.click(table(app), offset=(10, 5))
        assert table(app).selected == table(app).keys[3]
        await sees(pilot, f"model       {app.screen.selected.model[:20]}")
        await pilot.press("d")
        await until(pilot, lambda: "Details" not in text(app))
        await pilot.press("d")
        await sees(pilot, "Details")
        await pilot.press("z")
        await until(pilot, lambda: "Details" not in text(app))
        await pilot.press("escape")
        await sees(pilot, "Details")
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "Details" not in text(app))
        await pilot.press("z")
        await sees(pilot, "zoom: the table has all the room there is")
        await pilot.press("A")
        await sees(pilot, "A ack: in 7 Alerts")
        await pilot.press("d")
        await sees(pilot, "esc closes")


async def test_raw_json_follows_its_object() -> None:
    """J shows everything the engine says of the row, also when that changes, and says when it is gone."""
    engine = ConsoleEngine()
    snapshot = engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await sees(pilot, "MODEL")
        table(app).select(BUSY)
        await pilot.press("J")
        await sees(pilot, f'"id": "{BUSY}"')
        engine.push(changed(snapshot, BUSY, model="\x1b]0;x\x07[red]"))
        await sees(pilot, "[red]")
        assert not set(text(app)) & set("\x1b\x07")
        gone = tuple(view for view in snapshot.models if view.id != BUSY)
        engine.push(msgspec.structs.replace(snapshot, models=gone))
        await sees(pilot, f"{BUSY} is gone")


class Painted(LiveTable):
    """A table that writes down which rows it is told to paint again; -1 stands for all."""

    def __init__(self) -> None:
        self.told: set[int] = set()
        super().__init__()

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False):
        self.told |= {region.y for region in regions} or {-1}
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)


class Alone(App[None]):
    """Nothing but a table, with the tones of the console."""

    COMPONENT_CLASSES = TONE_CLASSES

    def compose(self) -> ComposeResult:
        yield Painted()


async def test_only_changed_rows_are_painted() -> None:
    """One new value, one mark or one move costs the rows concerned, also in a sorted and marked table."""
    app = Alone()
    async with app.run_test(size=(80, 24)) as pilot:
        painted = app.query_one(Painted)
        lines = [(f"k{number}", (Span(f"  row {number}"),)) for number in range(15)]
        header = (Span("  ROW"),)
        painted.show_rows(header, lines)
        await pilot.pause()

        def cost(act: Callable[[], object]) -> list[int]:
            painted.told.clear()
            act()
            return sorted(painted.told)

        lines[7] = ("k7", (Span("  row 7 is other"),))
        assert cost(lambda: painted.show_rows(header, lines)) == [8]
        assert cost(lambda: painted.show_rows(header, lines)) == []
        assert cost(painted.mark) == [1]
        assert cost(lambda: painted.move(1)) == [1, 2]
        swapped = [lines[1], lines[0], *lines[2:]]
        assert cost(lambda: painted.show_rows(header, swapped)) == [1, 2]
        assert (painted.selected, painted.marks) == ("k1", {"k0"})
        assert cost(lambda: painted.show_rows((Span("  ROW▲"),), swapped)) == [0]
        assert cost(lambda: painted.show_rows((Span("  ROW▲"),), swapped)) == []
        assert cost(painted.unmark) == [2]
        # Two that look the same and change places: only the mark shows it.
        same = (Span("  row"),)
        painted.show_rows((), [*lines[:10], ("k10", same), ("k11", same)])
        painted.select("k10")
        painted.mark()
        painted.select("k5")
        assert cost(lambda: painted.show_rows((), [*lines[:10], ("k11", same), ("k10", same)])) == [11, 12]
        assert cost(lambda: painted.show_rows((), swapped, cells=200, pinned=5))[0] == -1


def test_models_are_problems_when_somebody_must_look() -> None:
    """Open breakers, unreachable and failing ones are; a ready one that failed now and then is not."""
    engine = ConsoleEngine()
    views: dict[str, ModelView] = {view.id: view for view in engine.world.snapshot().models}
    quiet = msgspec.structs.replace(views[BUSY], calls=100, failed=4)
    assert not MODELS.problem(quiet)
    for values in ({"failed": 5}, {"circuit": "open"}, {"status": "unavailable"}, {"barred": "no room"}):
        assert MODELS.problem(msgspec.structs.replace(quiet, **values))


async def test_a_new_filter_replaces_the_old_one() -> None:
    """The first letter typed after / takes its place; right and end keep it, as it is, and go on with it."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("2", "slash", *"llama", "enter")
        await sees(pilot, "filter: llama")
        for keys, query in (((*"qwen", "enter"), "qwen"), (("right", "2", "enter"), "qwen2")):
            await pilot.press("slash", *keys)
            await until(pilot, partial(has_filter, app, query))
        await pilot.press("slash", "end", ".", "enter")
        await until(pilot, partial(has_filter, app, "qwen2."))
        await pilot.press("slash", "backspace", "enter")
        await until(pilot, partial(has_filter, app, ""))
