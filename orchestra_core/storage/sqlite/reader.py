"""Reading an SQLite file, by connections that cannot write; and what must be true of it before it is written to."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from orchestra_core.storage.failures import StoreDamaged, StoreEmpty, StoreUnavailable
from orchestra_core.storage.sqlite.migrations import version
from orchestra_core.storage.store import Connection

# A full check reads the whole file; above this size it would delay the start noticeably.
_CHECKED_BYTES = 64 * 1024 * 1024


class SqliteReader:
    """Opens the file anew for each question, so that any thread may ask at any time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.place = str(path)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Everything read within is of one moment."""
        if not self._path.exists():
            raise StoreEmpty(f"ledger {self.place}: there is no such file yet")
        try:
            with contextlib.closing(connect_reader(self._path)) as connection:
                connection.execute("PRAGMA temp_store = MEMORY")
                connection.execute("BEGIN")
                yield connection
        except sqlite3.Error as error:
            kind = StoreEmpty if "no such table" in str(error) else StoreUnavailable
            raise kind(f"ledger {self.place}: {error}") from error

    def size(self) -> int:
        """Bytes of the file and of what is not in it yet."""
        files = (self._path, self._path.with_name(self._path.name + "-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def close(self) -> None:
        """Nothing is kept open."""


def connect_reader(path: Path, busy_timeout: float = 5.0) -> sqlite3.Connection:
    """A connection that cannot write. Usable from any one thread at a time; the caller closes it."""
    uri = f"{path.as_uri()}?mode=ro"
    return sqlite3.connect(uri, uri=True, timeout=busy_timeout, isolation_level=None, check_same_thread=False)


def inspect(path: Path) -> None:
    """With the file unchanged, StoreDamaged, or StoreUnusable if it is newer than ours or another program's."""
    size = path.stat().st_size
    if size == 0:
        return
    try:
        with contextlib.closing(connect_reader(path, busy_timeout=0.0)) as connection:
            version(connection, path)
            if size <= _CHECKED_BYTES:
                _check(connection)
    except sqlite3.OperationalError:
        # Locked or not accessible just now: the writer meets it again, reports it and keeps trying.
        return
    except sqlite3.DatabaseError as error:
        raise StoreDamaged(
            f"ledger {path}: damaged ({error}). It was not touched: restore a copy, or move it away to "
            "start an empty one."
        ) from error


def _check(connection: sqlite3.Connection) -> None:
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)
