"""Which parts of a recording go: those that are too old, and the oldest where all of them are too large."""

from collections.abc import Sequence

import msgspec

# A part that is too large or too old is ended and the next one begun, so that little is lost with the oldest.
BLOCK_SECONDS = 60.0
_SHARES = 8


class Segment(msgspec.Struct, frozen=True):
    """One block in a file of its own; `began` and `ended` in Unix seconds."""

    name: str
    began: float
    ended: float
    size: int


class Bounds(msgspec.Struct, frozen=True):
    """What is older than so many seconds goes, and the oldest where all takes more than so many bytes."""

    seconds: float
    bytes: int


def full(size: int, began: float, now: float, limit: int) -> bool:
    """Whether a block should end here."""
    # A clock that was set back would keep it open for ever.
    return size >= limit // _SHARES or not 0 <= now - began < BLOCK_SECONDS


def expired(segments: Sequence[Segment], now: float, seconds: float, limit: int) -> tuple[str, ...]:
    """The names of those to remove, so that what is left, with one more block, has room in `limit` bytes."""
    gone, room = [], limit - limit // _SHARES
    ordered = sorted(segments, key=lambda one: one.began, reverse=True)
    for segment in ordered:
        room -= segment.size
        if room < 0 or segment.ended < now - seconds:
            gone.append(segment.name)
            # What is older than one that goes goes too: a recording has no holes.
            room = -1
    return tuple(gone)


def since(segments: Sequence[Segment], at: float) -> tuple[str, ...]:
    """The names of those that hold something from `at` on, in order."""
    return tuple(one.name for one in sorted(segments, key=lambda one: one.began) if one.ended >= at)
