"""Segments that were cut or damaged anywhere: what is sound before is read exactly, nothing else is."""

from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given

from orchestra_core.storage.failures import StoreUnusable
from orchestra_core.storage.journal.frames import begin_frame, end_frame, head_frame
from orchestra_core.storage.journal.records import END, FAMILY, MAGIC, Head, read_entry
from orchestra_core.storage.journal.scan import scan
from orchestra_core.storage.journal.segments import Segment
from orchestra_core.storage.store import Entry
from tests.fakes.journals import begun

HEAD = MAGIC + head_frame(Head("j", 1, b"state"))
PATH = Path("/journal/000000001.journal")


def ended(name: str, text: str = "some words") -> bytes:
    return end_frame(Entry((name, text, 1.25, None, 2**40), ((name, 1),), b"\x00decision"))


def read(data: bytes) -> tuple[list[str], str, int]:
    """The names of ended requests, what is wrong, and how far it is sound."""
    segment = Segment(PATH, 1, len(data))
    _, found = scan(segment, data)
    names = [str(read_entry(body).request[0]) for kind, body, _ in found if kind == END]
    return names, segment.flaw, segment.sound


FRAMES = [ended("a"), begin_frame(begun("b")), ended("b", "\x00" * 40), ended("c")]
BORDERS = [len(HEAD) + sum(map(len, FRAMES[:count])) for count in range(len(FRAMES) + 1)]
WHOLE = HEAD + b"".join(FRAMES)
NAMES = [[], ["a"], ["a"], ["a", "b"], ["a", "b", "c"]]


def test_what_is_written_is_read_exactly() -> None:
    """Floats, wide integers, None, NUL bytes and raw bytes come back as they were."""
    segment = Segment(PATH, 1, len(WHOLE))
    head, found = scan(segment, WHOLE)
    assert head == Head("j", 1, b"state")
    assert read_entry(found[0][1]).request == ("a", "some words", 1.25, None, 2**40)
    assert read_entry(found[0][1]).decision == b"\x00decision"
    assert segment.flaw == ""


@pytest.mark.parametrize("reserved", [0, 500])
def test_a_cut_at_any_byte_leaves_what_is_before_it(reserved: int) -> None:
    """With and without reserved room behind the cut; a cut between two records is no flaw."""
    for cut in range(len(HEAD), len(WHOLE)):
        names, flaw, sound = read(WHOLE[:cut] + bytes(reserved))
        whole = max(count for count, border in enumerate(BORDERS) if border <= cut)
        assert names == NAMES[whole], cut
        assert sound == BORDERS[whole]
        assert bool(flaw) == (cut not in BORDERS), cut


def test_a_flipped_byte_anywhere_ends_the_reading_there() -> None:
    """Records before it are read, the one it is in and those behind it are not, and it is told."""
    for place in range(len(HEAD), len(WHOLE)):
        for flip in (0x01, 0x80, 0xFF):
            data = bytearray(WHOLE + bytes(64))
            data[place] ^= flip
            names, flaw, sound = read(bytes(data))
            whole = max(count for count, border in enumerate(BORDERS) if border <= place)
            assert names == NAMES[whole], place
            assert (sound, bool(flaw)) == (BORDERS[whole], True)


def test_a_flipped_byte_in_reserved_room_costs_no_record() -> None:
    """It is told nevertheless: something wrote there that was not us."""
    for place in range(100):
        data = bytearray(WHOLE + bytes(100))
        data[len(WHOLE) + place] = 7
        names, flaw, sound = read(bytes(data))
        assert (names, sound) == (["a", "b", "c"], len(WHOLE))
        assert flaw


def test_a_damaged_beginning_is_not_a_journal() -> None:
    """Nothing of such a file is believed; that of a newer version is left alone."""
    for place in range(len(HEAD)):
        data = bytearray(WHOLE)
        data[place] ^= 0x40
        if len(FAMILY) <= place < len(MAGIC):
            with pytest.raises(StoreUnusable, match="newer version"):
                read(bytes(data))
        else:
            names, flaw, sound = read(bytes(data))
            assert (names, sound) == ([], 0)
            assert flaw


@given(
    st.lists(st.tuples(st.booleans(), st.text(max_size=300)), max_size=12),
    st.binary(max_size=60),
    st.integers(0, 400),
)
def test_whatever_follows_whole_records_they_are_read(
    records: list[tuple[bool, str]], rubbish: bytes, reserved: int
) -> None:
    """Any sequence of records, then any bytes, then room: the records in order, and never anything made of the rest."""
    frames = [
        ended(f"r{number}", text) if ends else begin_frame(begun(text))
        for number, (ends, text) in enumerate(records)
    ]
    names, flaw, sound = read(HEAD + b"".join(frames) + rubbish + bytes(reserved))
    assert names == [f"r{number}" for number, (ends, _) in enumerate(records) if ends]
    assert sound == len(HEAD) + sum(map(len, frames))
    assert bool(flaw) == bool(rubbish.strip(b"\0"))
