"""What an incident says in words: a short list that can be read from top to bottom."""

import msgspec

from orchestra_core.cli.incident.timeline import timeline
from orchestra_core.domain.events import Event
from orchestra_core.recording.reading import read
from tests.fakes.filmed import Film, at
from tests.fakes.world import World


def shown(*happened: tuple[int, str, str, str, str], seconds: tuple[int, ...] = (0, 1, 2)) -> list[str]:
    """The lines of a recording of these seconds, in which these (second, kind, subject, message, level) happened."""
    made, world, events = Film(), World(0), []
    for second in seconds:
        world.tick = second
        events += [Event(world.stamp(when), *rest) for when, *rest in happened if when == second]
        snapshot = msgspec.structs.replace(world.snapshot(), events=tuple(events[-100:]))
        made.shoot(snapshot, len(events))
    return timeline(read(made.data), at(made.shot[0]))


def test_what_matters_is_told_and_the_rest_is_not() -> None:
    """Warnings, and what turned; not how far a load has come."""
    lines = shown(
        (1, "breaker.open", "box1/m", "5 timeouts in 30 s", "error"),
        (1, "model.progress", "box1/m", "40 %", "info"),
        (2, "prices.missing", "accounting", "not known", "warning"),
        (2, "prices.found", "accounting", "known", "info"),
    )
    assert lines == [
        "12:58:00  status               the engine is degraded",
        "12:58:01  breaker.open         box1/m: 5 timeouts in 30 s",
        "12:58:02  prices.missing       accounting: not known",
    ]


def test_what_repeats_itself_is_one_line() -> None:
    """Requests have ids of their own; how many failed tells more."""
    lines = shown(
        *((1, "request.failed", f"req-{number}", "box1/m: dropped", "error") for number in range(40))
    )
    assert lines[1:] == ["12:58:01  request.failed       box1/m: dropped (40 times; the first is told)"]


def test_each_state_of_the_engine_is_told() -> None:
    """Also where nothing else happened between two of them."""
    made, world = Film(), World(0)
    for second, status in enumerate(("healthy", "unhealthy", "unhealthy", "healthy")):
        world.tick = second
        made.shoot(msgspec.structs.replace(world.snapshot(), status=status, events=()), 0)
    told = [line.split(maxsplit=2)[2] for line in timeline(read(made.data), at(made.shot[0]))]
    assert told == ["the engine is healthy", "the engine is unhealthy", "the engine is healthy"]


def test_holes_and_other_engines_are_told() -> None:
    """Where nothing was recorded, and where another engine goes on."""
    assert "12:58:02  gap                  nothing was recorded for 58 s" in shown(seconds=(0, 1, 2, 60))
    first, second = Film(engine="a"), Film(engine="b")
    snapshot = World(0).snapshot()
    first.shoot(snapshot, 6)
    second.shoot(msgspec.structs.replace(snapshot, now=World(0).stamp(3)), 6)
    lines = timeline(read(first.data + second.data), 0)
    assert any("another engine: version 0.6.0" in line for line in lines)


def test_of_very_much_the_first_and_the_last_are_told() -> None:
    """So that it stays a list one reads."""
    kinds = ("backend.down", "backend.up")
    lines = shown(
        *((second, kinds[second % 2], "box1", "again", "warning") for second in range(300)),
        seconds=tuple(range(300)),
    )
    assert len(lines) == 91
    assert lines[60] == "          … 211 more, in the recording …"


def test_what_was_before_is_not_told() -> None:
    """A recording begins with the block in which the moment asked for is."""
    made = Film()
    world = World(0)
    late = Event(world.stamp(1), "backend.down", "box9", "gone, and told with the moment after", "error")
    for second in range(4):
        world.tick = second
        events = (late, Event(world.stamp(second), "backend.down", f"box{second}", "gone", "error"))
        made.shoot(msgspec.structs.replace(world.snapshot(), events=events), 2 * second + 2)
    lines = timeline(read(made.data), at(made.shot[2]))
    assert [line.split()[2] for line in lines] == ["box2:", "box3:"]


def test_hostile_words_are_shown_not_obeyed() -> None:
    """It is read in a terminal."""
    (_, line) = shown((1, "backend.down", "box\x1b[2J", "a\nb" * 200, "error"))
    assert "\x1b" not in line
    assert "\n" not in line
    assert len(line) < 200
