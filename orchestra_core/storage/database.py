"""The SQLite file: the one writing connection, and what must be true of a file before it is written to.

synchronous=FULL: a committed row survives a power cut, not only a crash. With group commit that is at most
some tens of fsyncs a second, in a thread that holds no lock meanwhile; NORMAL saved under 1 µs of CPU a row.
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from sqlalchemy import Table
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect
from sqlalchemy.dialects.sqlite import insert
from sqlmodel import SQLModel

from orchestra_core.storage.failures import ROW_FAULTS, LedgerError
from orchestra_core.storage.location import prepare
from orchestra_core.storage.migrations import migrate, version
from orchestra_core.storage.tables import AttemptRow, RequestRow

Row = tuple[object, ...]
Entry = tuple[Row, Sequence[Row]]

# A full check reads the whole file; above this size it would delay the start noticeably.
_CHECKED_BYTES = 64 * 1024 * 1024


def table_of(model: type[SQLModel]) -> Table:
    return SQLModel.metadata.tables[str(model.__tablename__)]


def _insert_sql(model: type[SQLModel]) -> str:
    # A replayed row is not an error: the id decides.
    statement = insert(table_of(model)).on_conflict_do_nothing()
    return str(statement.compile(dialect=sqlite_dialect(paramstyle="qmark")))


INSERT_REQUEST = _insert_sql(RequestRow)
INSERT_ATTEMPT = _insert_sql(AttemptRow)


def _grouped(sql: str, rows: int) -> str:
    """The insert with so many rows at once.

    sqlite3 hands the interpreter's lock back and forth once per statement: row by row that cost the event
    loop 45 µs a request at full load, more than everything else a request does apart from its sockets.
    """
    head, values = sql.split(" VALUES ")
    row, tail = values.split(")", 1)
    return f"{head} VALUES {', '.join([row + ')'] * rows)}{tail}"


_FIELDS = len(RequestRow.model_fields)
# Largest first; a batch of 300 rows is 4 + 5 + 4 statements instead of 300.
_INSERT_REQUESTS = tuple((rows, _grouped(INSERT_REQUEST, rows)) for rows in (64, 8, 1))


def connect_reader(path: Path, busy_timeout: float = 5.0) -> sqlite3.Connection:
    """A connection that cannot write. Usable from any one thread at a time; the caller closes it."""
    uri = f"{path.as_uri()}?mode=ro"
    return sqlite3.connect(uri, uri=True, timeout=busy_timeout, isolation_level=None, check_same_thread=False)


def inspect(path: Path) -> None:
    """LedgerError, with the file unchanged, if it is damaged, newer than ours or another program's."""
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
        raise LedgerError(
            f"ledger {path}: damaged ({error}). It was not touched: restore a copy, or move it away to "
            "start an empty one."
        ) from error


def _check(connection: sqlite3.Connection) -> None:
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)


class Database:
    """The writing connection, opened on first use and again after `close`. Used by one thread only."""

    def __init__(self, path: Path, busy_timeout: float) -> None:
        self.path = path
        self._busy_timeout = busy_timeout
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None

    def open(self, now: float) -> sqlite3.Connection:
        """The connection, migrated. Raises sqlite3.Error, OSError or LedgerError; `now` is Unix seconds."""
        if self._connection is not None:
            if self._identity == self._on_disk():
                return self._connection
            # SQLite would go on writing into the file that is gone, and report success.
            self.close()
            raise LedgerError(
                f"ledger {self.path}: the file was removed or replaced while in use, and earlier rows "
                "with it; continuing in a new one"
            )
        prepare(self.path)
        connection = sqlite3.connect(self.path, timeout=self._busy_timeout, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA journal_size_limit = 4194304")
            migrate(connection, self.path, now)
        except BaseException:  # a file that was not opened whole must not stay open, whatever stopped it
            connection.close()
            raise
        self._connection, self._identity = connection, self._on_disk()
        return connection

    def close(self) -> None:
        """Closing undoes an open transaction."""
        if self._connection is not None:
            self._connection.close()
        self._connection = self._identity = None

    def _on_disk(self) -> tuple[int, int] | None:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def write(self, entries: Sequence[Entry], now: float) -> int:
        """Commits all entries or raises with none committed; the number of requests that were new."""
        requests = [entry[0] for entry in entries]
        with transaction(self.open(now)) as connection:
            fresh = _insert_requests(connection, requests)
            connection.executemany(INSERT_ATTEMPT, chain.from_iterable([entry[1] for entry in entries]))
        return fresh

    def write_each(self, entries: Sequence[Entry], now: float) -> tuple[int, list[str]]:
        """As `write`, leaving out entries SQLite cannot store: the number that were new, and the reasons."""
        fresh, faults = 0, list[str]()
        with transaction(self.open(now)) as connection:
            for request, attempts in entries:
                connection.execute("SAVEPOINT entry")
                try:
                    fresh += connection.execute(INSERT_REQUEST, request).rowcount
                    connection.executemany(INSERT_ATTEMPT, attempts)
                except ROW_FAULTS as error:
                    connection.execute("ROLLBACK TO entry")
                    faults.append(str(error))
                connection.execute("RELEASE entry")
        return fresh, faults


def _insert_requests(connection: sqlite3.Connection, requests: Sequence[Row]) -> int:
    """The number of rows that were new."""
    if set(map(len, requests)) - {_FIELDS}:
        # In a group a short row beside a long one would shift values into the wrong columns unnoticed.
        raise ValueError(f"a request row has {_FIELDS} fields")
    fresh = done = 0
    for rows, sql in _INSERT_REQUESTS:
        while len(requests) - done >= rows:
            values = list(chain.from_iterable(requests[done : done + rows]))
            fresh += connection.execute(sql, values).rowcount
            done += rows
    return fresh


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
