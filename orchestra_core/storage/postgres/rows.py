"""Groups of rows on their way into PostgreSQL, each table's as one JSON text that the server takes apart."""

from collections.abc import Sequence
from itertools import chain

import msgspec
from sqlalchemy import Boolean, Float, Integer
from sqlmodel import SQLModel

from orchestra_core.storage.store import Connection, Entry, Row
from orchestra_core.storage.tables import AttemptRow, RequestRow, table_of

_FIELDS = len(RequestRow.model_fields)


def _cast(column: object, number: int) -> str:
    if isinstance(column, Boolean):
        return f"(r ->> {number})::boolean::int"
    if isinstance(column, Integer):
        return f"(r ->> {number})::bigint"
    return f"(r ->> {number})::float8" if isinstance(column, Float) else f"r ->> {number}"


def _insert(table: str, columns: Sequence[str], values: Sequence[str]) -> str:
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)}"
        " FROM jsonb_array_elements(?::jsonb) WITH ORDINALITY AS given (r, place) ORDER BY place"
        " ON CONFLICT DO NOTHING"
    )


def _insert_rows(model: type[SQLModel]) -> str:
    columns = table_of(model).columns
    values = [_cast(column.type, number) for number, column in enumerate(columns)]
    return _insert(str(model.__tablename__), [column.name for column in columns], values)


_REQUESTS, _ATTEMPTS = _insert_rows(RequestRow), _insert_rows(AttemptRow)
_DECISIONS = _insert("decisions", ("request_id", "body"), ("r ->> 0", "decode(r ->> 1, 'base64')"))
_TEXTS = _insert("texts", ("request_id", "prompt", "answer"), ("r ->> 0", "r ->> 1", "r ->> 2"))


class Rows:
    """What a group of entries puts into each table, as JSON; ValueError or TypeError where that cannot be said."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        requests = [entry.request for entry in entries]
        if set(map(len, requests)) - {_FIELDS}:
            # A short row would shift its values into the wrong columns unnoticed.
            raise ValueError(f"a request row has {_FIELDS} fields")
        attempts = list(chain.from_iterable([entry.attempts for entry in entries]))
        decisions = [(entry.request[0], entry.decision) for entry in entries if entry.decision is not None]
        texts = [
            (entry.request[0], entry.prompt, entry.answer)
            for entry in entries
            if entry.prompt is not None or entry.answer is not None
        ]
        self._requests = _encoded(requests)
        more: tuple[tuple[str, Sequence[Row]], ...] = (
            (_ATTEMPTS, attempts),
            (_DECISIONS, decisions),
            (_TEXTS, texts),
        )
        self._more = [(sql, _encoded(rows)) for sql, rows in more if rows]

    def insert(self, connection: Connection) -> int:
        """The number of requests that were not there already."""
        fresh = connection.execute(_REQUESTS, (self._requests,)).rowcount
        for sql, rows in self._more:
            connection.execute(sql, (rows,))
        return fresh


def _encoded(rows: Sequence[Row]) -> str:
    return msgspec.json.encode(rows).decode()


def without_zeros(entry: Entry) -> Entry:
    """No text of PostgreSQL can hold a zero character: better one that differs there than no row."""

    def cleaned(value: object) -> object:
        return value.replace("\0", "\ufffd") if isinstance(value, str) else value

    def text(value: str | None) -> str | None:
        return None if value is None else value.replace("\0", "\ufffd")

    return Entry(
        tuple(map(cleaned, entry.request)),
        [tuple(map(cleaned, attempt)) for attempt in entry.attempts],
        entry.decision,
        text(entry.prompt),
        text(entry.answer),
    )
