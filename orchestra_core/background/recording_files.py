"""The files of a recording: one for each block, appended to as it grows, so that a killed engine leaves what it had.

What reached the system outlives the process; nothing is synced, so the machine's own end may take the last seconds.
"""

import contextlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

from orchestra_core.recording.ring import Segment

DIRECTORY = "recording"
_NAME = re.compile(r"(\d{13})-([0-9a-f]{1,16})\.jsonl\.gz")


def segments(directory: Path) -> list[Segment]:
    """What is there, of this engine and of those before it; nothing where nothing can be read."""
    found = []
    with contextlib.suppress(OSError):
        for name in os.listdir(directory):
            if (match := _NAME.fullmatch(name)) is not None:
                with contextlib.suppress(OSError):
                    info = (directory / name).stat()
                    found.append(Segment(name, int(match[1]) / 1000, info.st_mtime, info.st_size))
    return found


class RecordingFiles:
    """Blocking. Files are private to the user of the engine."""

    def __init__(self, directory: Path, engine: str) -> None:
        self.directory = directory
        self._engine = engine
        self._open: int | None = None
        self.path = directory

    def begin(self, at: float) -> None:
        """A new file, for what is appended from now on. Raises OSError."""
        self.end()
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = self.directory / f"{int(at * 1000):013d}-{self._engine}.jsonl.gz"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        self._open = os.open(self.path, flags, 0o600)

    def append(self, data: bytes, at: float) -> None:
        """Raises OSError, also for what was written in part: then the file has a cut end."""
        if self._open is None:
            raise FileNotFoundError
        if os.write(self._open, data) < len(data):
            raise OSError(28, "No space left on device")
        os.utime(self._open, (at, at))

    def end(self) -> None:
        if self._open is not None:
            os.close(self._open)
            self._open = None

    def remove(self, names: Iterable[str]) -> None:
        """Leaves what cannot be removed: the next block tries again."""
        for name in names:
            with contextlib.suppress(OSError):
                (self.directory / name).unlink()
