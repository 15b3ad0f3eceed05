"""Blocks of a recording: gzip members of lines, each readable without the others; several in a row are a recording.

What was written is flushed to a byte border each time, so that a block without an end says all that got into it.
"""

import zlib
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise

import msgspec

CUT = "cut off"
# The members that zlib makes begin so: no name, no time, no comment.
MAGIC = b"\x1f\x8b\x08\x00\x00\x00\x00\x00"
# And so does their text: that of a header.
BEGINNING = b'{"recording":'
_GZIP = 31
# 5 costs half the time of 9 and makes files of nine repeated tenths of a kilobyte 4 % larger.
_LEVEL = 5
# More than any block of ours has; a file that inflates beyond is not one.
MOST_BYTES = 256 * 1024 * 1024


class Block(msgspec.Struct, frozen=True):
    """The compressed bytes of one member, and why it has no end, empty if it has one."""

    data: bytes
    flaw: str = ""


class Writing:
    """One block under way."""

    def __init__(self) -> None:
        self._packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
        self.size = 0

    def add(self, line: bytes) -> bytes:
        """What is to be appended to the block so that the line is in it."""
        packed = self._packer.compress(line) + self._packer.flush(zlib.Z_SYNC_FLUSH)
        self.size += len(packed)
        return packed

    def end(self) -> bytes:
        """What would end the block here; it can go on nevertheless, for somebody else's copy."""
        return self._packer.copy().flush()


def inflate(data: bytes) -> tuple[list[bytes], int, str]:
    """The whole lines of the member at the beginning of `data`, the bytes it takes, and its flaw."""
    opened = zlib.decompressobj(_GZIP)
    flaw, text = "", b""
    try:
        text = opened.decompress(data, MOST_BYTES)
    except zlib.error:
        text, flaw = _up_to_the_damage(data), "damaged"
    if not flaw and not opened.eof:
        flaw = "too large" if opened.unconsumed_tail else CUT
    taken = len(data) if flaw else len(data) - len(opened.unused_data)
    *lines, rest = text.split(b"\n")
    return lines, taken, flaw or (CUT if rest else "")


def _up_to_the_damage(data: bytes) -> bytes:
    """zlib gives nothing of what it was handed together with the damage, so it gets small pieces."""
    opened, found = zlib.decompressobj(_GZIP), bytearray()
    with suppress(zlib.error):
        for start in range(0, len(data), 64):
            found += opened.decompress(data[start : start + 64])
    return bytes(found)


def split(data: bytes) -> Iterator[tuple[Block, list[bytes]]]:
    """The blocks in `data` and their lines; after a damaged one it goes on where the next begins."""
    begins = [0, *_beginnings(data), len(data)]
    for begin, end in pairwise(begins):
        at = begin
        while at < end:
            lines, taken, flaw = inflate(data[at:end])
            yield Block(data[at : at + taken], flaw), lines
            # More than one where the beginning of the next does not look like one.
            at += taken


def _beginnings(data: bytes) -> Iterator[int]:
    at = data.find(MAGIC, 1)
    while at >= 0:
        # Eight bytes that look like a beginning may be in the middle.
        if _begins(data[at : at + 4096]):
            yield at
        at = data.find(MAGIC, at + 1)


def _begins(data: bytes) -> bool:
    """Whether a block begins here indeed."""
    return opening(data) == BEGINNING


def opening(data: bytes) -> bytes:
    """The first bytes of what is compressed in `data`, as many as BEGINNING has; fewer where there is less."""
    try:
        return zlib.decompressobj(_GZIP).decompress(data, len(BEGINNING))
    except zlib.error:
        return b""
