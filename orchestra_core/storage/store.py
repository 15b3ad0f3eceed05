"""What a database must do for the ledger: one protocol, kept by SQLite (sqlite.py) and PostgreSQL (postgres.py).

A store is used by one thread, the ledger's writer. Every method raises only the errors of failures.py.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

import msgspec

T = TypeVar("T")
Row = tuple[object, ...]


class Entry(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What is kept of one request, rows in the field order of tables.py.

    It stands in the journal in this form: fields come last and have defaults.

    `decision` is the encoded explanation; `prompt` and `answer` only where storing texts is switched on.
    """

    # Not Row: msgspec takes a quarter longer to make a tuple of `object` than one of anything (measured).
    request: tuple[Any, ...]
    attempts: Sequence[tuple[Any, ...]] = ()
    decision: bytes | None = None
    prompt: str | None = None
    answer: str | None = None


class Mark(msgspec.Struct, frozen=True, gc=False):
    """How far a journal has been folded in: everything before `offset` (bytes) of `segment` is stored."""

    journal: str
    segment: int
    offset: int


class Cursor(Protocol):
    """The result of a statement."""

    @property
    def rowcount(self) -> int: ...

    def fetchone(self) -> Any: ...

    def fetchall(self) -> list[Any]: ...

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """A database connection to which statements are said with `?` for their values, whatever the dialect."""

    def execute(self, sql: str, values: Sequence[object] = (), /) -> Cursor: ...

    def executemany(self, sql: str, rows: Iterable[Sequence[object]], /) -> object: ...


class Store(Protocol):
    """The tables of the ledger. `place` names the database for people, without a password."""

    place: str

    def check(self) -> None:
        """StoreUnusable, with nothing changed, where it must not be written to; nothing if it is just away.

        Called once at the start, by any thread.
        """

    def open(self, now: float) -> None:
        """Connects and migrates; nothing where that is done already. `now` is Unix seconds.

        Call it before each group: it is what connects again, and notices a file that was replaced.
        """

    def write(self, entries: Sequence[Entry], mark: Mark | None = None) -> int:
        """Commits all entries and the mark, or none; the number of requests that were not there already.

        RowFault: one of them can never be stored, see `write_each`.
        """

    def write_each(self, entries: Sequence[Entry], mark: Mark | None = None) -> tuple[int, list[str]]:
        """As `write`, leaving out what cannot be stored: the number that were new, and a reason for each."""

    def mark(self, journal: str) -> Mark | None:
        """How far this journal was folded in; None if nothing of it was."""

    def upkeep(self, now: float) -> bool:
        """One small step of roll-ups and retention; whether there is more to do at once."""

    def run(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, done in one transaction."""

    def close(self) -> None:
        """Ends the connection, undoing an open transaction; `open` begins another."""


class Reader(Protocol):
    """Reads what is stored, from any thread. `place` names the database for people, without a password."""

    place: str

    def reading(self) -> AbstractContextManager[Connection]:
        """Everything read within is of one moment. StoreEmpty while there are no tables."""

    def size(self) -> int:
        """Bytes taken in all."""

    def close(self) -> None:
        """Nothing is read any more."""


def get_mark(connection: Connection, journal: str) -> Mark | None:
    found = connection.execute("SELECT segment, position FROM marks WHERE journal = ?", (journal,)).fetchone()
    return None if found is None else Mark(journal, *found)


def set_mark(connection: Connection, mark: Mark | None) -> None:
    if mark is not None:
        connection.execute(
            "INSERT INTO marks (journal, segment, position) VALUES (?, ?, ?) ON CONFLICT (journal)"
            " DO UPDATE SET segment = excluded.segment, position = excluded.position",
            (mark.journal, mark.segment, mark.offset),
        )
