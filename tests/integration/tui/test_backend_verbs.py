"""Acting on backends and breakers by key and by command: the right one, and only when meant."""

from typing import Any

import msgspec
from textual.color import Color
from textual.pilot import Pilot

from orchestra_core.domain.snapshot import EnvironmentView, Snapshot
from orchestra_tui.screens.tabled import TableScreen
from tests.fakes.console_engine import ConsoleEngine, console, sees, shown, text, until

LLAMA, TRIPPED = "box1/llama3.2:3b", "box2/nomic-embed-text"
PROD = EnvironmentView("prod-a", "red")


async def at(pilot: Pilot[Any], identity: str) -> None:
    """Puts the selection on a row by moving to it."""
    screen = pilot.app.screen
    assert isinstance(screen, TableScreen)
    await pilot.press("g")
    while screen.table.selected != identity:
        before = screen.table.selected
        await pilot.press("j")
        assert screen.table.selected != before


def paths(engine: ConsoleEngine) -> list[str]:
    return [path for path, _ in engine.posted]


def started(**more: Any) -> tuple[ConsoleEngine, Snapshot]:
    """An engine that has told of the world, with these fields of the snapshot."""
    engine = ConsoleEngine()
    first = msgspec.structs.replace(engine.world.snapshot(), **more)
    engine.push(first)
    return engine, first


async def test_d_offers_two_entries_and_asks() -> None:
    """Never a toggle; the box names backend and environment, what runs there, and wants the name where models go."""
    engine, _ = started(environment=PROD)
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3")
        await sees(pilot, "BREAKER")
        assert " prod-a " in shown(app)[0]
        frame = app.screen.query_one("#backends-pane").styles.border_top[1]
        assert frame == Color.parse(app.theme_variables["background"]).blend(
            Color.parse(app.theme_variables["error"]), 0.5
        )
        await at(pilot, LLAMA)
        await pilot.press("D")
        await sees(pilot, "Drain or resume box1")
        assert "box1 is not drained" in text(app)
        await pilot.press("enter")
        for words in ("Drain box1?", "prod-a", "3 in flight: they finish there", "falls back to box2"):
            await sees(pilot, words)
        await pilot.press("enter")
        await sees(pilot, "drain cancelled")
        assert engine.posted == []
        await pilot.press("D", "enter")
        await sees(pilot, "Type box1 and Enter")
        await pilot.press(*"box1", "enter")
        await sees(pilot, "box1 gets no new requests")
        assert paths(engine) == ["/api/v1/backends/box1/drain"]


async def test_b_forces_open_for_a_time() -> None:
    """The last healthy endpoint of its model wants the model's name; escape in the menu does nothing, and a word that
    no choice has is said to have none."""
    engine, _ = started()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3")
        await sees(pilot, "BREAKER")
        await at(pilot, "box1/qwen2.5-coder:7b")
        await pilot.press("B")
        await sees(pilot, "Breaker of box1/qwen2.5-coder:7b")
        await pilot.press(*"zz")
        await sees(pilot, "nothing matches")
        await pilot.press("escape")
        await sees(pilot, "breaker cancelled")
        await pilot.press("B")
        await sees(pilot, "Breaker of box1")
        await pilot.press(*"15", "enter")
        await sees(pilot, "open for 15 min?")
        await pilot.press("y", "enter")
        await sees(pilot, "trip cancelled")
        assert engine.posted == []
        await pilot.press("B")
        await sees(pilot, "Breaker of box1")
        await pilot.press(*"15", "enter")
        await sees(pilot, "open for 15 min?")
        await pilot.press(*"qwen2.5-coder:7b", "enter")
        await sees(pilot, "is open for 15 min")
        assert engine.posted == [("/api/v1/breakers/box1%2Fqwen2.5-coder%3A7b/trip", {"seconds": 900})]


async def test_a_probe_says_what_it_found() -> None:
    """At once, without a box: nothing is lost by it."""
    engine, _ = started()
    path = "/api/v1/breakers/box2%2Fnomic-embed-text/probe"
    engine.answers[path] = {"endpoint": TRIPPED, "ok": True, "seconds": 0.2, "breaker": {"state": "closed"}}
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3")
        await sees(pilot, "BREAKER")
        await at(pilot, TRIPPED)
        await pilot.press("B", *"probe", "enter")
        await sees(pilot, "answered in 0.20 s; its breaker is closed")
        assert paths(engine) == [path]


async def test_rows_that_are_sorted_under_the_cursor_do_not_move_the_target() -> None:
    """The wrong-row test: another breaker opens and comes first, and what was chosen is what is named and done."""
    engine, first = started()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3")
        await sees(pilot, "BREAKER")
        await at(pilot, LLAMA)
        before = next(place for place, row in enumerate(shown(app)) if LLAMA in row)
        opened = tuple(
            msgspec.structs.replace(view, state="open") if view.endpoint != LLAMA else view
            for view in reversed(first.breakers)
        )
        engine.push(msgspec.structs.replace(first, breakers=opened))
        await until(pilot, lambda: next(p for p, row in enumerate(shown(app)) if LLAMA in row) != before)
        await pilot.press("B")
        await sees(pilot, f"Breaker of {LLAMA}")
        engine.push(msgspec.structs.replace(first, breakers=tuple(reversed(opened))))
        await pilot.press(*"5 min", "enter")
        await sees(pilot, f"Force the breaker of {LLAMA} open for 5 min?")
        engine.push(first)
        await pilot.pause()
        await pilot.press("y")
        await until(pilot, lambda: paths(engine) == ["/api/v1/breakers/box1%2Fllama3.2%3A3b/trip"])


async def test_what_is_marked_is_done_together() -> None:
    """One question and one line of results; a backend of two marked endpoints is restarted once."""
    engine, _ = started()
    app = console(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("3")
        await sees(pilot, "BREAKER")
        for each in ("gpu-a/llama-3.3-70b-instruct-fp8", "local/gemma3-270m-q4-k-m"):
            await at(pilot, each)
            await pilot.press("space")
        await pilot.press("R")
        await sees(pilot, "Restart local?")
        await sees(pilot, "gpu-a (vllm at")
        await pilot.press("y")
        await sees(pilot, "are restarting")
        assert paths(engine) == ["/api/v1/backends/local/restart"]


COMMANDS = (
    ("drain box2", "Drain box2?", "box2\n", "backends/box2/drain"),
    ("restart local", "Restart local?", "y", "backends/local/restart"),
    (f"trip {LLAMA} 10", "open for 10 min?", "y", "breakers/box1%2Fllama3.2%3A3b/trip"),
    (f"reset {TRIPPED}", "Close the breaker of", "y", "breakers/box2%2Fnomic-embed-text/reset"),
    ("pause-intake", "Refuse all new requests?", "pause\n", "intake/pause"),
)


async def test_commands_go_the_same_way() -> None:
    """They are asked about like keys."""
    engine, _ = started()
    app = console(engine)
    done: list[str] = []
    async with app.run_test(size=(80, 24)) as pilot:
        await sees(pilot, "live")
        for command, question, answer, path in COMMANDS:
            await pilot.press(*f":{command}", "enter")
            await sees(pilot, question)
            await pilot.press(*answer.strip(), *(["enter"] if answer.endswith("\n") else []))
            done.append(f"/api/v1/{path}")
            await until(pilot, lambda: paths(engine) == done)


async def test_a_key_that_can_do_nothing_says_why() -> None:
    """With nothing selected, and for what is not ours."""
    engine, first = started()
    engine.push(msgspec.structs.replace(first, breakers=()))
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3")
        await sees(pilot, "Breakers  0")
        for key, words in (
            ("D", "drain: no endpoint selected"),
            ("B", "breaker: no endpoint selected"),
            ("R", "restart: no backend selected"),
        ):
            await pilot.press(key)
            await sees(pilot, words)
        await pilot.press("2")
        await sees(pilot, "MODEL")
        await at(pilot, LLAMA)
        await pilot.press("R")
        await sees(pilot, "restart: box1 (ollama at")
        assert engine.posted == []
