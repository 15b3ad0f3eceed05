"""Rows of a table that are drawn when they are looked at: of hundreds a terminal shows a few dozen."""

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from typing import TypeVar, overload

from orchestra_tui.present.spans import Line

T = TypeVar("T")


class Unseen(Sequence[Line]):
    """One line for each thing, drawn once, when it is asked for."""

    def __init__(self, things: Sequence[T], draw: Callable[[T], Line]) -> None:
        kept = tuple(things)
        self._draw: Callable[[int], Line] = lambda index: draw(kept[index])
        self._lines: list[Line | None] = [None] * len(things)

    def __len__(self) -> int:
        return len(self._lines)

    @overload
    def __getitem__(self, index: int) -> Line: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Line, ...]: ...
    def __getitem__(self, index: int | slice) -> Line | tuple[Line, ...]:
        if isinstance(index, slice):
            return tuple(self[at] for at in range(*index.indices(len(self))))
        drawn = self._lines[index]
        if drawn is None:
            drawn = self._lines[index] = self._draw(index)
        return drawn


class Drawn(Sequence[tuple[str, Line]]):
    """The id and the row of each thing."""

    def __init__(self, things: Sequence[T], identity: Callable[[T], str], draw: Callable[[T], Line]) -> None:
        self.keys = [identity(thing) for thing in things]
        self.lines = Unseen(things, draw)

    def drawn_by(self, draw: Callable[[int], Line]) -> "Drawn":
        """The same things, the row at each place drawn otherwise."""
        other = copy(self)
        other.lines = Unseen(range(len(self)), draw)
        return other

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[tuple[str, Line]]:
        return zip(self.keys, self.lines, strict=True)

    @overload
    def __getitem__(self, index: int) -> tuple[str, Line]: ...
    @overload
    def __getitem__(self, index: slice) -> list[tuple[str, Line]]: ...
    def __getitem__(self, index: int | slice) -> tuple[str, Line] | list[tuple[str, Line]]:
        if isinstance(index, slice):
            return list(zip(self.keys[index], self.lines[index], strict=True))
        return self.keys[index], self.lines[index]
