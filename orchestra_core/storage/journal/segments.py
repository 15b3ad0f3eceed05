"""The files of a journal: numbered segments in one directory, which one engine at a time may have."""

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from orchestra_core.storage.failures import StoreUnusable
from orchestra_core.storage.journal.files import Files, Room
from orchestra_core.storage.journal.frames import begin_frame, head_frame
from orchestra_core.storage.journal.records import MAGIC, Head
from orchestra_core.storage.store import Row

_NAME: Final = re.compile(r"(?P<number>\d{9,})\.journal")
_NUMBER: Final = re.compile(r"\d{9,}(?=\.journal)")
_ASIDE: Final = ".set-aside-from-"
_NEW: Final = ".new"


class Segment:
    """One file. `size` is how far it is written, `limit` how far it may be.

    `size` belongs to the event loop, which alone appends; the writer thread reads up to it, and sets `limit` to 0
    where nothing more shall be appended. `ended` is where the last ended request in it ends. `flaw` is why nothing
    behind `sound` counts. `held` are bytes of the disk, reserved ones too. `room` is None where records are written.
    """

    __slots__ = (
        "durable",
        "ended",
        "fd",
        "flaw",
        "held",
        "journal",
        "limit",
        "number",
        "path",
        "room",
        "size",
        "sound",
    )

    def __init__(self, path: Path, number: int, size: int, *, limit: int = 0, fd: int = -1) -> None:
        self.path = path
        self.number = number
        self.size = size
        self.ended = 0
        self.limit = limit
        self.fd = fd
        self.journal = ""
        self.flaw = ""
        self.sound = 0
        self.durable = False
        self.held = max(size, limit)
        self.room: Room | None = None


class Directory:
    """Where segments are. Every method raises OSError."""

    def __init__(self, path: Path, files: Files) -> None:
        self.path = path
        self._files = files
        self._lock = -1
        # Bytes that were set aside, and the highest number ever given.
        self.aside = self.number = 0

    @property
    def claimed(self) -> bool:
        return self._lock >= 0

    def claim(self) -> list[Segment]:
        """The segments there are, oldest first; StoreUnusable where another engine has them."""
        names = self._files.names(self.path)
        if self._lock < 0:
            self._lock = self._locked()
        found = []
        for name in names:
            match = _NAME.fullmatch(name)
            if match is not None:
                path = self.path / name
                found.append(Segment(path, int(match["number"]), self._files.size(path)))
            elif name.endswith(_NEW):
                self._files.unlink(self.path / name)
        aside = [name for name in names if _ASIDE in name]
        self.aside = sum(self._files.size(self.path / name) for name in aside)
        numbers = [int(match[0]) for name in names if (match := _NUMBER.match(name)) is not None]
        self.number = max(numbers, default=0)
        return sorted(found, key=lambda segment: segment.number)

    def _locked(self) -> int:
        path = self.path / "lock"
        try:
            return self._files.lock(path)
        except BlockingIOError as error:
            raise StoreUnusable(
                f"journal {self.path}: another engine is using it; stop that one first, or give this one a "
                "state directory of its own (XDG_STATE_HOME)"
            ) from error

    def create(self, journal: str, state: bytes, begun: Sequence[Row], room: int) -> Segment:
        """The next segment, whole or not at all, with room for so many bytes in all."""
        head = Head(journal, self.number + 1, state)
        path = self.path / f"{head.segment:09d}.journal"
        draft = path.with_name(path.name + _NEW)
        content = MAGIC + head_frame(head) + b"".join(map(begin_frame, begun))
        fd = self._files.create(draft)
        try:
            self._reserve(fd, room)
            mapped = self._files.map(fd, room)
            self._write(fd, content)
            self._files.rename(draft, path)
        except BaseException:  # whatever it was: nobody else knows the descriptor
            self._files.close(fd)
            with contextlib.suppress(OSError):
                self._files.unlink(draft)
            raise
        segment = Segment(path, head.segment, len(content), limit=max(room, len(content)), fd=fd)
        segment.journal = journal
        segment.room = mapped
        self.number = head.segment
        return segment

    def _reserve(self, fd: int, room: int) -> None:
        """Where the disk is nearly full, what is left of it may still do without a reservation."""
        try:
            self._files.reserve(fd, room)
        except OSError:
            self._files.cut(fd, 0)

    def _write(self, fd: int, content: bytes) -> None:
        while content:
            content = content[self._files.write(fd, content) :]

    def remove(self, segment: Segment) -> None:
        """Ends a segment of which nothing is needed any more; one with a flaw is kept, under a name that says so."""
        if not segment.flaw:
            self._files.unlink(segment.path)
            return
        aside = segment.path.with_name(f"{segment.path.name}{_ASIDE}{segment.sound}")
        self._files.rename(segment.path, aside)
        self.aside += segment.held

    def finish(self, segment: Segment) -> None:
        """Nothing is appended any more: gives back the room it did not need."""
        fd, segment.fd = segment.fd, -1
        if fd < 0:
            return
        if segment.room is not None:
            segment.room.close()
            segment.room = None
        try:
            self._files.cut(fd, segment.size)
            segment.held = segment.size
        finally:
            self._files.close(fd)

    def release(self) -> None:
        """Another engine may have it."""
        if self._lock >= 0:
            self._files.close(self._lock)
            self._lock = -1
