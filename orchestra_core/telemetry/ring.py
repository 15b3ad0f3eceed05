"""Numbers of the last so many stretches of time, in columns of fixed size."""

from array import array
from collections.abc import Sequence
from typing import Any, TypeAlias

Number = int | float
# Of whole numbers ("q") or of any ("d").
Column: TypeAlias = "array[Any]"


class Ring:
    """`size` rows of the columns named in `blanks`, whose value there is that of a row nobody put.

    Whole numbers are kept as such, 8 bytes each; so is everything else.
    """

    __slots__ = ("_blanks", "_columns", "_size", "last")

    def __init__(self, size: int, blanks: Sequence[Number]) -> None:
        self._size = size
        self._blanks = tuple(blanks)
        self._columns: list[Column] = [
            array("q", [blank]) * size if isinstance(blank, int) else array("d", [blank]) * size
            for blank in blanks
        ]
        self.last = -1

    def put(self, number: int, row: Sequence[Number]) -> None:
        """Numbers rise; those left out are blank, and what is `size` behind is forgotten."""
        for gone in range(max(self.last + 1, number - self._size + 1), number):
            self._write(gone, self._blanks)
        self._write(number, row)
        self.last = number

    def _write(self, number: int, row: Sequence[Number]) -> None:
        place = number % self._size
        for column, value in zip(self._columns, row, strict=True):
            column[place] = value

    def columns(self, start: int, end: int) -> list[list[Number]]:
        """Each column's values from row `start` to before `end`, of which `size` at most are known."""
        low = min(max(start, self.last - self._size + 1, 0), end)
        high = max(min(end, self.last + 1), low)
        return [
            [blank] * (low - start) + self._between(column, low, high) + [blank] * (end - high)
            for column, blank in zip(self._columns, self._blanks, strict=True)
        ]

    def _between(self, column: Column, low: int, high: int) -> list[Number]:
        if low == high:
            return []
        first, last = low % self._size, (high - 1) % self._size + 1
        return [*column[first:last]] if first < last else [*column[first:], *column[:last]]
