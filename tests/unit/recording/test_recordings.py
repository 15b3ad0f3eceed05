"""Recordings: what went in comes out, whatever is cut off or damaged, and what could not be read is said."""

import gzip

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra_core.domain.snapshot import Snapshot, Throughput, TripView
from orchestra_core.recording import lines
from orchestra_core.recording.blocks import MAGIC
from orchestra_core.recording.difference import apply, difference
from orchestra_core.recording.lines import VERSION
from orchestra_core.recording.reading import NotARecording, read
from tests.fakes.filmed import Film, at, film, same
from tests.fakes.world import World

FILM = film(90, per_block=20)
UNENDED = film(50, per_block=20, ended=False)


def plain(snapshot: Snapshot) -> dict[str, object]:
    return dict(msgspec.json.decode(msgspec.json.encode(snapshot)))


def test_what_was_recorded_is_read_back() -> None:
    """Every moment, in order and each by itself, with the events that happened since the one before."""
    recording = read(FILM.data)
    assert recording.flaws == ()
    assert recording.times == [at(one) for one in FILM.shot]
    for place in (0, 1, 19, 20, 57, 41, 89, 3, 2):
        assert same(recording.moment(place), FILM.shot[place]), place
    told = [event for moment in recording.moments() for event in moment.events]
    assert told[len(World().events) :] == list(FILM.shot[-1].events[len(World().events) :])
    assert len(told) == len(set(told))


def test_a_moment_is_found_by_its_time() -> None:
    """The last one not after it; the first for what is before all."""
    recording = read(FILM.data)
    assert recording.place(at(FILM.shot[30]) + 0.4) == 30
    assert recording.place(0) == 0
    assert recording.place(9e9) == 89


def test_it_is_what_everybody_can_read() -> None:
    """Gzip of JSON lines, the first of each block a header that names the format and no machine."""
    first = msgspec.json.decode(gzip.decompress(FILM.data).splitlines()[0])
    assert first.pop("crc")
    assert first == {
        "recording": VERSION,
        "version": "0.6.0",
        "engine": "e1",
        "started": "2026-03-02T12:58:00.000Z",
        "at": at(FILM.shot[0]),
    }


@given(st.integers(0, len(UNENDED.data)))
@settings(deadline=None)
def test_any_cut_reads_back_a_prefix(length: int) -> None:
    """However much of the end is missing: what is before it is read, and a cut in a block is said."""
    try:
        recording = read(UNENDED.data[:length])
    except NotARecording:
        assert length < 4000
        return
    assert recording.times == [at(one) for one in UNENDED.shot[: len(recording)]]
    assert same(recording.moment(len(recording) - 1), UNENDED.shot[len(recording) - 1])
    if len(recording) % 20:
        assert "ends abruptly" in recording.flaws[-1]


def test_nothing_that_was_written_waits_for_the_end() -> None:
    """A block that a killed engine left has every moment that was appended."""
    assert len(read(UNENDED.data)) == 50


@given(st.integers(0, len(FILM.data) - 1), st.integers(1, 255))
@settings(deadline=None)
def test_damage_is_said_and_never_shown(place: int, change: int) -> None:
    """One wrong byte anywhere: what is read is what was recorded, and where something is missing it is said."""
    damaged = bytearray(FILM.data)
    damaged[place] ^= change
    try:
        recording = read(bytes(damaged))
    except NotARecording:
        assert place < len(MAGIC)
        return
    known = {at(one): one for one in FILM.shot}
    assert all(same(moment, known[moment.at]) for moment in recording.moments())
    assert len(recording) >= 65
    assert recording.flaws or len(recording) == 90


@given(st.binary(max_size=300))
def test_a_wrong_file_is_no_recording(data: bytes) -> None:
    """Whatever it holds, also behind the right beginning."""
    for wrong in (data, MAGIC + data, gzip.compress(data)):
        with pytest.raises(NotARecording):
            read(wrong)


def test_another_version_is_named() -> None:
    """What is in a format of the future is left out, with who made it."""
    strange = Film(version=VERSION + 1)
    strange.shoot(World().snapshot(), 0)
    strange.end()
    with pytest.raises(NotARecording, match=r"format 2 of version 0\.6\.0; this program reads format 1"):
        read(strange.data)
    both = read(strange.data + FILM.data)
    assert len(both) == 90
    assert "format 2" in both.flaws[0]


def test_fields_of_the_future_are_no_trouble() -> None:
    """A later version of the same format may tell more."""
    line = lines.spell(
        {"at": 1.0, "full": {**plain(FILM.shot[0]), "moods": ["good"]}, "fresh": 0, "weather": 1}
    )
    header = gzip.decompress(FILM.data).splitlines()[0] + b"\n"
    recording = read(gzip.compress(header + line, mtime=0))
    assert recording.moment(0).snapshot == FILM.shot[0]


def test_what_does_not_fit_ends_its_part() -> None:
    """A difference of rows that are not there is said to be not understood; what is before it is read."""
    text = gzip.decompress(FILM.blocks[0]).splitlines(keepends=True)
    strange = lines.spell({"at": 2.0, "set": {}, "rows": {"models": [[999, {"calls": 1}]]}})
    recording = read(gzip.compress(b"".join([*text[:6], strange, *text[6:]]), mtime=0) + FILM.blocks[1])
    assert len(recording) == 5 + 20
    assert "not understood" in recording.flaws[0]


counts = st.lists(st.integers(0, 9), max_size=40)


@given(counts, counts, st.integers(0, 12), st.integers(0, 5))
def test_series_are_the_same_after_any_change(
    begin: list[int], more: list[int], gone: int, wrong: int
) -> None:
    """Also where they grow, jump, or change in the middle."""
    after = [*begin[gone:], *more]
    if wrong < len(after):
        after[wrong] += wrong
    old, new = (
        msgspec.structs.replace(
            World().snapshot(),
            throughput=Throughput(*(tuple(one + by for one in counted) for by in range(3))),
        )
        for counted in (begin, after)
    )
    state = plain(old)
    apply(state, msgspec.json.decode(msgspec.json.encode(difference(old, new, ()))))
    assert msgspec.convert(state, Snapshot) == new


def test_a_second_is_told_in_few_bytes() -> None:
    """The series of the last five minutes are not told anew each second, nor breakers whose clocks only went on."""
    was, later = World(290).snapshot(), World(291).snapshot()
    trips = (TripView(9.0, "5 timeouts", ("r1",)),)
    replace = msgspec.structs.replace
    old = replace(was, breakers=tuple(replace(one, history=trips) for one in was.breakers))
    aged = tuple(
        replace(
            one,
            since=one.since + 1,
            next_probe=one.next_probe and one.next_probe - 1,
            history=tuple(replace(trip, ago=trip.ago + 1) for trip in one.history),
        )
        for one in old.breakers
    )
    told = difference(old, replace(later, breakers=aged, models=old.models), ())
    assert "breakers" not in told.get("rows", {})
    assert len(told["series"][1]) < 8
    assert "models" not in told["set"]


def test_models_may_come_and_go() -> None:
    """A table whose rows are others is told as a whole."""
    made = Film()
    world = World()
    for kept in (10, 8, 9, 0, 10):
        shown = world.snapshot()
        made.shoot(
            msgspec.structs.replace(shown, models=shown.models[:kept], breakers=shown.breakers[:kept]), 6
        )
        world.advance()
    recording = read(made.data)
    assert all(same(moment, was) for moment, was in zip(recording.moments(), made.shot, strict=True))


def test_more_events_than_a_snapshot_holds_are_counted() -> None:
    """How many were missed is told with the moment."""
    made = Film(per_block=2)
    first = World().snapshot()
    for sequence, happened in enumerate((6, 46, 146)):
        made.shoot(msgspec.structs.replace(first, sequence=sequence), happened)
    told = [(len(moment.events), moment.missed) for moment in read(made.data).moments()]
    assert told == [(6, 0), (6, 34), (6, 94)]


def test_what_an_operator_holds_open_runs_down() -> None:
    """The time until a trip ends goes on by itself, as the other clocks do; a longer one is told."""
    shown = World().snapshot()
    replace = msgspec.structs.replace
    made = Film()
    for second, held_for in enumerate((60.0, 59.0, 300.0, 299.0)):
        held = replace(shown.breakers[0], tripped=True, since=float(second), held_for=held_for)
        made.shoot(replace(shown, uptime=shown.uptime + second, breakers=(held, *shown.breakers[1:])), 6)
    told = [moment.snapshot.breakers[0].held_for for moment in read(made.data).moments()]
    assert told == [60.0, 59.0, 300.0, 299.0]
    rows = difference(made.shot[2], made.shot[3], ())["rows"]["breakers"]
    assert rows
    assert all(place for place, _ in rows), "only those are told whose clocks stood still"


def test_a_clock_that_was_set_back_is_told() -> None:
    """A breaker that an operator resets stays closed, and its time begins anew."""
    shown = World().snapshot()
    replace = msgspec.structs.replace
    made = Film()
    for second, since in enumerate((50.0, 51.0, 0.2, 1.2)):
        breaker = replace(shown.breakers[0], since=since)
        made.shoot(replace(shown, uptime=shown.uptime + second, breakers=(breaker, *shown.breakers[1:])), 6)
    told = [moment.snapshot.breakers[0].since for moment in read(made.data).moments()]
    assert told == [50.0, 51.0, 0.2, 1.2]


def changing() -> Film:
    """A minute in which models come, go and change."""
    made, world = Film(), World()
    for second in range(60):
        shown = world.snapshot()
        kept = 10 if second % 11 else 8
        calls = [msgspec.structs.replace(one, calls=second) for one in shown.models[:kept]]
        made.shoot(msgspec.structs.replace(shown, models=tuple(calls)), len(world.events))
        world.advance()
    made.end()
    return made


CHANGING = changing()


@given(st.lists(st.integers(0, 59), min_size=2, max_size=40))
@settings(deadline=None)
def test_moments_are_the_same_in_any_order(places: list[int]) -> None:
    """However one goes through it, forward, back or far, a place shows what was recorded there."""
    recording = read(CHANGING.data)
    assert all(same(recording.moment(place), CHANGING.shot[place]) for place in places)
