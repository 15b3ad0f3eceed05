"""The Requests view: a live log that is followed, filtered, explained and copied."""

import pytest

from orchestra_core.domain.events import Event
from orchestra_tui.terminal import Terminal
from tests.fakes.console_engine import ConsoleEngine, console, sees, shown, text, until
from tests.fakes.request_log import ENDED, LIVE, RETRIED, ended, report, running
from tests.fakes.requests_console import Scene, scene

SIZES = [(80, 24), (120, 40), (200, 60)]
STREAMING, QUEUED, LOADING = (view.id for view in LIVE)


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_the_log_is_complete_at_every_size(size: tuple[int, int]) -> None:
    """What runs on top, what ended below; paused and stale it stays, and the engine is left alone."""
    async with scene(size) as now:
        await now.sees("cached")
        asked = len(now.pages)
        now.clock.at += 10
        await now.sees("stale")
        assert "queued" in complete(now)
        await now.pilot.press("p")
        await now.sees("PAUSED")
        now.engine.requests.end(QUEUED)
        newest = now.engine.tick()
        await until(now.pilot, lambda: now.app.fresh().snapshot == newest)
        assert "queued" in complete(now)
        assert len(now.pages) == asked
        await now.pilot.press("p")
        now.clock.at += 1
        now.engine.tick()
        await until(now.pilot, lambda: "queued" not in text(now.app))
        complete(now)
        assert len(now.pages) > asked


def complete(now: Scene) -> str:
    """What is seen: every state, in order, and nothing too wide."""
    seen = text(now.app)
    places = [seen.index(words) for words in ("streaming", "success", "failed")]
    assert places == sorted(places)
    assert "loading #1" in seen
    assert all(len(row) <= now.app.size.width for row in shown(now.app))
    return seen


async def test_nobody_is_asked_while_another_view_is_seen_or_more_than_once_a_second() -> None:
    """Coming back asks at once, if the last time is a second ago."""
    async with scene() as now:
        await now.sees("cached")
        asked = len(now.pages)
        for _ in range(5):
            now.engine.tick()
            await now.pilot.pause()
        assert len(now.pages) == asked
        await now.pilot.press("1")
        await now.sees("Backends and breakers")
        for _ in range(3):
            now.clock.at += 1
            now.engine.tick()
            await now.pilot.pause()
        assert len(now.pages) == asked
        await now.pilot.press("5")
        await until(now.pilot, lambda: len(now.pages) == asked + 1)


async def test_while_it_follows_nothing_is_selected_and_the_newest_is_on_top() -> None:
    """A key that acts finds nothing to act on, and says how to choose; `f` follows again."""
    async with scene() as now:
        await now.sees("following")
        now.engine.requests.live = []
        now.engine.requests.rows.append(ended(3001, model="newest-model"))
        await now.go_on()
        await now.sees("newest-model")
        assert "newest-model" in shown(now.app)[4]
        await now.pilot.press("X")
        await now.sees("cancel: no request selected")
        assert now.screen.table.selected is None
        await now.pilot.press("j")
        assert now.screen.table.selected == ended(3001).id
        await now.sees("holding")
        await now.pilot.press("G", "f")
        await now.sees("following the newest")
        assert now.screen.table.selected is None
        await now.pilot.press("j")
        assert now.screen.table.selected == ended(3001).id
        await now.pilot.press("f", "enter")
        await now.sees(f"Requests › {ended(3001).id}")


async def test_new_rows_do_not_move_what_is_looked_at() -> None:
    """The selected row stays the same object at the same place of the screen while others come above it."""
    rows = [ended(number) for number in range(1000, 1090)]
    async with scene(rows=rows, live=[]) as now:
        await now.sees("following")
        await now.pilot.press(*"jjjjjjj")
        chosen = now.screen.table.selected
        place = next(at for at, row in enumerate(shown(now.app)) if "▌" in row)
        now.engine.requests.rows = [*rows, *(ended(number) for number in range(2000, 2030))]
        await now.go_on()
        await now.sees("120/120")
        assert now.screen.table.selected == chosen
        assert next(at for at, row in enumerate(shown(now.app)) if "▌" in row) == place
        await now.sees("30 above")


async def test_a_filter_narrows_the_whole_window_and_stays() -> None:
    """By field and by word; the engine is asked for the whole window then; enter and escape keep the filter."""
    rows = [ended(number, status=200) for number in range(300)]
    rows[3] = ended(3, verdict="failed", status=503, error="queue is full")
    async with scene(rows=rows) as now:
        await now.sees("following")
        assert "503" not in text(now.app)
        await now.pilot.press("slash", *"status:5", "enter")
        await until(now.pilot, lambda: len(now.screen.table.keys) == 1)
        assert now.pages[-1]["limit"] == "500"
        assert "filter: status:5" in text(now.app)
        await now.pilot.press("j", "enter")
        await now.sees("queue is full")
        await now.pilot.press("escape")
        await now.sees("filter: status:5")
        await now.pilot.press("escape")
        await until(now.pilot, lambda: "filter:" not in text(now.app))


async def test_a_filter_can_be_given_with_the_name_of_the_view() -> None:
    """`:req status:5` from anywhere."""
    async with scene() as now:
        await now.pilot.press("1", "colon", *"req status:5", "enter")
        await now.sees("filter: status:5")
        await until(now.pilot, lambda: now.screen.table.keys == (ENDED[0].id,))


async def test_problems_are_looked_for_by_the_engine() -> None:
    """The last ones that failed, however long ago; and all rows again."""
    rows = [ended(1, verdict="failed", status=502), *(ended(number) for number in range(100, 400))]
    async with scene(rows=rows, live=[]) as now:
        await now.sees("following")
        assert ended(1).id not in now.screen.table.keys
        await now.pilot.press("e")
        await until(now.pilot, lambda: now.screen.table.keys == (ended(1).id,))
        assert now.pages[-1]["failed"] == "true"
        await now.pilot.press("e")
        await until(now.pilot, lambda: len(now.screen.table.keys) == 100)


async def test_the_end_of_the_list_brings_older_rows_until_the_window_is_full() -> None:
    """Page by page with the engine's cursor; then it says how to go on elsewhere."""
    rows = [ended(number) for number in range(700)]
    async with scene(rows=rows, live=[]) as now:
        await until(now.pilot, lambda: len(now.screen.table.keys) == 100)
        for size in (200, 300, 400, 500):
            await now.pilot.press("G")
            await until(now.pilot, lambda size=size: len(now.screen.table.keys) == size)
        await now.pilot.press("G")
        await now.sees("older ones: ai-orchestra requests --cursor")
        assert len(now.screen.table.keys) == 500


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_enter_explains_one_with_its_timeline_and_its_decision(size: tuple[int, int]) -> None:
    """Attempts in proportion, every term, and what would have changed it."""
    async with scene(size) as now:
        await now.sees("cached")
        await now.select(RETRIED.request.id)
        await now.pilot.press("enter")
        for words in ("timeline", "attempt 1", "gpu-a/llama3.2:3b: unreachable", "attempt 3", "█"):
            await now.sees(words)
        await now.pilot.press("G")
        await now.sees("1.2 s instead of 3.4 s would have been fast enough")
        assert all(len(row) <= size[0] for row in shown(now.app))
        await now.pilot.press("escape")
        assert now.screen.table.selected == RETRIED.request.id


async def test_one_that_ends_while_it_is_looked_at_is_explained_then() -> None:
    """The sheet goes on from what runs to what became of it."""
    async with scene() as now:
        await now.sees("cached")
        await now.select(STREAMING)
        await now.pilot.press("enter")
        await now.sees("once it has ended")
        now.engine.requests.end(STREAMING)
        await now.go_on()
        await now.sees("decision")
        await now.pilot.press("G")
        await now.sees("fast enough")


async def test_beside_the_table_a_wide_terminal_explains_what_is_rested_on() -> None:
    """The list, the timeline and the decision at once."""
    async with scene((200, 60)) as now:
        await now.sees("cached")
        await now.select(RETRIED.request.id)
        await now.sees("no first token within")
        await now.sees("against box2/llama3.2:3b")


async def test_what_the_engine_refuses_is_said_and_what_was_shown_stays() -> None:
    """In its words; gone with the next answer."""
    async with scene() as now:
        await now.sees("cached")
        now.engine.refusals["/api/v1/requests"] = "the ledger cannot be read now"
        await now.go_on()
        await now.sees("! the ledger cannot be read now")
        assert "cached" in text(now.app)
        now.engine.refusals.clear()
        await now.go_on()
        await until(now.pilot, lambda: "cannot be read" not in text(now.app))


async def test_hostile_texts_reach_the_terminal_as_text() -> None:
    """Names, errors and prompts with control sequences, markup and right-to-left marks, a megabyte long."""
    bad = "evil\x1b[31m\x07[bold]x[/]\u202e" + "y" * 1_000_000
    row = ended(2000, model=bad, backend=bad, key=bad, error=bad, verdict="failed", task=bad)
    view = running(2600, model=bad, backend=bad, key=bad, key_name=bad, endpoints=(bad,), note=bad)
    async with scene((120, 40), rows=[row], live=[view]) as now:
        await now.sees("failed")
        now.engine.requests.reports[row.id] = report(row, prompt=bad, answer=bad)
        await now.select(row.id)
        await now.pilot.press("enter")
        await now.sees("[bold]x[/]")
        for key in ("G", "g"):
            await now.pilot.press(key)
            said = text(now.app)
            assert not any(ord(char) < 32 or char in "\u202e\x7f" for char in said if char != "\n")
        assert "y" * 50 in said


async def test_an_event_about_a_request_leads_to_it() -> None:
    """From the Events view, also where the window does not have it any more."""
    old = ended(1)
    async with scene(rows=[old, *(ended(number) for number in range(100, 300))]) as now:
        await now.sees("following")
        event = Event("2026-03-02T13:30:00.000Z", "request.failed", old.id, "box1: failed", "error")
        now.engine.push(event)
        now.clock.at += 1
        now.engine.tick()
        await now.pilot.press("9")
        await now.sees("request.failed")
        await now.pilot.press("j", "enter")
        await now.sees("timeline")
        assert old.id in text(now.app)


async def test_a_request_is_copied_as_the_command_that_explains_it() -> None:
    """Its id first; what runs has nothing to explain yet."""
    async with scene((120, 40)) as now:
        await now.sees("cached")
        await now.select(RETRIED.request.id)
        await now.pilot.press("y", "e")
        await until(now.pilot, lambda: now.app.clipboard == f"ai-orchestra explain {RETRIED.request.id}")
        await now.pilot.press("Y")
        await until(now.pilot, lambda: now.app.clipboard == RETRIED.request.id)
        await now.pilot.press("y", "c")
        await until(now.pilot, lambda: f"/api/v1/requests/{RETRIED.request.id}" in now.app.clipboard)


async def test_what_cannot_tell_what_runs_shows_what_has_ended() -> None:
    """An incident's file, and an engine of an earlier version."""
    async with scene() as now:
        await now.sees("3 running")
        now.engine.requests.tells_running = False
        await now.go_on()
        await until(now.pilot, lambda: "running" not in text(now.app))
        assert "cached" in text(now.app)
        assert "!" not in now.row("Requests  ")


async def test_without_colours_beyond_ascii_everything_is_there() -> None:
    """For a terminal whose locale is not UTF-8, the explanation too."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine, terminal=Terminal(ascii=True))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("5")
        await sees(pilot, "x failed")
        await pilot.press("G", "enter")
        await sees(pilot, "timeline ---")
        assert text(app).isascii()
