"""An object as JSON to read: indented, wrapped, names set off from values."""

import re
from typing import Any

from orchestra_tui.present.copies import as_json
from orchestra_tui.present.spans import Line, Span, span, wrapped

_NAMED = re.compile(r'( *)("(?:[^"\\]|\\.)*")(: )(.*)')


def lines(thing: Any, cells: int) -> list[Line]:
    """Whatever strings the object has, they are shown and never obeyed; long ones go on in the next line."""
    drawn: list[Line] = []
    for row in as_json([thing]).split("\n"):
        named = _NAMED.fullmatch(row)
        if named is None:
            drawn += _wrapped(row, cells - 1, "")
            continue
        indent, name, colon, value = named.groups()
        head = span(f" {indent}{name}{colon}", "accent")
        rest = _wrapped(value, max(cells - len(head.text), 8), "code", len(head.text))
        drawn += [(head, *rest[0][1:]), *rest[1:]]
    return drawn


def _wrapped(text: str, cells: int, tone: str, indent: int = 1) -> list[Line]:
    room = " " * indent
    rows = wrapped(text, cells + indent, tone, room, room)
    return [(Span(room), *row[1:]) for row in rows]
