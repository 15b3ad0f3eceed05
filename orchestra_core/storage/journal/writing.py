"""The side of the event loop: a record is in the kernel when `begin` or `end` returns, and neither waits or raises.

append --ok--> in the file
   | no room in this segment -> the next one, which begins with the state and with what is open
   |      total bytes used up -> dropped and counted, until the writer thread has made room
   | the file is memory -> copied there: no system call, and nothing to refuse, since the room is reserved; a disk that
   |      broke since is noticed at the next segment
   | the disk refuses (full, broken, read-only) -> kept in memory, up to a bound; the writer thread stores it from
   |      there, and a new segment is tried at the next record or `tick`, at most once a second
"""

import contextlib
import os
from collections import deque
from collections.abc import Callable
from errno import EIO
from pathlib import Path

from orchestra_core.clock import Clock
from orchestra_core.storage.failures import StoreUnusable
from orchestra_core.storage.journal.bounds import Bounds
from orchestra_core.storage.journal.files import DISK, Files
from orchestra_core.storage.journal.frames import UNSTORABLE, begin_frame, end_frame
from orchestra_core.storage.journal.records import Begin
from orchestra_core.storage.journal.replay import Replay, look_back
from orchestra_core.storage.journal.segments import Directory, Segment
from orchestra_core.storage.store import Entry, Row

# The number of its segment, where the ended request before it ends, where it ends itself, and what it is.
Handed = tuple[int, int, int, Entry]


def _no_state() -> bytes:
    return b""


class Journal:
    """`state` is asked, inside `begin` and `end`, for what the records before that one amount to.

    `changed` is called when `trouble` was set or cleared, `found` with what was wrong with what was written before.
    `unfinished` are requests that began and never ended; who takes one stores it. `handed` are the latest that
    ended, so that nobody has to read back what was written just now; what is missing there is in the files.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        *,
        changed: Callable[[], None],
        found: Callable[[str], None],
        files: Files = DISK,
        bounds: Bounds | None = None,
        state: Callable[[], bytes] = _no_state,
    ) -> None:
        self.bounds = bounds or Bounds()
        self.directory = Directory(path, files)
        self.files = files
        self.name = os.urandom(8).hex()
        self.segments: deque[Segment] = deque()
        self.held: deque[Entry] = deque()
        self.handed: deque[Handed] = deque()
        self.trouble = ""
        self.unfinished: deque[Begin] = deque()
        self.found = found
        self._clock = clock
        self._changed = changed
        self._state = state
        self._write = files.write
        self._nowhere = Segment(path, 0, 0)
        self._current = self._nowhere
        self._begun: dict[object, Row] = {}
        self._failed_at: float | None = None
        self._closed = False

    def open(self) -> Replay:
        """What there is; StoreUnusable where it must not be written to. A disk that refuses is only told."""
        try:
            return self._look_back()
        except OSError as error:
            self._fail(error)
            return Replay()

    def _look_back(self) -> Replay:
        left = look_back(self.directory, self.files)
        self.segments.extend(left.segments)
        self.unfinished.extend(left.unfinished)
        for flaw in left.flaws:
            self.found(flaw)
        return left.replay

    @property
    def occupied(self) -> int:
        """Bytes of the disk, with what is reserved and what was set aside."""
        return sum(max(one.held, one.size) for one in list(self.segments)) + self.directory.aside

    def begin(self, begin: Row) -> None:
        """A request is about to be sent; `begin` in the field order of records.Begin."""
        try:
            frame = begin_frame(begin)
        except UNSTORABLE:
            # Its end will be refused for the same reason, and counted.
            return
        self._begun[begin[0]] = begin
        segment = self._current
        if segment.size + len(frame) > segment.limit:
            # The next segment begins with what is open, and so with this one.
            self._next(len(frame))
        else:
            self._append(segment, frame)

    def end(self, entry: Entry) -> bool:
        """Whether it will be stored; raises what UNSTORABLE names."""
        self._begun.pop(entry.request[0], None)
        frame = end_frame(entry)
        segment: Segment | None = self._current
        assert segment is not None
        if segment.size + len(frame) > segment.limit:
            segment = self._next(len(frame))
        if segment is None or not self._append(segment, frame):
            return self._hold(entry)
        bounds = self.bounds
        if len(frame) <= bounds.handed_bytes and len(self.handed) < bounds.handed:
            self.handed.append((segment.number, segment.ended, segment.size, entry))
        segment.ended = segment.size
        return True

    def _append(self, segment: Segment, frame: bytes) -> bool:
        if segment.room is not None:
            end = segment.size + len(frame)
            segment.room[segment.size : end] = frame
            segment.size = end
            return True
        try:
            done = self._write(segment.fd, frame)
            if done < len(frame):
                self._append_rest(segment, frame[done:])
        except OSError as error:
            self._fail(error)
            return False
        segment.size += len(frame)
        return True

    def _append_rest(self, segment: Segment, rest: bytes) -> None:
        while rest:
            done = self._write(segment.fd, rest)
            if not done:
                raise OSError(EIO, "the disk takes nothing any more")
            rest = rest[done:]

    def _next(self, need: int = 0) -> Segment | None:
        """The segment to go on in with a record of so many bytes, None where there can be none now."""
        if self._closed or self._resting():
            return None
        if self.occupied + max(self.bounds.segment, need) > self.bounds.total:
            self._say(f"journal {self.directory.path}: its {self.bounds.total} bytes are used up")
            return None
        try:
            if not self.directory.claimed:
                self._look_back()
            begun = tuple(self._begun.values())
            segment = self.directory.create(self.name, self._state(), begun, self.bounds.segment)
        except StoreUnusable as error:
            self._give_up(error.message)
            return None
        except OSError as error:
            self._fail(error)
            return None
        self._leave()
        self.segments.append(segment)
        self._current = segment
        self._failed_at = None
        self._say("")
        self._write_held(segment)
        return segment if self._current is segment else None

    def tick(self) -> None:
        """Tries again where the disk refused; for when no record does so."""
        if self._failed_at is not None:
            self._next()

    def _resting(self) -> bool:
        failed = self._failed_at
        return failed is not None and self._clock.monotonic() - failed < self.bounds.retry

    def _leave(self) -> None:
        segment, self._current = self._current, self._nowhere
        # What it does not give back now it gives back when it is removed.
        with contextlib.suppress(OSError):
            self.directory.finish(segment)

    def _fail(self, error: OSError) -> None:
        self._give_up(f"journal {self.directory.path}: {error.strerror or error}")

    def _give_up(self, why: str) -> None:
        """Of the segment too: how much of the last record it holds is not known."""
        self._failed_at = self._clock.monotonic()
        self._leave()
        self._say(f"{why}; records that the database does not take at once are in memory only")

    def _say(self, trouble: str) -> None:
        if trouble != self.trouble:
            self.trouble = trouble
            self._changed()

    # -- what the disk does not take ---------------------------------------------------------------------

    def _hold(self, entry: Entry) -> bool:
        if self._failed_at is None or self._closed or len(self.held) >= self.bounds.memory:
            return False
        self.held.append(entry)
        return True

    def _write_held(self, segment: Segment) -> None:
        """The disk takes records again. The writer thread takes from the same queue: each goes one way."""
        while self.held:
            with contextlib.suppress(IndexError):
                entry = self.held.popleft()
                if not self._append(segment, end_frame(entry)):
                    self.held.appendleft(entry)
                    return
                segment.ended = segment.size

    def close(self) -> int:
        """Nothing is taken any more, another engine may have it; how many requests were in memory and are lost."""
        if self.held:
            self._failed_at = None
            self._next()
        self._closed = True
        self._leave()
        self.directory.release()
        return len(self.held)
