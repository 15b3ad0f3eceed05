"""Finding words in lines that are shown."""

import re
from collections.abc import Sequence
from itertools import pairwise

from orchestra_tui.present.spans import Line, Span, plain


def places(lines: Sequence[Line], words: str) -> list[int]:
    """The lines that have the words, whatever the case of their letters."""
    sought = _pattern(words)
    return [index for index, row in enumerate(lines) if sought.search(plain(row))] if words else []


def lit(lines: Sequence[Line], words: str) -> list[Line]:
    """The lines with the words set off."""
    return [_lit(row, _pattern(words)) for row in lines] if words else list(lines)


def _pattern(words: str) -> re.Pattern[str]:
    return re.compile(re.escape(words), re.IGNORECASE)


def _lit(row: Line, sought: re.Pattern[str]) -> Line:
    ranges = [found.span() for found in sought.finditer(plain(row))]
    if not ranges:
        return row
    cuts = sorted({at for pair in ranges for at in pair})
    done: list[Span] = []
    start = 0
    for part in row:
        end = start + len(part.text)
        edges = [start, *(at for at in cuts if start < at < end), end]
        for first, last in pairwise(edges):
            inside = any(low <= first and last <= high for low, high in ranges)
            text = part.text[first - start : last - start]
            done.append(part._replace(text=text, tone="badge") if inside else part._replace(text=text))
        start = end
    return tuple(done)
