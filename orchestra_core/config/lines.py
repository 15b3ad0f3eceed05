"""Finds the line of each key in a TOML document, which `tomllib` does not tell.

The document is known to be valid by then, so this only has to step over values, not to understand them.
"""

import re

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY = re.compile(r"""[ \t]*(?:"((?:\\.|[^"\\])*)"|'([^']*)'|([A-Za-z0-9_-]+))[ \t]*(\.?)""")
_INSIDE = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|'
    + r"'''.*?'{3,5}"
    + r"""|"(?:\\.|[^"\\])*"|'[^']*'|#[^\n]*|[\[\]{}]|\n|[^"'#\[\]{}\n]+""",
    re.DOTALL,
)


def find_lines(text: str) -> dict[Path, int]:
    """Line numbers, from 1, by path; the entries of an array of tables are numbered from 0 in the path."""
    lines: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    at = _end_of(_BLANK, text, 0)
    while at < len(text):
        line = text.count("\n", 0, at) + 1
        if text[at] == "[":
            array = text.startswith("[[", at)
            key, at = _key(text, at + (2 if array else 1))
            table = _table(key, array, counts)
            at += 2 if array else 1
            lines.setdefault(table, line)
            lines.setdefault(table[:-1] if array else table, line)
        else:
            key, at = _key(text, at)
            _note(lines, table, key, line)
            at = _after_value(text, at + 1)
        at = _end_of(_BLANK, text, at)
    return lines


def _end_of(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def _key(text: str, at: int) -> tuple[tuple[str, ...], int]:
    parts: list[str] = []
    while found := _KEY.match(text, at):
        parts.append(next(part for part in found.groups()[:3] if part is not None))
        at = found.end()
        if not found.group(4):
            break
    return tuple(parts), at


def _table(key: tuple[str, ...], array: bool, counts: dict[Path, int]) -> Path:
    path: Path = ()
    for position, part in enumerate(key, start=1):
        path = (*path, part)
        if position < len(key) and path in counts:
            path = (*path, counts[path])
    if array:
        counts[path] = counts.get(path, -1) + 1
        path = (*path, counts[path])
    return path


def _note(lines: dict[Path, int], table: Path, key: tuple[str, ...], line: int) -> None:
    for length in range(1, len(key) + 1):
        lines.setdefault((*table, *key[:length]), line)


def _after_value(text: str, at: int) -> int:
    depth = 0
    while found := _INSIDE.match(text, at):
        piece = found.group()
        if piece == "\n" and depth == 0:
            return at
        depth += (piece in "[{") - (piece in "]}") if len(piece) == 1 else 0
        at = found.end()
    return len(text)
