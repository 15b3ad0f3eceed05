"""The file operations of the journal and nothing else, so that a test can let any of them fail."""

import errno
import fcntl
import os
from collections.abc import Callable
from functools import cache
from mmap import mmap
from pathlib import Path
from typing import Protocol

# macOS has none; there the journal meets a full disk when it is full.
_RESERVE: Callable[[int, int, int], None] | None = getattr(os, "posix_fallocate", None)
_UNSUPPORTED = frozenset({errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS})
# Here memory of a file can be had without danger: reserved room stays so when the disk is full, and after an error that
# leaves it read-only (both tried). Elsewhere the system may end a process that puts something there: where all is
# written to a new place (btrfs, ZFS) for want of room, on XFS after an error.
_SAFE = frozenset({"ext4", "tmpfs"})
_ZEROS = bytes(256 * 1024)


class Room(Protocol):
    """A file as memory. What is put there is in the kernel, as what is written is, for a fifth of the cost."""

    def __setitem__(self, where: slice, data: bytes, /) -> None: ...

    def close(self) -> None: ...


class Files(Protocol):
    """Everything raises OSError. `write` may take less than it was given, as the system's may."""

    # Not a method: the system's own function, without a call in between, because every request pays for it.
    write: Callable[[int, bytes], int]

    def names(self, directory: Path) -> list[str]:
        """Makes the directory, for its owner only, where there is none."""

    def lock(self, path: Path) -> int:
        """A descriptor that holds the file until it is closed; BlockingIOError where another process does."""

    def create(self, path: Path) -> int:
        """A new empty file to write to, in place of one of that name."""

    def reserve(self, fd: int, size: int) -> None:
        """Room for so many bytes, read as zeros until they are written."""

    def map(self, fd: int, size: int) -> Room | None:
        """So many bytes of what was reserved, all of them zero; None where they have to be written."""

    def cut(self, fd: int, size: int) -> None: ...

    def size(self, path: Path) -> int: ...

    def open(self, path: Path) -> int:
        """To read from."""

    def read(self, fd: int, size: int, offset: int) -> bytes: ...

    def sync(self, path: Path) -> None:
        """A file's content or a directory's names to the disk."""

    def rename(self, old: Path, new: Path) -> None: ...

    def unlink(self, path: Path) -> None: ...

    def close(self, fd: int) -> None: ...


class Disk:
    """The system's files."""

    write: Callable[[int, bytes], int] = staticmethod(os.write)

    def names(self, directory: Path) -> list[str]:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.listdir(directory)

    def lock(self, path: Path) -> int:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:  # whatever it was: a descriptor that nobody knows is never closed
            os.close(fd)
            raise
        return fd

    def create(self, path: Path) -> int:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)

    def reserve(self, fd: int, size: int) -> None:
        if _RESERVE is None:
            return
        try:
            _RESERVE(fd, 0, size)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise

    def map(self, fd: int, size: int) -> Room | None:
        found = os.fstat(fd)
        if found.st_size < size or _file_system(found.st_dev) not in _SAFE:
            return None
        try:
            # Written in large pieces the kernel's pages are large ones, each of which costs one fault at its first
            # record, not one for each 4 KiB: 2.3 ms for the 4 MiB of a segment instead of 7.4 (measured, Linux 6.18).
            for at in range(0, size, len(_ZEROS)):
                os.pwrite(fd, _ZEROS[: size - at], at)
            return mmap(fd, size)
        except OSError:
            return None

    def cut(self, fd: int, size: int) -> None:
        os.ftruncate(fd, size)

    def size(self, path: Path) -> int:
        return path.stat().st_size

    def open(self, path: Path) -> int:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def read(self, fd: int, size: int, offset: int) -> bytes:
        return os.pread(fd, size, offset)

    def sync(self, path: Path) -> None:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def rename(self, old: Path, new: Path) -> None:
        os.rename(old, new)

    def unlink(self, path: Path) -> None:
        os.unlink(path)

    def close(self, fd: int) -> None:
        os.close(fd)


@cache
def _file_system(device: int) -> str:
    """Its name; "" where that is not known."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return ""
    number = f"{os.major(device)}:{os.minor(device)}"
    found = (line.partition(" - ") for line in mounts)
    return next((what.split()[0] for where, _, what in found if where.split()[2] == number), "")


DISK = Disk()
