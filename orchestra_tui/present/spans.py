"""Text with tones: what every presenter returns and every widget paints.

A tone is the name of a style, never a colour. Widths are terminal cells, measured by the same table the
renderer uses, so columns cannot drift.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

from orchestra_core.domain.text import one_line, safe_text

TONES = (
    "muted",
    "good",
    "warn",
    "bad",
    "accent",
    "strong",
    "title",
    "badge",
    "key",
    "tab",
    "code",
    "in-red",
    "in-yellow",
    "in-green",
    "in-blue",
    "in-magenta",
    "in-cyan",
)


class Span(NamedTuple):
    """A run of one tone; `action` is what a click on it does."""

    text: str
    tone: str = ""
    action: str = ""


Line = tuple[Span, ...]
EMPTY: Line = ()
_TOKENS = re.compile(r"\s+|\S+")


def span(text: str, tone: str = "", action: str = "") -> Span:
    """The only way text gets into a line: whatever it is, it is sanitised here."""
    return Span(one_line(text), tone, action)


def line(*parts: Span | str) -> Line:
    return tuple(part if isinstance(part, Span) else span(part) for part in parts)


def plain(spans: Line) -> str:
    return "".join(part.text for part in spans)


def width(spans: Line) -> int:
    return sum(cell_len(part.text) for part in spans)


def cut(text: str, cells: int, more: str = "…") -> str:
    """`text` in at most `cells` cells, its end marked when something was cut."""
    text = one_line(text)
    if cell_len(text) <= cells:
        return text
    return set_cell_size(text, cells - 1) + more if cells > 1 else more[:cells]


def pad(text: str, cells: int, *, right: bool = False, more: str = "…") -> str:
    """`text` in exactly `cells` cells."""
    text = cut(text, cells, more)
    gap = " " * (cells - cell_len(text))
    return gap + text if right else text + gap


def cut_line(spans: Line, cells: int, more: str = "…") -> Line:
    """The line in at most `cells` cells."""
    if width(spans) <= cells:
        return spans
    kept: list[Span] = []
    for part in spans:
        size = cell_len(part.text)
        if size >= cells:
            kept.append(part._replace(text=cut(part.text + "  ", cells, more)))
            break
        kept.append(part)
        cells -= size
    return tuple(kept)


def fit(parts: Iterable[tuple[int, Line]], cells: int, gap: int = 2) -> Line:
    """As many parts as fit, in their order; those with the highest number are dropped first (0: never)."""
    kept = [(rank, spans) for rank, spans in parts if spans]
    while kept and sum(width(spans) + gap for _, spans in kept) - gap > cells:
        worst = max(rank for rank, _ in kept)
        if worst == 0:
            break
        last = max(index for index, (rank, _) in enumerate(kept) if rank == worst)
        del kept[last]
    space = Span(" " * gap)
    joined: list[Span] = []
    for _, spans in kept:
        joined += [space, *spans] if joined else spans
    return cut_line(tuple(joined), cells)


@lru_cache(maxsize=2048)
def wrap(paragraph: str, cells: int) -> tuple[str, ...]:
    """One paragraph broken at spaces, and inside a word only where it is longer than the line."""
    cells = max(cells, 1)
    if cell_len(paragraph) <= cells:
        return (paragraph,)
    lines: list[str] = []
    current, used = "", 0
    for token in _TOKENS.findall(paragraph):
        size = cell_len(token)
        if used + size <= cells:
            current, used = current + token, used + size
            continue
        if current.strip():
            lines.append(current.rstrip())
        current, used = "", 0
        if not token.isspace():
            *full, current = _pieces(token, cells)
            lines += full
            used = cell_len(current)
    return (*lines, current)


def _pieces(word: str, cells: int) -> list[str]:
    pieces = [""]
    room = cells
    for char in word:
        size = cell_len(char)
        if size > room:
            pieces[-1], rest = _joint(pieces[-1])
            pieces.append(rest)
            room = cells - cell_len(rest)
        pieces[-1] += char
        room -= size
    return pieces


def _joint(piece: str) -> tuple[str, str]:
    """A full piece split after its last joint, if one is in its second half."""
    at = max(piece.rfind(sign) for sign in "-/_.,") + 1
    return (piece[:at], piece[at:]) if at > len(piece) // 2 else (piece, "")


def wrapped(text: str, cells: int, tone: str = "", first: str = "", rest: str = "") -> list[Line]:
    """Foreign text of several lines, each wrapped; `first` and `rest` are put before the lines."""
    lines: list[Line] = []
    for paragraph in safe_text(text).expandtabs(4).split("\n"):
        for piece in wrap(paragraph, cells - max(cell_len(first), cell_len(rest))):
            lines.append(line(Span(rest if lines else first, "muted"), Span(piece, tone)))
    return lines
