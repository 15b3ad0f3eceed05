"""The beginning of an answer, kept in case its stream dies and another endpoint has to go on from it.

Relayed bytes are kept as they came and are read only then; an answer that is too long is given up.
"""

from collections.abc import Callable, Sequence
from typing import Final

from orchestra_core.caching.tape import Tape
from orchestra_core.domain.fault import WireError
from orchestra_core.domain.outcome import Partial
from orchestra_core.domain.reply import Delta

_PACKED_LIMIT: Final = 64 * 1024


class Kept(Tape):
    """What the client has got. `read` turns bytes that were relayed into increments; None: they are taken as such."""

    __slots__ = ("_count", "_read")

    def __init__(self, read: Callable[[bytes], Sequence[Delta]] | None = None) -> None:
        super().__init__(_PACKED_LIMIT)
        self._read = read
        self._count = 0

    def take(self, deltas: Sequence[Delta]) -> None:
        """The same for an answer that is decoded anyway."""
        self._count += len(deltas)
        for delta in deltas:
            if _plain(delta):
                self.add(delta.text.encode("utf-8", "surrogatepass"))
            else:
                self.spoilt = True

    def partial(self, so_far: Partial | None) -> Partial | None:
        """The text after `so_far`, and how many increments it was; None if text is not all there is to it."""
        if self.spoilt:
            return None
        data = b"".join(self.parts())
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


def _plain(delta: Delta) -> bool:
    """Nothing but text of the only choice, with more to come."""
    return not (delta.reasoning or delta.finish or delta.index or delta.tool_calls is not None)
