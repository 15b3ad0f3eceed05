"""The side of the writer thread: groups of ended requests, and the end of segments that are stored."""

import contextlib
from collections.abc import Callable
from zlib import crc32

import msgspec

from orchestra_core.storage.journal.records import (
    BEGIN,
    END,
    END_SEED,
    HEAD,
    HEADER,
    MAGIC,
    read_entry,
)
from orchestra_core.storage.journal.scan import Flaw
from orchestra_core.storage.journal.segments import Segment
from orchestra_core.storage.journal.writing import Journal
from orchestra_core.storage.store import Entry, Mark

_CHUNK = 1024 * 1024
_UNPACK = HEADER.unpack_from
_HEADER = HEADER.size
_PASSED = frozenset({HEAD, BEGIN})


class Batch(msgspec.Struct, frozen=True):
    """`mark`: how far the journal was read with it; None for what came from memory. `faults`: of unreadable ones."""

    entries: list[Entry]
    mark: Mark | None = None
    end: int = 0
    faults: tuple[str, ...] = ()


class Reading:
    """Reads a journal in order, once. Used by one thread, while the event loop appends."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._files = journal.files
        self._segments = journal.segments
        # The segment read now, how far, and how far before is stored already.
        self._index = 0
        self._offset = 0
        self._fd = -1
        self._stored: dict[int, int] = {}
        # While it waits for the segment after one that cannot be read on.
        self.spoiled = False

    def resume(self, mark_of: Callable[[str], Mark | None]) -> None:
        """Passes over what is stored already; `mark_of` is the store's."""
        for segment in list(self._segments):
            mark = mark_of(segment.journal)
            if mark is not None and segment.number <= mark.segment:
                self._stored[segment.number] = mark.offset if segment.number == mark.segment else segment.size
        if self._segments:
            self._offset = self._stored.get(self._segments[0].number, 0)

    @property
    def behind(self) -> int:
        """Bytes that are not stored yet."""
        segments = list(self._segments)[self._index :]
        return max(0, sum(segment.size for segment in segments) - self._offset)

    def take(self, limit: int) -> Batch | None:
        """The next requests, at most `limit`; None where there are none. What memory holds comes last."""
        while (segment := self._here()) is not None:
            try:
                batch = self._handed(segment, limit) or self._read(segment, limit)
            except Flaw as flaw:
                self._spoil(segment, flaw)
            else:
                if batch.entries or batch.faults:
                    return batch
                self._offset = batch.end
        entries = list[Entry]()
        with contextlib.suppress(IndexError):
            while len(entries) < limit:
                entries.append(self._journal.held.popleft())
        return Batch(entries) if entries else None

    def settle(self, batch: Batch) -> None:
        """It is stored: what is behind it is not needed any more."""
        if batch.mark is not None:
            self._offset = batch.end
        self._sweep()

    def harden(self) -> None:
        """The database does not take records: what is complete of the journal is to survive a power cut meanwhile."""
        for segment in list(self._segments)[:-1]:
            if not segment.durable:
                with contextlib.suppress(OSError):
                    self._files.sync(segment.path)
                    segment.durable = True

    def close(self) -> None:
        if self._fd >= 0:
            self._files.close(self._fd)
            self._fd = -1

    def _here(self) -> Segment | None:
        """The segment in which there is something to read."""
        while self._index < len(self._segments):
            segment = self._segments[self._index]
            last = self._index + 1 == len(self._segments)
            # Looked at after `last`: what is not the last one grows no more. What only began is not for the database.
            if self._offset < (segment.ended if segment.journal == self._journal.name else segment.size):
                return segment
            if last:
                return None
            self.close()
            self.spoiled = False
            self._index += 1
            self._offset = self._stored.get(self._segments[self._index].number, 0)
            self._sweep()
        return None

    def _handed(self, segment: Segment, limit: int) -> Batch | None:
        """The next ones from memory, as far as none is missing there: it saves half of what storing them costs
        the interpreter.
        """
        handed, at = self._journal.handed, self._offset
        entries = list[Entry]()
        while handed and len(entries) < limit:
            number, before, end, entry = handed[0]
            if (number, end) > (segment.number, at):
                if number > segment.number or before > at:
                    break
                entries.append(entry)
                at = end
            handed.popleft()
        return Batch(entries, Mark(segment.journal, segment.number, at), at) if entries else None

    def _read(self, segment: Segment, limit: int) -> Batch:
        at = max(self._offset, len(MAGIC))
        data = self._chunk(segment, at, min(_CHUNK, segment.size - at))
        if len(data) >= _HEADER:
            whole = _HEADER + _UNPACK(data)[0]
            if whole > len(data):
                data = self._chunk(segment, at, whole)
        entries, faults, used = _entries(data, limit)
        if not used:
            raise Flaw(at, "a record is damaged")
        return Batch(entries, Mark(segment.journal, segment.number, at + used), at + used, tuple(faults))

    def _chunk(self, segment: Segment, at: int, size: int) -> bytes:
        try:
            if self._fd < 0:
                self._fd = self._files.open(segment.path)
            return self._files.read(self._fd, size, at)
        except OSError as error:
            raise Flaw(at, f"it cannot be read ({error.strerror})") from error

    def _spoil(self, segment: Segment, flaw: Flaw) -> None:
        """Nothing behind the flaw can be read, and nothing more is to be written behind it."""
        segment.flaw = str(flaw)
        segment.sound = flaw.at
        segment.limit = 0
        self.spoiled = True
        self._offset = 1 << 62
        self._journal.found(f"{segment.path.name}: {flaw}; what follows byte {flaw.at} is set aside")

    def _sweep(self) -> None:
        """Removes what was read before the segment that is read now; the newest always stays, for its state."""
        with contextlib.suppress(OSError):
            while self._index > 0:
                self._journal.directory.remove(self._segments[0])
                self._segments.popleft()
                self._index -= 1


def _entries(data: bytes, limit: int) -> tuple[list[Entry], list[str], int]:
    """The ended requests in it, why others could not be understood, and the bytes of all sound records read."""
    entries, faults = list[Entry](), list[str]()
    at, stop = 0, len(data)
    while stop - at >= _HEADER and len(entries) < limit:
        length, crc, kind = _UNPACK(data, at)
        end = at + _HEADER + length
        if end > stop:
            break
        if kind == END:
            body = data[at + _HEADER : end]
            if crc32(body, END_SEED) != crc:
                break
            try:
                entries.append(read_entry(body))
            except msgspec.MsgspecError as error:
                faults.append(str(error))
        elif kind not in _PASSED:
            break
        at = end
    return entries, faults, at
