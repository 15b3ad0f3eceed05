"""The ring of the last minutes."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra_core.domain.events import Event
from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.history import History
from tests.fakes.fake_engine import World

SNAPSHOT = World().snapshot()


def numbered(sequence: int) -> Snapshot:
    return msgspec.structs.replace(SNAPSHOT, sequence=sequence)


def event(number: int) -> Event:
    return Event(f"2026-03-02T13:03:{number:02d}.000Z", "model.ready", "box1/m", str(number))


def test_what_is_seen_again_is_what_came() -> None:
    """A snapshot survives being kept in every field."""
    history = History()
    history.add(1.0, SNAPSHOT)
    moment = history.moment(history.newest)
    assert moment is not None
    assert moment.snapshot == SNAPSHOT


def test_an_empty_history_has_no_moment() -> None:
    """Nothing came: there is no moment anywhere, and nothing breaks."""
    history = History()
    assert history.moment(0) is None
    assert history.events(0) == ()
    assert history.newest < history.oldest


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(st.floats(0, 20), max_size=40),
    most=st.integers(1, 12),
    seconds=st.floats(1, 60),
    kilobytes=st.integers(1, 30),
)
def test_the_ring_stays_within_its_bounds(
    steps: list[float], most: int, seconds: float, kilobytes: int
) -> None:
    """Never more than so many, so old or so large; the newest is always there, and places keep their numbers."""
    history, at, came = History(seconds, most, kilobytes * 1024), 0.0, []
    for number, step in enumerate(steps):
        at += step
        came.append(at)
        history.add(at, numbered(number))
        assert history.newest == number
        assert 1 <= len(history) <= most
        assert at - came[history.oldest] <= seconds
        assert len(history) == 1 or history.bytes <= kilobytes * 1024
        for place in range(history.oldest, history.newest + 1):
            moment = history.moment(place)
            assert moment is not None
            assert (moment.place, moment.snapshot.sequence) == (place, place)


def test_beyond_the_ends_are_the_ends() -> None:
    """A place that was dropped, or is not there yet, is the nearest that is there."""
    history = History(most=3)
    for number in range(5):
        history.add(float(number), numbered(number))
    oldest, newest = history.moment(-7), history.moment(99)
    assert oldest is not None
    assert newest is not None
    assert (oldest.place, newest.place) == (2, 4)


def test_events_of_a_moment_are_those_until_then() -> None:
    """What happened after the moment is not told of."""
    history = History()
    for number in range(4):
        history.happened(number - 0.5, event(number))
        history.add(float(number), numbered(number))
    assert [each.message for each in history.events(1)] == ["0", "1"]
    assert [each.message for each in history.events(99)] == ["0", "1", "2", "3"]
