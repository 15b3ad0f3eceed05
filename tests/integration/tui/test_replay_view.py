"""The console on a recording: moved through by keys and commands, and nothing in it can be changed."""

import msgspec
import pytest
from textual.pilot import Pilot

from orchestra_core.recording.reading import Recording, read
from orchestra_tui.app import Orchestra
from orchestra_tui.player import Player
from tests.fakes.console_engine import ConsoleEngine, console, sees, shown, text, until
from tests.fakes.filmed import Film, film
from tests.fakes.request_log import ended, page, report
from tests.fakes.world import World

FILM = film(60)
SIZES = ((80, 24), (120, 40), (200, 60))


def replaying(recording: Recording | None = None, *, paused: bool = True) -> tuple[Orchestra, Player]:
    """The application and what plays in it, at first held still, so that nothing depends on how quick the test is."""
    player = Player(recording or read(FILM.data), "incident.tar.gz")
    player.paused = paused
    return Orchestra(player), player


async def command(pilot: Pilot[str], line: str) -> None:
    await pilot.press("colon", *line, "enter")


@pytest.mark.parametrize("size", SIZES)
async def test_it_says_what_it_is_and_where_it_stands(size: tuple[int, int]) -> None:
    """In the header, at every size; and what can be done in the status line."""
    app, player = replaying()
    async with app.run_test(size=size) as pilot:
        await sees(pilot, "REPLAY 13:02:50 paused")
        await sees(pilot, "60 moments, 13:02:50 to 13:03:49")
        assert "live" not in shown(app)[0]
        assert player.place == 0


async def test_keys_step_and_commands_go_there() -> None:
    """A moment, thirty, a time of day; at both ends it says so."""
    app, player = replaying()
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "REPLAY 13:02:50")
        await pilot.press(*".....", ",")
        await sees(pilot, "REPLAY 13:02:54 paused")
        await pilot.press("right_curly_bracket")
        await sees(pilot, "REPLAY 13:03:24")
        await command(pilot, "goto 13:03")
        await sees(pilot, "REPLAY 13:03:00")
        await command(pilot, "goto +5")
        await sees(pilot, "REPLAY 13:03:05")
        await command(pilot, "goto 14:00")
        await sees(pilot, "the recording goes from 13:02:50 to 13:03:49")
        await command(pilot, "goto noon")
        await sees(pilot, "goto: a time of day (UTC) such as 12:03")
        await command(pilot, "goto end")
        await sees(pilot, "REPLAY 13:03:49")
        await pilot.press(".")
        await sees(pilot, "this is the end of the recording")
        assert player.place == 59


async def test_the_views_show_what_was_then() -> None:
    """Forward and back again, without a trace of what comes later."""
    app, player = replaying()
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "REPLAY 13:02:50")
        await pilot.press("2")
        await sees(pilot, "mistral-nemo:12b")
        seen = {}
        for place in (0, 5, 20, 40, 20, 0):
            player.head(place)
            await sees(pilot, f"REPLAY {FILM.shot[place].now[11:19]}")
            (line,) = [one for one in shown(app) if "mistral-nemo:12b" in one]
            assert seen.setdefault(place, line) == line
        assert "loading" in seen[5] or "unloading" in seen[5] or "ready" in seen[5]
        assert len(set(seen.values())) > 1
        assert [event.at for event in app.happened()] == sorted(event.at for event in app.happened())
        assert all(event.at <= FILM.shot[0].now for event in app.happened())


async def test_it_plays_by_itself_and_stands_still_when_told() -> None:
    """At its own pace, or faster; p stops it, and the display never takes it for a lost engine."""
    app, player = replaying(paused=False)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(*["plus"] * 5)
        await sees(pilot, "60 times as fast as it was")
        await pilot.press("plus")
        await sees(pilot, "60 is the fastest there is")
        await sees(pilot, "REPLAY 13:03:49 end")
        await pilot.press("p")
        await until(pilot, lambda: not player.over or player.paused)
        await pilot.press("minus")
        await sees(pilot, "16 times as fast")
        player.paused = True
        assert "stale" not in text(app)


async def test_nothing_can_be_changed() -> None:
    """Keys that change an engine say why they do not; a prompt is not sent."""
    app, _ = replaying()
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "REPLAY")
        await pilot.press("2", "L")
        await sees(pilot, "a recording is replayed; nothing was sent")
        await command(pilot, "unload gpt-5-mini")
        await sees(pilot, "unload: a recording is replayed")
        await pilot.press("6", "i", "h", "enter")
        await sees(pilot, "a recording is replayed: there is no engine to ask")


async def test_what_it_does_not_hold_is_said() -> None:
    """In the view that asks for it."""
    app, _ = replaying()
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "REPLAY")
        await pilot.press("8")
        await sees(pilot, "a recording is replayed: here it holds no usage")


async def test_flaws_are_said_at_the_beginning() -> None:
    """What of the file could not be read is no secret."""
    app, _ = replaying(read(film(50, ended=False).data))
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "a part ends abruptly after 50 moments")


async def test_hostile_names_are_shown_not_obeyed() -> None:
    """A recording is a file that somebody sent."""
    made = Film()
    snapshot = World().snapshot()
    strange = msgspec.structs.replace(snapshot.models[0], id="local/[red]x\x1b[2J", model="[red]x\x1b[2J")
    made.shoot(msgspec.structs.replace(snapshot, models=(strange, *snapshot.models[1:])), 6)
    app, _ = replaying(read(made.data))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("2")
        await sees(pilot, "[red]x")
        assert "\x1b" not in text(app)


async def test_a_live_display_goes_to_a_time_too() -> None:
    """goto holds it still at the moment that is meant, of those that are kept."""
    engine = ConsoleEngine()
    app = console(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        for _ in range(20):
            engine.tick()
        await until(
            pilot, lambda: app._feed.snapshot is not None and app._feed.snapshot.now.endswith("03:10.000Z")
        )
        await command(pilot, "goto 13:03:02")
        await sees(pilot, "PAUSED -0:08, 13:03:02")
        await command(pilot, "goto 12:00")
        await sees(pilot, "what is kept goes from 13:02:51 to 13:03:10")
        await pilot.press("escape")
        await until(pilot, lambda: "PAUSED" not in text(app))


async def test_an_engine_of_another_version_is_named_and_not_to_be_restarted() -> None:
    """What it told that this console does not know is not shown; nobody can mend that now."""
    made = Film()
    made.shoot(msgspec.structs.replace(World().snapshot(), version="0.6.0-then"), 6)
    app, _ = replaying(read(made.data))
    async with app.run_test(size=(200, 60)) as pilot:
        await sees(pilot, "This engine was version 0.6.0-then")
        assert "restart the engine" not in text(app)


@pytest.mark.parametrize("size", SIZES)
async def test_without_an_incident_it_says_which_requests_it_has(size: tuple[int, int]) -> None:
    """Those that failed; while there are none, where the others are."""
    app, _ = replaying()
    async with app.run_test(size=size) as pilot:
        await pilot.press("5")
        await sees(pilot, "of a recording: only those that failed")
        await sees(pilot, "none failed by then; a file of `ai-orchestra incident` has the others")


async def test_an_incident_shows_its_requests_and_why_they_went_where_they_went() -> None:
    """From what lies beside the recording; what ran at a moment is nowhere, so nothing is said of it."""
    rows = [ended(number) for number in range(1210, 1213)]
    documents = {
        "requests": msgspec.to_builtins(page(*rows)),
        "decisions": {row.id: msgspec.to_builtins(report(row)) for row in rows},
    }
    player = Player(read(FILM.data), "incident.tar.gz", documents)
    player.paused = True
    app = Orchestra(player)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("5")
        await sees(pilot, "3/3")
        await pilot.press("j", "enter")
        await sees(pilot, "sooner done (+0.61) and cheaper (+0.12)")
        assert "running" not in text(app)
