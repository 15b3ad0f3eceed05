"""Reading the audit log, newest first, a page at a time, also over the file that was set aside when it was full.

A place in it is the file's number in its file system and an offset: both stay true when the file is renamed.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from orchestra_core.domain.errors import InvalidRequest

_BLOCK = 65_536
_PLACE = re.compile(r"(\d{1,20})-(\d{1,20})")
_decoder = msgspec.json.Decoder(dict[str, Any])


class Page(msgspec.Struct, frozen=True):
    """`next` is where the page after this one, of older entries, begins; None: there is none."""

    entries: list[dict[str, Any]]
    next: str | None = None


def read_page(path: Path, before: str, limit: int) -> Page:
    """Up to `limit` entries that are older than the place `before`, of all where that is empty.

    Blocking. Raises InvalidRequest for a place that is none, or in a file that is no longer there.
    """
    wanted = _place(before)
    entries: list[dict[str, Any]] = []
    for file in (path, path.with_name(path.name + ".1")):
        try:
            with file.open("rb") as opened:
                number = os.fstat(opened.fileno()).st_ino
                if wanted is not None and wanted[0] != number:
                    continue
                end = os.fstat(opened.fileno()).st_size
                for start, line in _backwards(opened, end if wanted is None else min(wanted[1], end)):
                    entry = _read(line)
                    if entry is None:
                        continue
                    if len(entries) == limit:
                        return Page(entries, f"{number}-{start + len(line) + 1}")
                    entries.append(entry)
                wanted = None
        except FileNotFoundError:
            continue
    if wanted is not None:
        raise InvalidRequest(
            "that place is no longer in the audit log: begin anew without it", param="before"
        )
    return Page(entries)


def _place(before: str) -> tuple[int, int] | None:
    if not before:
        return None
    found = _PLACE.fullmatch(before)
    if found is None:
        raise InvalidRequest("take the place from `next` of the page before it", param="before")
    return int(found[1]), int(found[2])


def _backwards(file: BinaryIO, end: int) -> Iterator[tuple[int, bytes]]:
    """(offset, line without its end) of each whole line that begins before `end`, the last one first."""
    rest = b""
    while end > 0:
        begin = max(0, end - _BLOCK)
        file.seek(begin)
        lines = (file.read(end - begin) + rest).split(b"\n")
        rest = lines[0]
        at = begin + len(rest) + 1
        places = []
        for line in lines[1:]:
            places.append((at, line))
            at += len(line) + 1
        yield from ((start, line) for start, line in reversed(places) if line)
        end = begin
    if rest:
        yield 0, rest


def _read(line: bytes) -> dict[str, Any] | None:
    """A line that was cut by a crash says nothing."""
    try:
        return _decoder.decode(line)
    except msgspec.MsgspecError:
        return None
