"""The ring of a recording: what goes, what is asked for, and when the next part begins."""

from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.recording.ring import BLOCK_SECONDS, Segment, expired, full, since

MB = 1_000_000
sizes = st.lists(st.integers(1, 4 * MB), max_size=60)


def row(sizes: list[int]) -> list[Segment]:
    """Segments of a minute each, the last of which ends at 10 000."""
    begin = 10_000 - 60 * len(sizes)
    return [
        Segment(str(place), begin + 60 * place, begin + 60 * place + 60, size)
        for place, size in enumerate(sizes)
    ]


@given(sizes, st.integers(1, 60))
def test_what_is_left_is_the_newest_and_fits(sizes: list[int], minutes: int) -> None:
    """Within time and bytes, with room for one more, and nothing goes without need."""
    segments, limit = row(sizes), 32 * MB
    gone = set(expired(segments, 10_000, minutes * 60, limit))
    left = [one for one in segments if one.name not in gone]
    assert left == segments[len(gone) :]
    assert sum(one.size for one in left) <= limit - limit // 8
    assert all(one.ended >= 10_000 - minutes * 60 for one in left)
    if gone:
        newest = segments[len(gone) - 1]
        too_old = newest.ended < 10_000 - minutes * 60
        assert too_old or sum(one.size for one in [newest, *left]) > limit - limit // 8


def test_what_ends_after_a_moment_has_something_from_then_on() -> None:
    """Also the part in whose middle it is."""
    segments = row([1, 1, 1])
    assert since(segments[::-1], 0) == ("0", "1", "2")
    assert since(segments, 10_000 - 90) == ("1", "2")
    assert since(segments, 10_001) == ()


def test_a_part_ends_by_time_and_by_size() -> None:
    """And where the clock was set back, or it would go on for hours."""
    assert not full(3 * MB, 100, 100 + BLOCK_SECONDS - 1, 32 * MB)
    assert full(3 * MB, 100, 100 + BLOCK_SECONDS, 32 * MB)
    assert full(4 * MB, 100, 101, 32 * MB)
    assert full(0, 100, 99, 32 * MB)


def test_large_parts_make_room_for_others() -> None:
    """Also where all of them are young."""
    assert expired(row([4 * MB] * 20), 10_000, 3600, 32 * MB) == tuple(
        str(place) for place in range(12, -1, -1)
    )
