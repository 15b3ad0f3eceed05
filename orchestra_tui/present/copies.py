"""What can be copied and exported of a view, as text."""

import csv
import io
import re
import shlex
from collections.abc import Sequence
from typing import Any

import msgspec

from orchestra_core.domain.text import one_line
from orchestra_tui.present.listing import Subject, Value
from orchestra_tui.present.spans import Line, plain

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?\Z")
# What spreadsheets take for the beginning of a formula, in either width (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


class Copy(msgspec.Struct, frozen=True):
    """One entry of the menu; `key` is the letter that takes it at once."""

    key: str
    label: str
    text: str


def as_json(things: Sequence[Any]) -> str:
    """One object, or a list of several, with everything the engine says of each."""
    data = msgspec.to_builtins(things[0] if len(things) == 1 else list(things))
    return msgspec.json.format(msgspec.json.encode(data), indent=2).decode()


def as_csv(subject: Subject, things: Sequence[Any], now: str) -> str:
    """A row for each object, a column for each facet, numbers in the engine's units; what is not known is empty."""
    out = io.StringIO()
    # Words are all quoted: no separator that a spreadsheet may try instead can break them into cells.
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(subject.names)
    for thing in things:
        writer.writerow([_cell(facet.value(thing, now)) for facet in subject.facets])
    return out.getvalue()


def as_text(header: Line, rows: Sequence[Line]) -> str:
    return "\n".join(plain(row).rstrip() for row in (header, *rows)) + "\n"


def harmless(text: str) -> str:
    """Words that a spreadsheet does not run: an apostrophe before what would begin a formula makes it text.

    Control characters, which can hide the beginning of one, are spelled out. A plain number is only a number.
    """
    text = one_line(text)
    runs = text.lstrip()[:1] in _FORMULA and not _NUMBER.match(text)
    return f"'{text}" if runs and text.strip() else text


def curl(target: str, path: str, pick: str = "") -> str:
    """The command that gets `path` of the engine at a URL or a socket; `pick` is jq's expression for a part of it."""
    if target.startswith(("http://", "https://")):
        url = target.rstrip("/") + path
        words = f'curl -sS -H "Authorization: Bearer $ORCHESTRATOR_API_KEY" {shlex.quote(url)}'
    else:
        words = f"curl -sS --unix-socket {shlex.quote(target)} {shlex.quote(f'http://engine{path}')}"
    return f"{words} | jq {shlex.quote(pick)}" if pick else words


def member(name: str, field: str, keys: Sequence[str]) -> str:
    """jq's expression for the objects of a list in the snapshot."""
    wanted = " or ".join(f".{field} == {msgspec.json.encode(key).decode()}" for key in keys)
    return f".{name}[] | select({wanted})"


def _cell(value: Value) -> str | int | float:
    if value is None:
        return ""
    return harmless(value) if isinstance(value, str) else value
