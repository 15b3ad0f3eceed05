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

from sqlalchemy import Table
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect
from sqlalchemy.dialects.sqlite import insert
from sqlmodel import SQLModel

from orchestra_core.storage.failures import RowFault, StoreUnavailable, StoreUnusable
from orchestra_core.storage.location import prepare
from orchestra_core.storage.migrations import migrate, version
from orchestra_core.storage.store import Connection, Entry, Mark, Row
from orchestra_core.storage.tables import AttemptRow, RequestRow

T = TypeVar("T")
# Statements for so many rows at once, largest first.
Groups = tuple[tuple[int, str], ...]
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
_GROUPS = (64, 8, 1)
_INSERT_REQUESTS = tuple((rows, _grouped(INSERT_REQUEST, rows)) for rows in _GROUPS)
_INSERT_DECISION = "INSERT INTO decisions (request_id, body) VALUES (?, ?) ON CONFLICT DO NOTHING"
_INSERT_DECISIONS = tuple((rows, _grouped(_INSERT_DECISION, rows)) for rows in _GROUPS)


def connect_reader(path: Path, busy_timeout: float = 5.0) -> sqlite3.Connection:
    """A connection that cannot write. Usable from any one thread at a time; the caller closes it."""
    uri = f"{path.as_uri()}?mode=ro"
    return sqlite3.connect(uri, uri=True, timeout=busy_timeout, isolation_level=None, check_same_thread=False)


def inspect(path: Path) -> None:
    """StoreUnusable, with the file unchanged, if it is damaged, newer than ours or another program's."""
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
        raise StoreUnusable(
            f"ledger {path}: damaged ({error}). It was not touched: restore a copy, or move it away to "
            "start an empty one."
        ) from error


def _check(connection: sqlite3.Connection) -> None:
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)


class SqliteStore:
    """The writing connection, opened on first use and again after `close`. Used by one thread only."""

    def __init__(self, path: Path, busy_timeout: float = 5.0) -> None:
        self.path = path
        self.place = str(path)
        self._busy_timeout = busy_timeout
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None

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
            fresh = _insert_requests(connection, requests)
            connection.executemany(INSERT_ATTEMPT, chain.from_iterable([entry.attempts for entry in entries]))
            _insert_extras(connection, entries)
            _set_mark(connection, mark)
        return fresh

    def write_each(self, entries: Sequence[Entry], mark: Mark | None = None) -> tuple[int, list[str]]:
        fresh, faults = 0, list[str]()
        with self._transaction() as connection:
            for entry in entries:
                connection.execute("SAVEPOINT entry")
                try:
                    fresh += connection.execute(INSERT_REQUEST, entry.request).rowcount
                    connection.executemany(INSERT_ATTEMPT, entry.attempts)
                    _insert_extras(connection, (entry,))
                except _ROW_FAULTS as error:
                    connection.execute("ROLLBACK TO entry")
                    faults.append(str(error))
                connection.execute("RELEASE entry")
            _set_mark(connection, mark)
        return fresh, faults

    def mark(self, journal: str) -> Mark | None:
        with self._failing():
            found = self._open.execute(_GET_MARK, (journal,)).fetchone()
        return None if found is None else Mark(journal, *found)

    def upkeep(self, now: float) -> bool:  # noqa: ARG002  as the protocol has it
        return False

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
            kind = StoreUnusable if damaged else StoreUnavailable
            raise kind(f"ledger {self.place}: {error}") from error

    def _on_disk(self) -> tuple[int, int] | None:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino


_GET_MARK = "SELECT segment, position FROM marks WHERE journal = ?"


def _set_mark(connection: sqlite3.Connection, mark: Mark | None) -> None:
    if mark is not None:
        connection.execute(
            "INSERT INTO marks (journal, segment, position) VALUES (?, ?, ?) ON CONFLICT (journal)"
            " DO UPDATE SET segment = excluded.segment, position = excluded.position",
            (mark.journal, mark.segment, mark.offset),
        )


def _insert_extras(connection: sqlite3.Connection, entries: Sequence[Entry]) -> None:
    """Decisions and texts, where there are any."""
    decisions = [(entry.request[0], entry.decision) for entry in entries if entry.decision is not None]
    _insert(connection, _INSERT_DECISIONS, decisions)
    texts = [
        (entry.request[0], entry.prompt, entry.answer)
        for entry in entries
        if entry.prompt is not None or entry.answer is not None
    ]
    if texts:
        connection.executemany("INSERT OR IGNORE INTO texts VALUES (?, ?, ?)", texts)


def _insert_requests(connection: sqlite3.Connection, requests: Sequence[Row]) -> int:
    """The number of rows that were new."""
    if set(map(len, requests)) - {_FIELDS}:
        # In a group a short row beside a long one would shift values into the wrong columns unnoticed.
        raise ValueError(f"a request row has {_FIELDS} fields")
    return _insert(connection, _INSERT_REQUESTS, requests)


def _insert(connection: sqlite3.Connection, groups: Groups, rows: Sequence[Row]) -> int:
    fresh = done = 0
    for size, sql in groups:
        while len(rows) - done >= size:
            values = list(chain.from_iterable(rows[done : done + size]))
            fresh += connection.execute(sql, values).rowcount
            done += size
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
