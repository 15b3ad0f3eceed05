"""The Events view: what the engine did and what operators did in one order, with the way to the object."""

from functools import partial
from typing import Any

import pytest
from textual.pilot import Pilot

from orchestra_core.domain.events import Event
from orchestra_tui.app import Orchestra
from orchestra_tui.present.happenings.entry import Done
from orchestra_tui.screens.events import EventsScreen
from tests.fakes.console_engine import ConsoleEngine, Hand, console, sees, shown, text, until

SIZES = [(80, 24), (120, 40), (200, 60)]
AUDIT = "/api/v1/audit"


def opened(engine: ConsoleEngine) -> tuple[Orchestra, Hand]:
    clock = Hand()
    engine.tick()
    return console(engine, clock=clock), clock


def view(pilot: Pilot[Any]) -> EventsScreen:
    screen = pilot.app.get_screen_stack("events")[0]
    assert isinstance(screen, EventsScreen)
    return screen


def event(second: int, kind: str = "model.ready", subject: str = "box1/llama3.2:3b", **more: str) -> Event:
    return Event(
        f"2026-03-02T14:00:{second:02d}.000Z",
        kind,
        subject,
        more.get("message", "said"),
        more.get("level", "info"),
    )


async def select(pilot: Pilot[Any], words: str) -> None:
    """Moves to the row with these words."""
    await pilot.press("g")
    while words not in next((row for row in shown(pilot.app) if "▌" in row), ""):
        before = view(pilot).table.selected
        await pilot.press("j")
        assert view(pilot).table.selected != before, words


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_both_are_told_in_one_order_at_every_size(size: tuple[int, int]) -> None:
    """Newest first, who, what and result; paused and stale it stays as it is."""
    engine = ConsoleEngine()
    app, clock = opened(engine)
    async with app.run_test(size=size) as pilot:
        await pilot.press("9")
        await sees(pilot, "ai-orchestra cancel")
        complete(pilot)
        clock.at += 1
        engine.push(event(1, message="a new one"))
        engine.tick()
        await sees(pilot, "a new one")
        complete(pilot)
        await pilot.press("p")
        await sees(pilot, "PAUSED")
        clock.at += 1
        engine.push(event(2, message="another"))
        newest = engine.tick()
        await until(pilot, lambda: app.fresh().snapshot.now == newest.now)
        assert "another" not in text(app)
        complete(pilot)
        await pilot.press("p")
        await sees(pilot, "another")
        clock.at += 10
        await sees(pilot, "stale")
        complete(pilot)


def complete(pilot: Pilot[Any]) -> None:
    """Newest first, nothing missing, nothing too wide."""
    stamps = [one.at for one in view(pilot).shown]
    assert stamps == sorted(stamps, reverse=True)
    assert len(stamps) == len(view(pilot).table.keys) >= 10
    for words in ("breaker.open", "engine.started", "config reload", "refused", "operator", "41 more"):
        assert words in text(pilot.app), words
    assert all(len(row) <= pilot.app.size.width for row in shown(pilot.app))


async def test_the_tabs_show_all_events_only_or_audit_only() -> None:
    """Round and round with the brackets."""
    engine = ConsoleEngine()
    app, _ = opened(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("9")
        await sees(pilot, "<all>")
        await sees(pilot, "config reload")
        await pilot.press("]")
        await sees(pilot, "<events>")
        assert "config reload" not in text(app)
        assert "breaker.open" in text(app)
        await pilot.press("j", "]")
        await sees(pilot, "<audit>")
        await sees(pilot, "is on another tab: nothing is selected")
        assert "config reload" in text(app)
        assert "breaker.open" not in text(app)
        await pilot.press("]", "[")
        await sees(pilot, "<audit>")


async def test_who_may_not_read_the_audit_log_is_told_so_and_sees_the_events() -> None:
    """It is not asked for again until the view is opened anew."""
    engine = ConsoleEngine()
    engine.refusals[AUDIT] = "this needs a key with the scope admin"
    app, clock = opened(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("9")
        await sees(pilot, "no audit: scope admin needed")
        assert "breaker.open" in text(app)
        for _ in range(5):
            clock.at += 10
            engine.tick()
            await pilot.pause()
        assert [path for path, _ in engine.read] == [AUDIT]
        await pilot.press("1", "9")
        await until(pilot, lambda: len(engine.read) == 2)


async def test_what_is_copied_first_is_the_command_that_does_it_again() -> None:
    """Of an event, which has none, its line."""
    engine = ConsoleEngine()
    app, _ = opened(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("9")
        await sees(pilot, "config reload")
        await select(pilot, "breaker trip")
        await pilot.press("Y")
        await until(pilot, lambda: "breaker trip" in app.clipboard)
        assert app.clipboard == "ai-orchestra breaker trip box2/nomic-embed-text --reason 'a test'"
        await select(pilot, "breaker.open")
        await pilot.press("Y")
        await until(pilot, lambda: "breaker.open" in app.clipboard)


OBJECTS = (
    ("model.ready", "models", "box1/qwen2.5-coder:7b"),
    ("breaker.open", "backends", "box2/nomic-embed-text"),
    ("breaker trip", "backends", "box2/nomic-embed-text"),
)


def _at(app: Orchestra, mode: str, selected: str) -> bool:
    screen: Any = app.screen
    return bool(app.current_mode == mode and screen.table.selected == selected)


async def test_enter_goes_to_the_object() -> None:
    """Of an event and of an action; a filter there that hides it gives way."""
    engine = ConsoleEngine()
    app, _ = opened(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "live 1s")
        await pilot.press("2", "slash", *"mistral", "enter")
        for words, mode, selected in OBJECTS:
            await pilot.press("9")
            await sees(pilot, "config reload")
            await select(pilot, words)
            await pilot.press("enter")
            await until(pilot, partial(_at, app, mode, selected))
            # So that the second time it has to be found again.
            await pilot.press("G")


async def test_what_has_no_view_is_told_in_full() -> None:
    """A reload: who, from where, and the answer."""
    engine = ConsoleEngine()
    app, _ = opened(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("9")
        await sees(pilot, "config reload")
        await select(pilot, "config reload")
        await pilot.press("enter")
        await sees(pilot, "POST /api/v1/reload")
        await sees(pilot, "unix:1000")
        await sees(pilot, "HTTP 200")


async def test_enter_on_the_events_of_the_overview_opens_the_view() -> None:
    """The pane leads there as the others lead to theirs."""
    engine = ConsoleEngine()
    app, _ = opened(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "live 1s")
        app.screen.query_one("#events").focus()
        await pilot.press("enter")
        await until(pilot, lambda: app.current_mode == "events")


async def test_a_filter_and_only_problems() -> None:
    """By field, with the name of the view or after `/`; `e` leaves warnings, errors and what was refused."""
    engine = ConsoleEngine()
    app, _ = opened(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("colon", *"ev who:operator", "enter")
        await sees(pilot, "filter: who:operator")
        await until(pilot, lambda: len(view(pilot).table.keys) == 1)
        await pilot.press("escape", "e")
        await sees(pilot, "problems only")
        await until(pilot, lambda: "engine.started" not in text(app))
        assert "backend.down" in text(app)
        assert "refused" in text(app)


async def test_events_come_on_top_and_move_nothing_that_is_selected() -> None:
    """Each once, however often a snapshot tells it again; those that were missed stand where they belong."""
    engine = ConsoleEngine()
    app, clock = opened(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("9")
        await sees(pilot, "config reload")
        await select(pilot, "breaker.open")
        chosen = view(pilot).table.selected
        engine.push(event(30, message="the latest"), event(30, message="the latest"))
        clock.at += 1
        engine.tick()
        await until(pilot, lambda: sum("the latest" in one.text for one in view(pilot).shown) == 1)
        assert view(pilot).table.selected == chosen
        count = len(view(pilot).table.keys)
        clock.at += 1
        engine.tick()
        await pilot.pause()
        assert len(view(pilot).table.keys) == count


async def test_the_end_of_the_list_brings_older_actions() -> None:
    """Page by page; what is new on top does not come between."""
    engine = ConsoleEngine()
    engine.requests.actions = tuple(
        Done(
            f"2026-03-02T12:{59 - at // 60:02d}:{59 - at % 60:02d}.000Z",
            f"r{at}",
            command=f"ai-orchestra verb {at}",
        )
        for at in range(450)
    )
    app, clock = opened(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("9", "[")
        await sees(pilot, "<audit>")
        for size in (200, 400, 450):
            await until(pilot, lambda size=size: len(view(pilot).table.keys) == size)
            clock.at += 10
            engine.tick()
            await pilot.press("G")
        await sees(pilot, "verb 449")
        assert len(view(pilot).table.keys) == 450


async def test_hostile_events_and_actions_are_text() -> None:
    """Control sequences, markup and a hundred thousand letters in every field that others fill."""
    bad = "x\x1b[2J[red]y[/]\u202e" + "z" * 100_000
    engine = ConsoleEngine()
    path, command = f"/api/v1/models/{bad}/load", f"ai-orchestra load {bad}"
    engine.requests.actions = (
        Done("2026-03-02T13:00:00.000Z", "r1", bad, bad, bad, "POST", path, 404, "failed", command),
    )
    app, clock = opened(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "live 1s")
        engine.push(event(1, kind=bad, subject=bad, message=bad, level=bad))
        clock.at += 1
        engine.tick()
        await pilot.press("9")
        await sees(pilot, "[red]y[/]")
        await select(pilot, "ai-orchestra load")
        await pilot.press("d")
        for row in shown(app):
            assert not any(ord(char) < 32 or char == "\u202e" for char in row)


async def test_while_it_follows_the_newest_is_told_beside() -> None:
    """All of it, without a key."""
    engine = ConsoleEngine()
    app, _ = opened(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("9")
        await sees(pilot, "following")
        engine.push(event(59, message="said in many words, the last of which are beside the table only"))
        engine.tick()
        await until(pilot, lambda: any("said in many" in row[78:] for row in shown(app)))
        assert view(pilot).table.selected is None
