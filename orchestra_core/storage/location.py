"""Where the ledger lives: the URL of the configuration made into a private file."""

import errno
import os
import stat
from pathlib import Path

from orchestra_core.storage.failures import StoreUnavailable, StoreUnusable

# A disk that is full, broken or was made read-only: no reason to choose another place, or not to start.
_PASSING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS})
_PREFIX = "sqlite:///"


def locate(url: str) -> Path:
    """The file of a `sqlite:///relative` or `sqlite:////absolute` URL; StoreUnusable for anything else."""
    scheme = url.partition(":")[0]
    if not url.startswith(_PREFIX) or len(url) == len(_PREFIX):
        raise StoreUnusable(
            f"storage.url: expected sqlite:///path/to/file.db or postgresql://…, not a {scheme or 'nameless'} URL"
        )
    path = Path(url.removeprefix(_PREFIX))
    if str(path) == ":memory:":
        raise StoreUnusable("storage.url: a ledger in memory would be lost; name a file")
    return path.expanduser().absolute()


def prepare(path: Path) -> None:
    """Makes missing directories 0700 and the file 0600, also one that is there; it holds who asked what, and keys."""
    try:
        _make_directories(path.parent)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        for file in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
            _make_private(file)
    except OSError as error:
        if error.errno in _PASSING:
            raise StoreUnavailable(f"ledger {path}: {error.strerror}") from error
        raise StoreUnusable(
            f"ledger {path}: {error.strerror}; choose a writable place with storage.url"
        ) from error


def _make_private(file: Path) -> None:
    try:
        info = file.stat()
    except FileNotFoundError:
        return
    # Somebody else's file is theirs to keep private.
    if stat.S_IMODE(info.st_mode) & 0o077 and info.st_uid == os.getuid():
        file.chmod(0o600)


def _make_directories(directory: Path) -> None:
    # Path.mkdir(parents=True) would give the intermediate ones the default mode.
    missing = [place for place in (directory, *directory.parents) if not place.exists()]
    for place in reversed(missing):
        place.mkdir(mode=0o700, exist_ok=True)
