"""What a stream brings, kept as the bytes it came in, for the case that somebody wants to read them afterwards.

Hardly anybody does while it lives, so this costs next to nothing then: what is more than 32 KiB is packed, which
shrinks chunks fifty times at 0.2 µs for each (measured). What is still too long is given up, since memory for an open
stream is bounded.
"""

import zlib
from collections.abc import Iterator
from typing import Final

_RAW_LIMIT: Final = 32 * 1024


class Tape:
    """`spoilt` turns true when it was given up; then it is empty. `limit` are the packed bytes it may take."""

    __slots__ = ("_limit", "_packed", "_packed_size", "_pieces", "_size", "spoilt")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pieces: list[bytes] = []
        self._size = 0
        self._packed: list[bytes] = []
        self._packed_size = 0
        self.spoilt = False

    def add(self, data: bytes) -> None:
        self._pieces.append(data)
        self._size += len(data)
        if self._size > _RAW_LIMIT:
            self._pack()

    def parts(self) -> Iterator[bytes]:
        """All of it in order, in parts that were packed together and the rest."""
        yield from map(zlib.decompress, self._packed)
        if self._pieces:
            yield b"".join(self._pieces)

    def _pack(self) -> None:
        if not self.spoilt:
            packed = zlib.compress(b"".join(self._pieces), 1)
            self._packed.append(packed)
            self._packed_size += len(packed)
            self.spoilt = self._packed_size > self._limit
        if self.spoilt:
            self._packed.clear()
        self._pieces.clear()
        self._size = 0
