"""Groups of rows on their way into SQLite, as few statements as can be."""

import sqlite3
from collections.abc import Sequence
from itertools import chain, count

from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect
from sqlalchemy.dialects.sqlite import insert
from sqlmodel import SQLModel

from orchestra_core.storage.store import Entry, Row
from orchestra_core.storage.tables import AttemptRow, RequestRow, table_of

# Statements for so many rows at once, largest first.
Groups = tuple[tuple[int, str], ...]
# sqlite3 asks each None and each bytes object how it is to be bound, by an attribute that neither has: 0.3 µs a value,
# unless there is an adapter (measured). These are written in C and give back what they are given.
sqlite3.register_adapter(type(None), dict[None, None]().get)
sqlite3.register_adapter(bytes, bytes)


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
# Largest first; a batch of 300 rows is 1 + 1 + 1 + 4 statements instead of 300. SQLite takes 32,766 values at once.
GROUP = 256
_GROUPS = (GROUP, 32, 8, 1)
_INSERT_REQUESTS = tuple((rows, _grouped(INSERT_REQUEST, rows)) for rows in _GROUPS[1:])
_INSERT_DECISION = "INSERT INTO decisions (request_id, body) VALUES (?, ?) ON CONFLICT DO NOTHING"
_INSERT_DECISIONS = tuple((rows, _grouped(_INSERT_DECISION, rows)) for rows in _GROUPS)


def insert_extras(connection: sqlite3.Connection, entries: Sequence[Entry]) -> None:
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


class Requests:
    """Puts requests into their table.

    In a group, values that have been alike in all groups so far are bound once for all its rows: that halves the
    2.8 µs of a row where one model serves one client, and saves a fifth where 20 of the 34 columns differ (measured).
    """

    def __init__(self) -> None:
        # Only grows, beginning with the id: to prepare another statement costs as much as a thousand rows.
        self._differing: tuple[int, ...] = (0,)
        self._sql = _sharing(self._differing)

    def insert(self, connection: sqlite3.Connection, requests: Sequence[Row]) -> int:
        """The number of rows that were new."""
        if set(map(len, requests)) - {_FIELDS}:
            # In a group a short row beside a long one would shift values into the wrong columns unnoticed.
            raise ValueError(f"a request row has {_FIELDS} fields")
        whole = len(requests) - len(requests) % GROUP
        fresh = self._insert_groups(connection, requests[:whole]) if whole else 0
        return fresh + _insert(connection, _INSERT_REQUESTS, requests[whole:])

    def _insert_groups(self, connection: sqlite3.Connection, requests: Sequence[Row]) -> int:
        columns = list(zip(*requests, strict=True))
        shared = self._shared(columns)
        rows = list(zip(*(columns[number] for number in self._differing), strict=True))
        fresh = 0
        for at in range(0, len(rows), GROUP):
            values = [*shared, *chain.from_iterable(rows[at : at + GROUP])]
            fresh += connection.execute(self._sql, values).rowcount
        return fresh

    def _shared(self, columns: Sequence[Row]) -> list[object]:
        """The value of each column that has one only; equal values are the same in a column of one type."""
        differing = tuple(
            number
            for number, values in enumerate(columns)
            if number in self._differing or values.count(values[0]) < len(values)
        )
        if differing != self._differing:
            self._differing, self._sql = differing, _sharing(differing)
        return [values[0] for number, values in enumerate(columns) if number not in differing]


def _sharing(differing: Sequence[int]) -> str:
    """The insert of a group with one value for each column that does not differ; those come first."""
    head, values = INSERT_REQUEST.split(" VALUES ")
    following = count(1)
    shared = {number: next(following) for number in range(_FIELDS) if number not in differing}
    rows = (
        ", ".join(f"?{shared.get(number) or next(following)}" for number in range(_FIELDS))
        for _ in range(GROUP)
    )
    return f"{head} VALUES {', '.join(f'({row})' for row in rows)}{values.split(')', 1)[1]}"


def _insert(connection: sqlite3.Connection, groups: Groups, rows: Sequence[Row]) -> int:
    fresh = done = 0
    for size, sql in groups:
        while len(rows) - done >= size:
            values = list(chain.from_iterable(rows[done : done + size]))
            fresh += connection.execute(sql, values).rowcount
            done += size
    return fresh
