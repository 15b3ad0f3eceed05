"""Tables that fit a terminal of 80 columns: numbers to the right, and names shortened where they would not fit."""

import textwrap
from collections.abc import Sequence

from orchestra_core.cli.output import Printer
from orchestra_core.domain.text import one_line

WIDTH = 80
_GAP = 2
# A name that is shorter still tells nothing any more.
_SHORTEST = 8


def show(
    out: Printer, heads: Sequence[str], rows: Sequence[Sequence[str]], names: int, whole: int = 0
) -> None:
    """A table whose first columns are `names`, of which the first `whole` are never cut, and the others numbers."""
    head, *body = fitted(heads, rows, names, whole)
    out.table(head, body)


def paragraph(out: Printer, said: str, indent: str = "") -> None:
    """Lines of at most 80 characters, those after the first one indented."""
    for line in textwrap.wrap(one_line(said), WIDTH, subsequent_indent=indent, break_on_hyphens=False):
        out.line(line)


def fitted(
    heads: Sequence[str], rows: Sequence[Sequence[str]], names: int, whole: int = 0, width: int = WIDTH
) -> list[tuple[str, ...]]:
    """Heads and rows with the columns from `whole` to `names` cut to what the others leave; numbers to the right."""
    lines = [tuple(one_line(cell) for cell in line) for line in (heads, *rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(heads))]
    room = width - sum(widths[:whole]) - sum(widths[names:]) - _GAP * (len(heads) - 1)
    kept = widths[:whole] + _shared(widths[whole:names], room)
    return [
        tuple(
            _cut(cell, kept[at]).ljust(kept[at]) if at < names else cell.rjust(widths[at])
            for at, cell in enumerate(line)
        )
        for line in lines
    ]


def _shared(wanted: Sequence[int], room: int) -> list[int]:
    """Widths that take no more than the room: the widest give way first."""
    kept = list(wanted)
    while sum(kept) > room and max(kept, default=0) > _SHORTEST:
        kept[kept.index(max(kept))] -= 1
    return kept


def _cut(text: str, width: int) -> str:
    """Both ends of a name tell more than its beginning: `gpt-5…-mini`."""
    if len(text) <= width:
        return text
    tail = (width - 1) // 2
    return f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}"
