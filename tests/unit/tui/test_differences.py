"""Snapshots told as differences are the snapshots that were told of."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra_core.domain.difference import OFF, Following, Telling, Unfit, advance, difference
from orchestra_core.domain.snapshot import BreakerView, Snapshot
from tests.fakes.changing import BEGIN, following, older, replace


def still(row: BreakerView) -> BreakerView:
    history = tuple(replace(trip, ago=0.0) for trip in row.history)
    return replace(row, since=0.0, next_probe=None, held_for=None, history=history)


def near(one: float | None, other: float | None) -> bool:
    return one is other if one is None or other is None else abs(one - other) < OFF + 0.001


def check(seen: Snapshot, was: Snapshot) -> None:
    """Everything is the same, the clocks of breakers to a quarter of a second."""
    assert replace(seen, breakers=()) == replace(was, breakers=())
    assert [still(row) for row in seen.breakers] == [still(row) for row in was.breakers]
    for one, other in zip(seen.breakers, was.breakers, strict=True):
        assert near(one.since, other.since)
        assert near(one.next_probe, other.next_probe)
        assert near(one.held_for, other.held_for)
        assert all(near(a.ago, b.ago) for a, b in zip(one.history, other.history, strict=True))


@settings(deadline=None, max_examples=80)
@given(st.data())
def test_what_is_told_is_what_was(data: st.DataObject) -> None:
    """Whatever changes, goes, comes or moves between two snapshots, and over the wire."""
    telling, reader, now = Telling(), Following(), BEGIN
    reader.whole(msgspec.json.decode(msgspec.json.encode(telling.tell(now)), type=Snapshot))
    for number in range(4):
        now = data.draw(following(now, number))
        told = telling.tell(now)
        assert isinstance(told, dict)
        check(reader.changed(msgspec.json.decode(msgspec.json.encode(told))), now)


def test_what_has_not_changed_is_the_same_object() -> None:
    """Rows no difference tells of stay the objects they were; those of a whole snapshot that are equal, too."""
    reader = Following()
    first = reader.whole(BEGIN)
    changed = replace(BEGIN.models[3], calls=77)
    models = (*BEGIN.models[:3], changed, *BEGIN.models[4:])
    told = difference(BEGIN, replace(BEGIN, sequence=BEGIN.sequence + 1, models=models))
    second = reader.changed(msgspec.json.decode(msgspec.json.encode(told)))
    assert [one is other for one, other in zip(first.models, second.models, strict=True)] == [
        place != 3 for place in range(len(models))
    ]
    assert second.backends is first.backends
    third = reader.whole(msgspec.json.decode(msgspec.json.encode(second), type=Snapshot))
    assert all(one is other for one, other in zip(second.models, third.models, strict=True))


def test_an_idle_second_is_told_in_few_bytes() -> None:
    """Where nobody wants anything nothing but the time is told: ages go on at the reader's."""
    later = replace(
        BEGIN,
        sequence=BEGIN.sequence + 1,
        now="2026-03-02T13:02:51.000Z",
        uptime=BEGIN.uptime + 1,
        breakers=tuple(older(row, 1) for row in BEGIN.breakers),
    )
    told = difference(BEGIN, later)
    assert len(msgspec.json.encode(told)) < 150
    check(advance(BEGIN, told), later)


def test_every_so_often_all_is_told() -> None:
    """What went wrong unseen is put right within a minute."""
    telling = Telling()
    told = [telling.tell(replace(BEGIN, sequence=at)) for at in range(130)]
    assert [at for at, each in enumerate(told) if isinstance(each, Snapshot)] == [0, 60, 120]


@pytest.mark.parametrize("order", [(0, 2), (1,), (0, 1, 1)])
def test_a_difference_that_is_not_the_next_is_refused(order: tuple[int, ...]) -> None:
    """One is missing, came twice, too late, or before all: the reader says so and shows nothing made up."""
    telling, reader = Telling(), Following()
    told = [telling.tell(replace(BEGIN, sequence=at, uptime=float(at))) for at in range(3)]

    def read(each: Snapshot | dict[str, object]) -> None:
        _ = reader.whole(each) if isinstance(each, Snapshot) else reader.changed(each)

    for at in order[:-1]:
        read(told[at])
    with pytest.raises(Unfit, match="missing"):
        read(told[order[-1]])


@pytest.mark.parametrize(
    "wrong",
    [
        {"rows": {"models": [[999, {"calls": 1}]]}},
        {"rows": {"models": [[0, {"calls": "many"}]]}},
        {"rows": {"models": 7}},
        {"set": {"uptime": "long"}},
        {"set": 3},
        {"series": [1]},
        {"happened": [0, [{"at": 1}]]},
    ],
)
def test_nonsense_is_refused(wrong: dict[str, object]) -> None:
    """Whatever an engine of another make tells, what it says of no state of ours is no state."""
    with pytest.raises(Unfit):
        advance(BEGIN, {"set": {}, **wrong})


def test_what_a_later_version_tells_is_left_out() -> None:
    """Fields and tables that are not known yet harm nobody."""
    told = {
        "set": {"mood": "good", "uptime": 5.0},
        "rows": {"moods": [[0, {}]], "models": [[0, {"mood": 1}]]},
    }
    assert advance(BEGIN, told).uptime == 5.0
