"""A recording as an engine: its pace, where one goes in it, what it answers and what it refuses."""

import asyncio
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from orchestra_core.domain.events import Event
from orchestra_core.domain.series import SeriesView
from orchestra_core.domain.snapshot import Snapshot
from orchestra_core.recording.reading import Recording, read
from orchestra_tui.engine import EngineError
from orchestra_tui.history import History
from orchestra_tui.parts.pausing import Pausing
from orchestra_tui.pieces import Failed
from orchestra_tui.player import Player
from orchestra_tui.present.replay import Span, badge, failures, is_time, meant, traffic
from tests.fakes.filmed import Film, film
from tests.fakes.world import World

FILM = film(40)
SERIES = msgspec.to_builtins(traffic(FILM.shot[9], "model"))


class Overheard(Recording):
    """Remembers which threads unpacked something."""

    def __init__(self) -> None:
        super().__init__(read(FILM.data)._parts, ())
        self.threads: set[int] = set()

    def ready(self, place: int) -> Callable[[], None]:
        self.threads.add(threading.get_ident())
        return super().ready(place)


def stamp(text: str) -> float:
    return datetime.fromisoformat(f"2026-03-{text}Z").timestamp()


NIGHT = Span(stamp("02T23:58:30"), stamp("03T00:04:10"), stamp("03T00:00:00"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("23:59", "02T23:59:00"),
        ("00:03", "03T00:03:00"),
        ("0:03:20", "03T00:03:20"),
        ("23:58", "02T23:58:30"),
        ("start", "02T23:58:30"),
        ("end", "03T00:04:10"),
        ("-1m", "02T23:59:00"),
        ("+30s", "03T00:00:30"),
        ("+30", "03T00:00:30"),
        ("-2h", "02T23:58:30"),
        ("00:05", None),
        ("23:58:10", None),
        ("12:00", None),
        ("24:00", None),
        ("00:60", None),
        ("now", None),
    ],
)
def test_a_time_means_the_moment_of_the_recording(text: str, expected: str | None) -> None:
    """Also across midnight; what is not in it means nothing."""
    assert meant(text, NIGHT) == (None if expected is None else stamp(expected))


def test_words_that_are_no_times_are_known_as_such() -> None:
    """Nothing else reaches the command that is run."""
    assert all(is_time(text) for text in ("12:03", "1:03:59", "-5m", "+30", "start", "end"))
    assert not any(is_time(text) for text in ("", "noon", "12", "5m", "12:03') or", "1:2", "+1000000000s"))


def test_the_header_says_what_is_unusual() -> None:
    """That it stands still, has ended, or runs at another speed."""
    at = datetime(2026, 3, 2, 12, 3, 11, tzinfo=UTC).timestamp()
    assert badge(at, 1.0, paused=False, over=False) == "12:03:11"
    assert badge(at, 4.0, paused=False, over=False) == "12:03:11 x4"
    assert badge(at, 4.0, paused=True, over=True) == "12:03:11 paused"
    assert badge(at, 1.0, paused=False, over=True) == "12:03:11 end"


async def played(player: Player, moments: int) -> list[str]:
    """The times of the next so many different moments that it tells."""
    seen: list[str] = []
    async with asyncio.timeout(30):
        async for update in player.watch(1.0):
            assert isinstance(update, Snapshot)
            if not seen or seen[-1] != update.now:
                seen.append(update.now)
            if len(seen) == moments:
                return seen
    return seen


async def test_it_plays_from_the_beginning_to_the_end() -> None:
    """Every moment at its time; sixty times as fast only as many as one can see."""
    player = Player(read(FILM.data), "a")
    player.speed = 4.0
    assert await played(player, 3) == [shot.now for shot in FILM.shot[:3]]
    player.speed = 60.0
    seen = await played(player, 4)
    assert seen[-1] == FILM.shot[-1].now
    assert player.over


async def test_a_step_is_shown_at_once_and_plays_on_from_there() -> None:
    """Whoever goes somewhere does not wait for the second to be over."""
    player = Player(read(FILM.data), "a")
    watching = player.watch(1.0)
    assert await anext(watching) == FILM.shot[0]
    loop = asyncio.get_running_loop()
    loop.call_soon(player.head, 20)
    moved = await anext(watching)
    assert isinstance(moved, Snapshot)
    assert moved.now == FILM.shot[20].now
    player.speed = 60.0
    after = await anext(watching)
    assert isinstance(after, Snapshot)
    assert after.now > moved.now


async def test_what_takes_long_of_a_jump_is_done_beside_the_display() -> None:
    """A part is unpacked in a thread: keys and frames go on, and a second jump goes on from where the first leads."""
    tape = Overheard()
    player = Player(tape, "a")
    watching = player.watch(1.0)
    await anext(watching)
    assert player.head(player.heading + 30)
    assert player.head(player.heading - 10)
    assert player.place == 0
    arrived = await anext(watching)
    assert isinstance(arrived, Snapshot)
    assert arrived.now == FILM.shot[20].now
    assert player.heading == player.place == 20
    assert tape.threads
    assert threading.get_ident() not in tape.threads


async def test_a_hole_in_it_is_not_waited_for() -> None:
    """Minutes in which there was no engine pass in two seconds at most."""
    world, made = World(0), Film()
    for second in (0, 1, 3600):
        world.tick = second
        made.shoot(world.snapshot(), 0)
    player = Player(read(made.data), "a")
    player.place, player.speed = 1, 60.0
    assert await played(player, 2) == [shot.now for shot in made.shot[1:]]


def test_ends_are_ends() -> None:
    """One cannot leave it; at the end pause begins anew, and speeds have a first and a last."""
    player = Player(read(FILM.data), "a")
    assert not player.head(-1)
    assert player.head(100)
    assert player.heading == 39
    player.place = 39
    player.toggle()
    assert (player.place, player.paused) == (0, False)
    player.toggle()
    assert player.paused
    assert [player.change_speed(1) for _ in range(6)] == [True] * 5 + [False]
    assert player.speed == 60.0


async def refusal(player: Player, path: str) -> str:
    with pytest.raises(EngineError) as refused:
        await player.get(path, dict)
    return refused.value.message


async def test_it_says_what_it_does_not_hold_and_refuses_every_change() -> None:
    """Plainly, for each subject; nothing is asked of anybody."""
    player = Player(read(FILM.data), "a")
    assert "here it holds no usage" in await refusal(player, "/api/v1/usage?by=model")
    assert "not in this recording: drills" in await refusal(player, "/api/v1/drills")
    assert "of request r1 it holds no decision" in await refusal(player, "/api/v1/requests/r1")
    with pytest.raises(EngineError, match="a recording is replayed: nothing can be changed"):
        await player.post("/api/v1/models/m/load", {}, dict)
    pieces = [piece async for piece in player.route({"prompt": "Hi"})]
    assert pieces == [Failed("a recording is replayed: there is no engine to ask", "replayed")]
    assert (await player.fetch()).now == FILM.shot[0].now


async def test_of_requests_it_has_those_that_events_tell_of() -> None:
    """Those that failed and those that somebody cancelled, the newest first, up to the moment that is shown."""
    events = [
        Event(World(0).stamp(second), kind, name, message, "error")
        for second, kind, name, message in (
            (1, "request.failed", "r1", "box/org/m: timeout: no byte: for 30 s"),
            (2, "request.failover", "r1", "box/m -> lab/m: no"),
            (3, "request.cancelled", "r2", "by the operator"),
            (4, "request.failed", "r3", ": rejected: no model"),
        )
    ]
    told = [
        (row["id"], row["verdict"], row.get("backend"), row.get("model"), row["error"])
        for row in failures(events)
    ]
    assert told == [
        ("r3", "rejected", None, None, "no model"),
        ("r2", "cancelled", None, None, "by the operator"),
        ("r1", "timeout", "box", "org/m", "no byte: for 30 s"),
    ]
    page = await Player(read(FILM.data), "a").get("/api/v1/requests?limit=5", dict)
    assert page["only"] == "of a recording: only those that failed"
    assert all(one["at"] <= page["timestamp"] for one in page["requests"])


def row(number: int, second: int, **more: object) -> dict[str, object]:
    told = {"id": f"r{number}", "at": World(0).stamp(second), "model": "m", "verdict": "success"}
    return {**told, **more}


DOCUMENTS: dict[str, Any] = {
    "requests": {
        "requests": [row(3, 315), row(2, 310, verdict="dropped"), row(1, 300, model="n")],
        "currency": "EUR",
    },
    "decisions": {"r2": {"request": row(2, 310), "decision": None}},
    "audit": [{"at": World(0).stamp(300), "who": "ann"}],
}


async def ids(player: Player, query: str) -> list[str]:
    page = await player.get(f"/api/v1/requests?{query}", dict)
    return [str(one["id"]) for one in page["requests"]]


async def test_an_incident_answers_for_its_requests() -> None:
    """Filtered as asked, a page at a time; decisions by id, and what operators did."""
    player = Player(read(FILM.data), "a", DOCUMENTS)
    assert await ids(player, "") == ["r3", "r2", "r1"]
    assert await ids(player, "model=n") == ["r1"]
    assert await ids(player, "failed=true") == ["r2"]
    assert await ids(player, "failed=false") == ["r3", "r1"]
    assert "what ran at a moment" in await refusal(player, "/api/v1/requests?running=1")
    first = await player.get("/api/v1/requests?limit=2", dict)
    second = await player.get(f"/api/v1/requests?limit=2&cursor={first['next']}", dict)
    assert [one["id"] for one in (*first["requests"], *second["requests"])] == ["r3", "r2", "r1"]
    assert second["next"] is None
    assert (await player.get("/api/v1/requests/r2", dict))["request"]["id"] == "r2"
    assert "r1 it holds no decision" in await refusal(player, "/api/v1/requests/r1")
    assert (await player.get("/api/v1/audit?limit=9", dict))["entries"] == []
    player.place = 20
    assert (await player.get("/api/v1/audit?limit=9", dict))["entries"][0]["who"] == "ann"


async def test_how_traffic_went_is_told_as_far_as_it_is_known() -> None:
    """The last five minutes of requests, failures and tokens, without the second that goes on; never an invented 0."""
    player = Player(read(FILM.data), "a")
    player.place = 10
    told = await player.get("/api/v1/series?window=5m&by=model", SeriesView)
    was = FILM.shot[10]
    assert (told.window, told.by, told.until) == ("5m", "model", was.now)
    assert "5m of traffic, no more" in await refusal(player, "/api/v1/series?window=1h&by=model")
    assert told.whole.requests == was.throughput.requests[:-1]
    assert told.whole.tokens_out == was.throughput.tokens[:-1]
    assert set(told.whole.inflight) == set(told.whole.latency.p95) == {None}


async def test_longer_traffic_and_usage_are_told_as_they_were_recorded() -> None:
    """Of the part that is played, or of the one before it; what was not recorded is said."""
    usage = [{"asked": {"by": "model", "since": "7d"}, "told": {"rows": [], "currency": "EUR"}}]
    hour = {**SERIES, "whole": {"requests": [7]}}
    beside = {"series": {"1h": {"model": hour}}, "usage": usage}
    film = Film(per_block=1)
    for second in range(3):
        film.shoot(World(second).snapshot(), 0, None if second else beside)
    film.end()
    player = Player(read(film.data), "a")
    for place in (0, 1):
        player.place = place
        assert (await player.get("/api/v1/series?window=1h&by=model", SeriesView)).whole.requests == (7,)
        assert (await player.get("/api/v1/usage?by=model&since=7d", dict))["currency"] == "EUR"
        assert "usage of today and of 7 days, no more" in await refusal(player, "/api/v1/usage?by=model")
        assert "5m of traffic, no more" in await refusal(player, "/api/v1/series?window=6h&by=model")
    player.place = 2
    assert "here it holds no usage" in await refusal(player, "/api/v1/usage?by=model&since=7d")


@pytest.mark.parametrize("beside", [{"series": []}, {"usage": [1]}, [], "x"])
async def test_what_lies_beside_in_another_shape_is_as_if_it_were_not_there(beside: object) -> None:
    """A recording of another version, or a tampered one, still plays."""
    film = Film()
    film.shoot(World(0).snapshot(), 0, beside)
    film.end()
    player = Player(read(film.data), "a")
    assert "here it holds no usage" in await refusal(player, "/api/v1/usage?by=model&since=7d")


async def test_an_answer_of_another_shape_is_said() -> None:
    """A bundle of another version, or one that was tampered with, crashes no view."""
    player = Player(read(FILM.data), "a", {"requests": {"requests": []}, "decisions": {"r": {"request": 5}}})
    with pytest.raises(EngineError, match="cannot be read"):
        await player.get("/api/v1/requests/r", dict[str, str])


def test_a_live_display_finds_every_second_it_keeps() -> None:
    """goto shows exactly the moment that is meant, also where it is one of the ends; else it says what there is."""
    world, history, said = World(0), History(), []
    for second in range(0, 90, 3):
        world.tick = second
        history.add(float(second), world.snapshot())
    pausing = Pausing(history, world.snapshot, lambda text, _: said.append(text))
    for second in range(88):
        pausing.goto(f"12:{58 + second // 60}:{second % 60:02d}")
        shown = pausing.shown()
        assert shown is not None
        assert shown.now == world.stamp(second - second % 3)
    assert said == []
    pausing.goto("12:30")
    assert said == ["what is kept goes from 12:58:00 to 12:59:27"]


async def test_what_is_done_between_two_moments_counts() -> None:
    """A step taken while the display was busy is shown next, not what was due before it."""
    player = Player(read(FILM.data), "a")
    player.speed = 60.0
    watching = player.watch(1.0)
    await anext(watching)
    await anext(watching)
    player.paused = True
    player.place = 3
    for _ in range(2):
        moved = await anext(watching)
        assert isinstance(moved, Snapshot)
        assert moved.now == FILM.shot[3].now
