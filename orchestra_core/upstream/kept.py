"""The beginning of an answer, kept in case its stream dies and another endpoint has to go on from it.

Hardly any stream dies, so this costs next to nothing as long as it lives: relayed bytes are kept as they came
and are read only then. What is more than 32 KiB is packed, which shrinks chunks fifty times at 0.2 µs for each
(measured); an answer that is still too long then is given up, since memory for an open stream is bounded.
"""

import zlib
from collections.abc import Callable, Sequence

from orchestra_core.domain.fault import WireError
from orchestra_core.domain.outcome import Partial
from orchestra_core.domain.reply import Delta

_RAW_LIMIT = 32 * 1024
_PACKED_LIMIT = 64 * 1024


class Kept:
    """What the client has got. `read` turns bytes that were relayed into increments; None: they are taken as such."""

    __slots__ = ("_count", "_packed", "_packed_size", "_pieces", "_read", "_size", "_spoilt")

    def __init__(self, read: Callable[[bytes], Sequence[Delta]] | None = None) -> None:
        self._read = read
        self._count = 0
        self._pieces: list[bytes] = []
        self._size = 0
        self._packed: list[bytes] = []
        self._packed_size = 0
        self._spoilt = False

    def add(self, data: bytes) -> None:
        self._pieces.append(data)
        self._size += len(data)
        if self._size > _RAW_LIMIT:
            self._pack()

    def take(self, deltas: Sequence[Delta]) -> None:
        """The same for an answer that is decoded anyway."""
        self._count += len(deltas)
        for delta in deltas:
            if _plain(delta):
                self.add(delta.text.encode("utf-8", "surrogatepass"))
            else:
                self._spoilt = True

    def partial(self, so_far: Partial | None) -> Partial | None:
        """The text after `so_far`, and how many increments it was; None if text is not all there is to it."""
        if self._spoilt:
            return None
        data = b"".join([*map(zlib.decompress, self._packed), *self._pieces])
        if self._read is None:
            text, tokens = data.decode("utf-8", "surrogatepass"), self._count
        else:
            try:
                deltas = self._read(data)
            except (WireError, ValueError, RecursionError):
                return None
            if not all(map(_plain, deltas)):
                return None
            text, tokens = "".join(delta.text for delta in deltas), len(deltas)
        return (
            Partial(text, tokens) if so_far is None else Partial(so_far.text + text, so_far.tokens + tokens)
        )

    def _pack(self) -> None:
        if not self._spoilt:
            packed = zlib.compress(b"".join(self._pieces), 1)
            self._packed.append(packed)
            self._packed_size += len(packed)
            self._spoilt = self._packed_size > _PACKED_LIMIT
        if self._spoilt:
            self._packed.clear()
        self._pieces.clear()
        self._size = 0


def _plain(delta: Delta) -> bool:
    """Nothing but text of the only choice, with more to come."""
    return not (delta.reasoning or delta.finish or delta.index or delta.tool_calls is not None)
