"""Blocks of a recording: gzip members of lines, each readable without the others; several in a row are a recording.

What was written is flushed to a byte border each time, so that a block without an end says all that got into it.
"""

import zlib
from collections.abc import Iterator
from contextlib import suppress

import msgspec

# The members that zlib makes begin so: no name, no time, no comment.
MAGIC = b"\x1f\x8b\x08\x00\x00\x00\x00\x00"
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
        flaw = "too large" if opened.unconsumed_tail else "cut off"
    taken = len(data) if flaw else len(data) - len(opened.unused_data)
    *lines, rest = text.split(b"\n")
    return lines, taken, flaw or ("cut off" if rest else "")


def _up_to_the_damage(data: bytes) -> bytes:
    """zlib gives nothing of what it was handed together with the damage, so it gets small pieces."""
    opened, found = zlib.decompressobj(_GZIP), bytearray()
    with suppress(zlib.error):
        for start in range(0, len(data), 64):
            found += opened.decompress(data[start : start + 64])
    return bytes(found)


def split(data: bytes) -> Iterator[tuple[Block, list[bytes]]]:
    """The blocks in `data` and their lines; after a damaged one it goes on where the next begins."""
    at = data.find(MAGIC)
    while at >= 0:
        after = data.find(MAGIC, at + 1)
        lines, taken, flaw = inflate(data[at:] if after < 0 else data[at:after])
        while flaw and after >= 0 and not _begins(data[after:]):
            # Eight bytes that look like a beginning were in the middle.
            after = data.find(MAGIC, after + 1)
            lines, taken, flaw = inflate(data[at:] if after < 0 else data[at:after])
        yield Block(data[at : at + taken], flaw), lines
        at = after


def _begins(data: bytes) -> bool:
    """Whether a block begins here indeed."""
    try:
        return zlib.decompressobj(_GZIP).decompress(data[:4096], 13) == b'{"recording":'
    except zlib.error:
        return False
