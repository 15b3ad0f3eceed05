"""The log of one child process: its own words, kept in a file across restarts, bounded in size."""

import os
import re
import shutil
from collections import deque
from hashlib import sha256
from pathlib import Path
from typing import IO

from orchestra_core.domain.text import one_line

# Enough for some days of warnings; with the one previous file it bounds the disk a child can take.
LIMIT = 8 * 1024 * 1024
_TAIL_BYTES = 64 * 1024
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def file_name(backend: str, model: str) -> str:
    """A name for the files of one model of one backend, readable and different for different models."""
    plain = f"{backend}-{model}"
    safe = _UNSAFE.sub("_", plain)[:80]
    return safe if safe == plain else f"{safe}-{sha256(plain.encode()).hexdigest()[:8]}"


class ChildLog:
    """`<name>.log` with one previous file `<name>.log.1`, readable by the owner only."""

    def __init__(self, directory: Path, name: str) -> None:
        self.path = directory / f"{name}.log"
        self._previous = directory / f"{name}.log.1"

    def open(self) -> IO[bytes]:
        """A new file for a new child, to be its standard output; what was there becomes the previous file."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.path.exists():
            self.path.replace(self._previous)
        return open(self.path, "ab", opener=_private)

    def trim(self) -> None:
        """Moves a log grown too large aside while the child still writes to it.

        The file is emptied in place, because the child holds it open (for appending, so it goes on at the
        start); the few lines written between the copy and the cut are lost.
        """
        if self.size() > LIMIT:
            shutil.copyfile(self.path, self._previous)
            os.truncate(self.path, 0)

    def size(self) -> int:
        """Bytes in the current file, 0 if there is none."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def tail(self, lines: int) -> list[str]:
        """The last lines, oldest first, safe to show; from the previous file too when this one is short."""
        found: deque[str] = deque(maxlen=max(lines, 0))
        for path in (self._previous, self.path):
            found.extend(one_line(line) for line in _end_of(path) if line.strip())
        return list(found)

    def last(self, lines: int) -> list[str]:
        """As `tail`, of the current child only: what a failure is explained with."""
        return [one_line(line) for line in _end_of(self.path) if line.strip()][-lines:]


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _end_of(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            return file.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return []
