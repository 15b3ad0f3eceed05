"""Loading and unloading from the table: the right object, and only when meant."""

import msgspec

from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.present.connection import Lost
from orchestra_tui.screens.models import ModelsScreen
from tests.fakes.console_engine import ConsoleEngine, Hand, console, sees, shown, text, until


def reordered(snapshot: Snapshot, extra: int) -> Snapshot:
    """The same models with others, sorted before them, put in."""
    first = snapshot.models[0]
    more = tuple(
        msgspec.structs.replace(first, id=f"new/aaa-{index}", model=f"aaa-{index}", backend="new")
        for index in range(extra)
    )
    return msgspec.structs.replace(snapshot, models=(*more, *reversed(snapshot.models)))


async def at(pilot, identity: str) -> None:
    """Puts the selection on a model by moving to it."""
    screen = pilot.app.screen
    assert isinstance(screen, ModelsScreen)
    await pilot.press("g")
    while screen.table.selected != identity:
        before = screen.table.selected
        await pilot.press("j")
        assert screen.table.selected != before


async def test_a_load_that_fits_needs_one_enter() -> None:
    """L asks with the load button focused, Enter sends it, progress follows in the row."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await sees(pilot, "MODEL")
        await at(pilot, "box1/mistral-nemo:12b")
        await pilot.press("L")
        await sees(pilot, "Load mistral-nemo:12b on box1?")
        await sees(pilot, "● fits")
        await sees(pilot, "9.0G of 16.0G in host")
        await pilot.press("enter")
        await sees(pilot, "accepted: needs 3.0G")
        assert engine.operated == [("load", "mistral-nemo:12b", "box1")]
        assert set(engine.planned) == {("load", "mistral-nemo:12b", "box1")}
        engine.tick(4)
        await until(
            pilot,
            lambda: any(
                "mistral" in row and "loading" in row and "8" in row and "of 9.0G" in row
                for row in shown(app)
            ),
        )
        engine.tick(8)
        await until(pilot, lambda: any("mistral" in row and "ready" in row for row in shown(app)))


async def test_an_unload_is_not_done_by_accident() -> None:
    """Cancel has the focus: Enter, escape, n and q all leave the model where it is."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await sees(pilot, "MODEL")
        await at(pilot, "box1/qwen2.5-coder:7b")
        for key in ("enter", "escape", "n", "q"):
            await pilot.press("U")
            await sees(pilot, "Unload qwen2.5-coder:7b from box1?")
            await pilot.press(key)
            await sees(pilot, "unload cancelled")
            assert engine.operated == []


async def test_y_unloads_an_idle_model() -> None:
    """The explicit key confirms."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await sees(pilot, "MODEL")
        await at(pilot, "box1/qwen2.5-coder:7b")
        await pilot.press("U", "y")
        await sees(pilot, "accepted")
        assert engine.operated == [("unload", "qwen2.5-coder:7b", "box1")]


async def test_a_busy_model_is_unloaded_only_by_its_name() -> None:
    """With calls in flight nothing but the typed name confirms."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await sees(pilot, "MODEL")
        await at(pilot, "box1/llama3.2:3b")
        for typed in ("", "y", "llama"):
            await pilot.press("U")
            await sees(pilot, "3 in flight")
            await pilot.press(*typed, "enter")
            await sees(pilot, "unload cancelled")
            assert engine.operated == []
        await pilot.press("U")
        await sees(pilot, "3 in flight")
        await pilot.press(*"llama3.2:3b", "enter")
        await sees(pilot, "accepted")
        assert engine.operated == [("unload", "llama3.2:3b", "box1")]
        assert engine.drains == [60.0]


async def test_rows_moving_under_the_cursor_do_not_move_the_target() -> None:
    """The wrong-row test: rows are put in above the selection, and U still names the chosen model."""
    engine = ConsoleEngine()
    snapshot = engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await sees(pilot, "MODEL")
        await at(pilot, "box1/qwen2.5-coder:7b")
        engine.push(reordered(snapshot, 5))
        await sees(pilot, "aaa-4")
        assert any(row.startswith("▌") and "qwen2.5-coder" in row for row in shown(app))
        await pilot.press("U")
        await sees(pilot, "Unload qwen2.5-coder:7b from box1?")
        engine.push(reordered(snapshot, 9))
        await pilot.press("y")
        await until(pilot, lambda: engine.operated == [("unload", "qwen2.5-coder:7b", "box1")])


async def test_a_selection_that_vanishes_selects_nothing() -> None:
    """When the chosen model is gone, no key can reach the row that took its place."""
    engine = ConsoleEngine()
    snapshot = engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await sees(pilot, "MODEL")
        await at(pilot, "box1/qwen2.5-coder:7b")
        left = tuple(view for view in snapshot.models if view.id != "box1/qwen2.5-coder:7b")
        engine.push(msgspec.structs.replace(snapshot, models=left))
        await sees(pilot, "box1/qwen2.5-coder:7b is gone: nothing is selected")
        await pilot.press("U")
        await sees(pilot, "unload: no model selected")
        assert engine.operated == []


async def test_a_risk_that_rises_while_asked_is_asked_again() -> None:
    """An idle model that becomes busy under the open dialog wants its name typed."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await sees(pilot, "MODEL")
        await at(pilot, "box1/qwen2.5-coder:7b")
        await pilot.press("U")
        await sees(pilot, "nothing in flight")
        engine.world.busy["box1/qwen2.5-coder:7b"] = 2
        engine.tick()
        await sees(pilot, "2 in flight")
        await pilot.press("enter")
        await sees(pilot, "unload cancelled")
        assert engine.operated == []


async def test_a_refusal_is_checked_against_the_newest_state() -> None:
    """A key pressed between a change and its snapshot asks the engine before it says no."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await sees(pilot, "MODEL")
        await at(pilot, "box1/qwen2.5-coder:7b")
        await pilot.press("L")
        await sees(pilot, "already ready on box1")
        engine.world.residency["box1/qwen2.5-coder:7b"] = "absent"
        await pilot.press("L")
        await sees(pilot, "Load qwen2.5-coder:7b on box1?")


async def test_an_engine_that_refuses_is_quoted() -> None:
    """What the engine answers stands where the verdict would, and there is no way to say yes."""
    engine = ConsoleEngine()
    engine.tick()
    engine.refusal = "not enough memory: needs 7.1G, 2.0G free"
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await sees(pilot, "MODEL")
        await pilot.press(*":load mistral-nemo:12b", "enter")
        await sees(pilot, "Load mistral-nemo:12b on box1?")
        await sees(pilot, "✕ not enough memory: needs 7.1G")
        await pilot.press("y", "enter")
        await sees(pilot, "load cancelled")
        assert engine.operated == []


async def test_old_data_is_renewed_before_anything_can_be_said_yes_to() -> None:
    """The box says how old the data is and asks the engine first; while that does not answer only no can be said."""
    engine, clock = ConsoleEngine(), Hand()
    engine.tick()
    app = console(engine, clock=clock)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await sees(pilot, "MODEL")
        await at(pilot, "box1/qwen2.5-coder:7b")
        clock.at += 9
        engine.refusal = "the engine is silent"
        await pilot.press("U")
        await sees(pilot, "data       9s old: asking the engine first …")
        await sees(pilot, "unload: the engine is silent; nothing was sent")
        await pilot.press("y", "enter")
        await sees(pilot, "unload cancelled")
        engine.refusal = None
        engine.world.busy["box1/qwen2.5-coder:7b"] = 2
        await pilot.press("U")
        await sees(pilot, "2 in flight")
        await until(pilot, lambda: "asking the engine first" not in text(app))
        assert engine.operated == []


async def test_nothing_is_sent_while_the_engine_is_lost() -> None:
    """A mutating key explains itself instead, and nothing is asked."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await sees(pilot, "MODEL")
        engine.push(Lost(3, 5.0, "the engine closed the connection"))
        await sees(pilot, "lost: reconnecting in")
        await pilot.press("U")
        await sees(pilot, "unload: not connected to the engine (lost); nothing was sent")
        assert (engine.operated, engine.fetched) == ([], 0)


async def test_the_filter_works_while_it_is_typed_and_escape_clears_it() -> None:
    """Rows narrow at once, the filter is shown in the title, and escape brings all back."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await sees(pilot, "10/10")
        await pilot.press(*"/llama !box2")
        await sees(pilot, "filter: llama !box2  2/10")
        await pilot.press("enter")
        await sees(pilot, "enter details")
        await pilot.press("escape")
        await sees(pilot, "10/10")
        await pilot.press(*"/[red]xy")
        await sees(pilot, "filter: [red]xy  0/10")


async def test_hostile_names_are_shown_and_their_real_names_are_sent() -> None:
    """Escapes, bidi and markup in a model's name reach neither the terminal nor the identity."""
    evil = "x\x1b]0;owned\x07[red]\u202egnp[/]"
    engine = ConsoleEngine()
    snapshot = engine.world.snapshot()
    view = msgspec.structs.replace(snapshot.models[2], id=f"box1/{evil}", model=evil, progress="")
    engine.world.operate = lambda *_: "x"
    engine.push(msgspec.structs.replace(snapshot, models=(view,), notices=("\x1b[2Jnotice [/]",)))
    app = console(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "␛[2Jnotice [/]")
        await pilot.press("2")
        await sees(pilot, "x␛]0;owned")
        await pilot.press("U")
        await sees(pilot, "[red]\\u202egnp[/]")
        painted = text(app)
        assert not any(char in painted for char in "\x1b\x07\u202e")
        await pilot.press("y")
        await until(pilot, lambda: engine.operated == [("unload", evil, "box1")])


async def test_details_follow_the_selected_model() -> None:
    """Enter opens everything known of it; it updates while open and closes with q."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await sees(pilot, "MODEL")
        await at(pilot, "box2/nomic-embed-text")
        await pilot.press("enter")
        await sees(pilot, "last calls")
        await sees(pilot, "5 timeouts in 30 s")
        await pilot.press("q")
        await sees(pilot, "MODEL")
