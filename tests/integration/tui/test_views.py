"""Every view at every size: complete, within its width, and every key that is shown does something."""

from collections.abc import Iterable
from functools import partial
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from orchestra_core.domain.snapshot import Throughput
from orchestra_tui.app import Orchestra
from orchestra_tui.present.actions.table import footer as footer_of
from orchestra_tui.present.actions.views import BY_NAME
from orchestra_tui.present.spans import line
from orchestra_tui.terminal import Terminal
from orchestra_tui.widgets.lines import Lines
from orchestra_tui.widgets.prompts import PromptArea
from orchestra_tui.widgets.rail import Rail
from tests.fakes.console_engine import ConsoleEngine, Hand, console, sees, shown, text, until
from tests.fakes.fake_engine import World

SIZES = [(60, 18), (80, 24), (120, 40), (200, 60)]
WORDS = {
    "overview": ("Backends and breakers", "Memory", "Problems", "Events", "req/s", "lab", "down", "critical"),
    "models": ("MODEL", "STATE", "BACKEND", "RUN", "mistral-nemo", "unloaded", "loading", "tripped"),
    "backends": ("Backends", "Breakers", "BREAKER", "box2/nomic-em", "open", "closed"),
    "alerts": ("SEVERITY", "memory:host", "critical", "firing", "easing", "silenced", "pending", "over"),
    "cost": ("MODEL", "REQS", "COST", "P95", "gpt-5-mini", "Usage by model"),
    "throughput": ("5m", "24h", "p50", "By model, 5m", "llama3.2:3b", "FAIL%"),
    "playground": ("Answers", "Prompt", "auto"),
    "requests": ("STATE", "MODEL", "TOTAL", "streaming", "queued #2", "failed", "cached", "3 running"),
    "events": ("RESULT", "WHO", "WHAT", "engine", "owner", "breaker.open", "cancel"),
}


def _shows(app: Orchestra, view: str, words: Iterable[str]) -> bool:
    painted = text(app)
    return app.screen.id == view and all(word in painted for word in words)


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_views_are_complete_at_every_size(size: tuple[int, int]) -> None:
    """Header, label, tabs, the view's own words and the footer are painted within the terminal."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=size) as pilot:
        await sees(pilot, "live 1s")
        for view, words in WORDS.items():
            await pilot.press("escape", BY_NAME[view].digit)
            await until(pilot, partial(_shows, app, view, words))
            rows = shown(app)
            assert len(rows) == size[1]
            assert all(len(row) <= size[0] for row in rows)
            assert "SIMULATED" in rows[0]
            assert "quit" in rows[-1]
    assert {*WORDS} == {*BY_NAME}


def state(app: Orchestra, engine: ConsoleEngine) -> tuple[Any, ...]:
    return (
        text(app), app.focused, app.screen, app.message, app.clipboard, app.is_running, app.current_mode,
        engine.fetched, app.theme,
    )  # fmt: skip


KEYS = {"/": "slash", ":": "colon", "?": "question_mark", "esc": "escape"}
PLACES = [*((view, "view") for view in BY_NAME), ("playground", "prompt")]


@pytest.mark.parametrize(("view", "place"), PLACES, ids=str)
async def test_every_key_in_the_footer_does_something(view: str, place: str) -> None:
    """Pressing any shown key changes what is seen, focused, copied or said."""
    engine = ConsoleEngine()
    engine.held = 20
    app = console(engine)
    # Wide, so that every key has its place; each look at more rows costs more.
    async with app.run_test(size=(200, 24)) as pilot:
        engine.tick()
        await sees(pilot, "live 1s")
        footer = [each for each in footer_of(view, place) if not each.id.startswith("quit")]
        for action in (*footer, *(each for each in footer_of(view, place) if each not in footer)):
            await ready(pilot, view, place)
            key = action.shown.split()[0]
            assert f"{key} {action.label}" in shown(app)[-1]
            before = state(app, engine)
            await pilot.press(KEYS.get(key, key))
            await until(pilot, lambda: state(app, engine) != before)  # noqa: B023 - awaited in this turn


async def ready(pilot: Pilot[Any], view: str, place: str) -> None:
    """The bare view with data, and in the playground with an answer under way."""
    app = pilot.app
    assert isinstance(app, Orchestra)
    while len(app.screen_stack) > 1:
        await pilot.press("escape")
        await pilot.pause()
    app.action_view(view)
    await until(pilot, lambda: app.screen.id == view and "quit" in (shown(app) or [""])[-1])
    if view == "playground":
        prompt = app.screen.query_one(PromptArea)
        prompt.focus()
        if "running" not in text(app):
            prompt.text = "hi"
            await pilot.press("enter")
            await sees(pilot, "running")
        prompt.text = "and"
        if place == "view":
            app.screen.query_one("#answers").focus()
        await sees(pilot, "enter write" if place == "view" else "enter send")
    elif isinstance(app.focused, Input):
        await pilot.press("escape")


async def test_a_terminal_too_small_says_so_and_can_still_be_left() -> None:
    """Both sizes are named where they fit, nothing breaks at any size, and q quits."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await sees(pilot, "live 1s")
        for size in ((59, 18), (60, 17), (50, 12), (20, 5), (10, 3), (1, 1), (40, 8)):
            await pilot.resize_terminal(*size)
            if size[0] >= 30:
                await sees(pilot, f"needs 60x18, have {size[0]}x{size[1]}")
        await pilot.press("q")
        await until(pilot, lambda: app._exit)


async def test_resizing_back_and_forth_keeps_everything() -> None:
    """From wide to tiny and back nothing is lost."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(200, 60)) as pilot:
        await sees(pilot, "live 1s")
        for size in ((80, 24), (40, 10), (120, 40), (60, 18), (200, 60)):
            await pilot.resize_terminal(*size)
            await sees(pilot, "needs 60x18" if size[0] < 60 else "Backends and breakers")
        await sees(pilot, "first token p50")


@pytest.mark.parametrize("size", [(100, 30), (80, 24)])
async def test_an_ascii_terminal_gets_ascii_only(size: tuple[int, int]) -> None:
    """With a locale that is not UTF-8 no view paints anything else."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine, terminal=Terminal(ascii=True))
    async with app.run_test(size=size) as pilot:
        for view in BY_NAME:
            await pilot.press("escape", BY_NAME[view].digit)
            await sees(pilot, "live 1s")
            assert [row for row in shown(app) if not row.isascii()] == []


async def test_without_a_backend_the_overview_says_what_to_do() -> None:
    """The notice of the engine stands above everything else."""
    engine = ConsoleEngine(World(empty=True))
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await sees(pilot, "No backend is configured")
        assert "No backend" in shown(app)[2]


async def test_an_idle_engine_has_a_plot_with_its_scale() -> None:
    """With no request yet the axes are there and say what they are."""
    engine = ConsoleEngine()
    quiet = msgspec.structs.replace(engine.world.snapshot(), throughput=Throughput())
    engine.push(quiet)
    app = console(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "0.5┤")
        await sees(pilot, "-30s")


async def test_pause_holds_the_display_and_the_header_stays_live() -> None:
    """While paused the data stands still; p brings the newest."""
    engine = ConsoleEngine()
    engine.tick()
    clock = Hand()
    app = console(engine, clock=clock)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await sees(pilot, "  63%, 5.7 of 9.0G")
        await pilot.press("p")
        engine.tick(30)
        await sees(pilot, "PAUSED")
        await pilot.pause()
        assert "  63%, 5.7 of 9.0G" in text(app)
        await pilot.press("p")
        await until(pilot, lambda: "  63%, 5.7 of 9.0G" not in text(app))


async def test_plus_and_minus_change_the_interval() -> None:
    """The stream is asked for again with the new interval, which the header shows."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await sees(pilot, "live 1s")
        await pilot.press("minus")
        await sees(pilot, "live 2s")
        await until(pilot, lambda: engine.intervals == [1.0, 2.0])
        await pilot.press("plus", "plus", "plus")
        await sees(pilot, "0.5 s is the shortest interval")


async def test_the_command_line_goes_anywhere() -> None:
    """Commands typed at once are not read as keys; mistakes are explained; history comes back."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await sees(pilot, "live 1s")
        await pilot.press(*":mo", "enter")
        await sees(pilot, "MODEL")
        await pilot.press(*":nope", "enter")
        await sees(pilot, "unknown command")
        await pilot.press("colon", "up", "up", "enter")
        await sees(pilot, "MODEL")
        await pilot.press(*":pla", "tab", "enter")
        await sees(pilot, "Prompt")


async def test_zoom_fills_the_view_with_one_pane() -> None:
    """z shows the focused pane alone, escape brings the others back."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await sees(pilot, "Problems")
        await pilot.press("z")
        await until(pilot, lambda: "Problems" not in text(app).replace("problems", ""))
        await sees(pilot, "closed  ▪")
        await pilot.press("escape")
        await sees(pilot, "Problems")


async def test_only_changed_lines_are_painted_again() -> None:
    """An update that changes one line of a pane renders that one line."""

    class Counted(Lines):
        painted: list[int]

        def render_line(self, y: int):
            self.painted.append(y)
            return super().render_line(y)

    engine = ConsoleEngine()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        pane = Counted()
        pane.painted = []
        await app.screen.mount(pane)
        pane.styles.height = 6
        pane.show_lines([line(f"row {index}") for index in range(6)])
        await pilot.pause()
        rows = list(pane.lines)
        pane.painted.clear()
        pane.show_lines([*rows[:3], rows[0], *rows[4:]])
        await pilot.pause()
        assert set(pane.painted) == {3}


class Measured(Orchestra):
    """Counts the characters that every update would send to the terminal."""

    sent = 0

    def _display(self, screen: Any, renderable: Any) -> None:
        if hasattr(renderable, "render_segments"):
            self.sent += len(renderable.render_segments(self.console))
        super()._display(screen, renderable)


async def test_an_update_without_news_sends_next_to_nothing() -> None:
    """The same state again repaints no pane: less than a hundredth of the screen for five updates."""
    engine = ConsoleEngine()
    snapshot = engine.tick()
    app = Measured(engine, now=Hand())
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "live 1s")
        for view, words in WORDS.items():
            await pilot.press("escape", BY_NAME[view].digit)
            await until(pilot, lambda view=view: app.screen.id == view)  # type: ignore[misc]  # bound by its default
            await sees(pilot, words[0])
            await pilot.pause(0.2)
            engine.push(snapshot)
            await pilot.pause(0.2)
            app.sent = 0
            for _ in range(5):
                engine.push(snapshot)
                await pilot.pause(0.05)
            assert app.sent < 500, view


async def test_a_rail_that_has_no_panes_yet_breaks_nothing() -> None:
    """A view that is opened as the terminal becomes wide is drawn before its rail is whole."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "live 1s")
        rail = Rail()
        app.screen.query_one("#main").mount(rail)
        rail.give_room(app.fresh().snapshot)
        await until(pilot, lambda: len(rail.children) == 3)
        rail.give_room(app.fresh().snapshot)
        assert rail.query_one("#rail-alerts").styles.height is not None
