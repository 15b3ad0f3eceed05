"""The SQLite file: the one writing connection, and what must be true of a file before it is written to.

synchronous=FULL: a committed row survives a power cut, not only a crash. With group commit that is at most
some tens of fsyncs a second, in a thread that holds no lock meanwhile; NORMAL saved under 1 µs of CPU a row.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TypeVar

from orchestra_core.storage.failures import RowFault, StoreDamaged, StoreUnavailable
from orchestra_core.storage.location import prepare
from orchestra_core.storage.retention import FOREVER, Retention
from orchestra_core.storage.sqlite.migrations import migrate
from orchestra_core.storage.sqlite.reader import inspect
from orchestra_core.storage.sqlite.rows import INSERT_ATTEMPT, INSERT_REQUEST, Requests, insert_extras
from orchestra_core.storage.store import Connection, Entry, Mark, get_mark, set_mark
from orchestra_core.storage.upkeep import upkeep

T = TypeVar("T")
# Values SQLite cannot store: the row's fault, not the file's.
_ROW_FAULTS = (
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    sqlite3.DataError,
    ValueError,
    OverflowError,
    TypeError,
)
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class SqliteStore:
    """The writing connection, opened on first use and again after `close`. Used by one thread only."""

    def __init__(self, path: Path, busy_timeout: float = 5.0, retention: Retention = FOREVER) -> None:
        self.path = path
        self.place = str(path)
        self._retention = retention
        self._busy_timeout = busy_timeout
        self._requests = Requests()
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None

    def check(self) -> None:
        prepare(self.path)
        inspect(self.path)

    def open(self, now: float) -> None:
        if self._connection is not None:
            if self._identity == self._on_disk():
                return
            # SQLite would go on writing into the file that is gone, and report success.
            self.close()
            raise StoreUnavailable(
                f"ledger {self.place}: the file was removed or replaced while in use, and earlier rows "
                "with it; continuing in a new one"
            )
        prepare(self.path)
        with self._failing():
            self._connection = self._connected(now)
            self._identity = self._on_disk()

    def _connected(self, now: float) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=self._busy_timeout, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA journal_size_limit = 4194304")
            # Sorting for sums must not need room on a disk that may be full.
            connection.execute("PRAGMA temp_store = MEMORY")
            migrate(connection, self.path, now)
        except BaseException:  # a file that was not opened whole must not stay open, whatever stopped it
            connection.close()
            raise
        return connection

    def close(self) -> None:
        """Closing undoes an open transaction."""
        if self._connection is not None:
            self._connection.close()
        self._connection = self._identity = None

    def write(self, entries: Sequence[Entry], mark: Mark | None = None) -> int:
        try:
            return self._write(entries, mark)
        except _ROW_FAULTS as error:
            raise RowFault(str(error)) from error

    def _write(self, entries: Sequence[Entry], mark: Mark | None) -> int:
        requests = [entry.request for entry in entries]
        with self._transaction() as connection:
            fresh = self._requests.insert(connection, requests)
            connection.executemany(INSERT_ATTEMPT, chain.from_iterable([entry.attempts for entry in entries]))
            insert_extras(connection, entries)
            set_mark(connection, mark)
        return fresh

    def write_each(self, entries: Sequence[Entry], mark: Mark | None = None) -> tuple[int, list[str]]:
        fresh, faults = 0, list[str]()
        with self._transaction() as connection:
            for entry in entries:
                connection.execute("SAVEPOINT entry")
                try:
                    new = connection.execute(INSERT_REQUEST, entry.request).rowcount
                    connection.executemany(INSERT_ATTEMPT, entry.attempts)
                    insert_extras(connection, (entry,))
                    fresh += new
                except _ROW_FAULTS as error:
                    connection.execute("ROLLBACK TO entry")
                    faults.append(str(error))
                connection.execute("RELEASE entry")
            set_mark(connection, mark)
        return fresh, faults

    def mark(self, journal: str) -> Mark | None:
        with self._failing():
            return get_mark(self._open, journal)

    def upkeep(self, now: float) -> bool:
        with self._transaction() as connection:
            return upkeep(connection, self._retention, now, lambda: _used(connection))

    def run(self, work: Callable[[Connection], T]) -> T:
        try:
            with self._transaction() as connection:
                return work(connection)
        except _ROW_FAULTS as error:
            raise RowFault(f"ledger {self.place}: {error}") from error

    @property
    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StoreUnavailable(f"ledger {self.place}: not open")
        return self._connection

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._failing(), transaction(self._open) as connection:
            yield connection

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        """SQLite's errors as ours, and a new connection after them; the row's own faults pass."""
        try:
            yield
        except _ROW_FAULTS:
            raise
        except (sqlite3.Error, OSError) as error:
            self.close()
            damaged = getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED
            kind = StoreDamaged if damaged else StoreUnavailable
            raise kind(f"ledger {self.place}: {error}") from error

    def _on_disk(self) -> tuple[int, int] | None:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino


def _used(connection: sqlite3.Connection) -> int:
    """Bytes in pages that hold something; those that hold nothing are used again, the file does not shrink."""
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:  # whatever stopped it: a transaction left open would lock the ledger
        # After some errors (disk full) SQLite has already rolled back.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
