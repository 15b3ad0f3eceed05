"""One segment from its beginning up to the first thing wrong with it; nothing behind that counts."""

from collections.abc import Iterator
from zlib import crc32

import msgspec

from orchestra_core.storage.failures import StoreUnusable
from orchestra_core.storage.journal.files import Files
from orchestra_core.storage.journal.records import FAMILY, HEAD, HEADER, MAGIC, Head, read_head
from orchestra_core.storage.journal.segments import Segment

# Kind, body, and where the record ends.
Found = tuple[int, memoryview, int]


class Flaw(Exception):
    """What is wrong; everything before `at` (bytes) is sound."""

    def __init__(self, at: int, why: str) -> None:
        super().__init__(why)
        self.at = at


def blank(data: memoryview) -> bool:
    """Whether it is reserved room that was never written to."""
    return not bytes(data).strip(b"\0")


def records(data: bytes | memoryview, at: int = 0) -> Iterator[Found]:
    """The records from `at` to where reserved room or the data ends; raises Flaw at the first that is not one."""
    view = memoryview(data)
    unpack, header = HEADER.unpack_from, HEADER.size
    stop = len(view)
    while stop - at >= header:
        length, crc, kind = unpack(view, at)
        if not kind:
            break
        end = at + header + length
        if end > stop:
            raise Flaw(at, "it ends in the middle of a record")
        if crc32(view[at + header - 1 : end]) != crc:
            raise Flaw(at, "the last record is not whole" if blank(view[end:]) else "a record is damaged")
        yield kind, view[at + header : end], end
        at = end
    if not blank(view[at:]):
        raise Flaw(at, "it ends in the middle of a record")


def read_segment(segment: Segment, files: Files) -> bytes:
    """All of it; "" and a flaw where it cannot be read."""
    try:
        fd = files.open(segment.path)
        try:
            return _whole(fd, files)
        finally:
            files.close(fd)
    except OSError as error:
        segment.flaw = f"it cannot be read ({error.strerror})"
        return b""


def _whole(fd: int, files: Files) -> bytes:
    parts, at = list[bytes](), 0
    while part := files.read(fd, 1 << 20, at):
        parts.append(part)
        at += len(part)
    return b"".join(parts)


def scan(segment: Segment, data: bytes) -> tuple[Head | None, list[Found]]:
    """Its head and the records after it; says in the segment how far it is sound. StoreUnusable: a newer journal."""
    segment.size = segment.sound = 0
    if segment.flaw:
        return None, []
    if not data.startswith(MAGIC):
        if data.startswith(FAMILY):
            raise StoreUnusable(
                f"journal {segment.path}: written by a newer version; upgrade ai-orchestra. It was not touched."
            )
        segment.flaw = "it does not begin as a journal does"
        return None, []
    found = list[Found]()
    segment.size = segment.sound = len(MAGIC)
    try:
        for record in records(data, len(MAGIC)):
            found.append(record)
            segment.size = segment.sound = record[2]
    except Flaw as flaw:
        segment.flaw = str(flaw)
    return _head(segment, found), found[1:]


def _head(segment: Segment, found: list[Found]) -> Head | None:
    try:
        if found and found[0][0] == HEAD:
            return read_head(found[0][1])
    except msgspec.MsgspecError:
        pass
    segment.flaw = segment.flaw or "it does not begin as a journal does"
    found.clear()
    segment.size = segment.sound = 0
    return None
