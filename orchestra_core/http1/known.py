"""Heads seen before: a client, and a backend, sends the same head again and again, only the length differs.

What a head means is a function of its bytes. So the first of a kind is parsed and checked (httptools and
`checks`), and what came of it is kept under the bytes themselves, the digits of Content-Length left out; an
equal one needs no parsing, which took 15 µs of a request's CPU (measured, both directions together). Only for
messages that arrive whole in one read; everything else goes through the parser.
"""

import re
from typing import Final, Generic, NamedTuple, TypeVar

T = TypeVar("T")
_LENGTH: Final = re.compile(rb"\r\n[Cc]ontent-[Ll]ength: (\d{1,9})\r\n")
_MOST: Final = 512
_LONGEST: Final = 4096
# A head before and after the digits of its Content-Length.
Key = tuple[bytes, bytes]


class Seen(NamedTuple, Generic[T]):
    """A head that was parsed; one connection's next head is nearly always the same."""

    before: bytes
    after: bytes
    meaning: T


def whole(data: bytes) -> tuple[Key, int] | None:
    """The key of the head and where the body starts, if `data` is exactly one message with a Content-Length.

    Equal keys mean equal heads but for the digits: a second Content-Length, or one written in any other way,
    is part of the key, and the parser has refused it before anything could be kept.
    """
    start = data.find(b"\r\n\r\n") + 4
    found = _LENGTH.search(data, 0, start)
    if found is None or start > _LONGEST:
        return None
    if int(found[1]) != len(data) - start:
        return None
    first, last = found.span(1)
    return (data[:first], data[last:start]), start


def again(data: bytes, before: bytes, after: bytes) -> int:
    """Where the body starts if `data` is exactly one message with this head, else 0: a third of the work of `whole`.

    A length written with zeros before it is left to `whole`.
    """
    start = data.find(b"\r", len(before)) + len(after)
    return start if data.startswith(b"%b%d%b" % (before, len(data) - start, after)) else 0


class Known(Generic[T]):
    """What heads came to, at most so many: when full it begins anew, since a head is soon parsed again."""

    def __init__(self) -> None:
        self._heads: dict[Key, Seen[T]] = {}
        self.get = self._heads.get

    def keep(self, key: Key, meaning: T) -> None:
        if len(self._heads) >= _MOST:
            self._heads.clear()
        self._heads[key] = Seen(*key, meaning)

    def forget(self) -> None:
        """Heads hold what clients sent, keys included."""
        self._heads.clear()
