"""A connection to PostgreSQL as the store and the readers use it: its settings, its dialect, its errors as ours."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from orchestra_core.storage.failures import (
    RowFault,
    StoreEmpty,
    StoreError,
    StoreUnavailable,
    StoreUnusable,
)
from orchestra_core.storage.postgres.migrations import SCHEMA
from orchestra_core.storage.store import Cursor

try:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict
except ImportError as missing:
    raise StoreUnusable(
        "storage.url: PostgreSQL needs its driver: pip install 'ai-orchestra[postgres]'"
    ) from missing

Raw = psycopg.Connection[Any]
# A server that vanished without a word is given up after half a minute.
_DEFAULTS: dict[str, Any] = {
    "application_name": "ai-orchestra",
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
# An engine that was stopped in the middle must not hold up the others that share the database.
_SETTINGS = {
    "search_path": SCHEMA,
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
    "client_encoding": "UTF8",
}
_NO_TABLE = frozenset({"42P01", "3F000"})
# Syntax or rights, a feature that is not there, damage.
_LASTING = frozenset({"42", "0A", "XX"})


class Address:
    """What storage.url says. `place` names it for people, without its password."""

    def __init__(self, url: str) -> None:
        _, _, rest = url.partition("://")
        try:
            self._parameters = {**_DEFAULTS, **conninfo_to_dict(f"postgresql://{rest}")}
        except psycopg.ProgrammingError as error:
            # What the driver says repeats the URL, password and all.
            raise StoreUnusable("storage.url: expected postgresql://user:password@host:5432/name") from error
        given = self._parameters
        host = f"{given.get('host', 'localhost')}:{given.get('port', 5432)}"
        self.place = f"postgresql://{host}/{given.get('dbname', '')}"
        self._password = str(given.get("password") or "")

    def connect(self, *, reading: bool = False) -> Raw:
        """A connection; one for `reading` cannot write, and reads within a transaction as of one moment."""
        with self.failing():
            try:
                raw = psycopg.connect(**self._parameters, autocommit=True)
            except psycopg.ProgrammingError as error:
                raise StoreUnusable(f"storage.url: {self._said(error)}") from error
            try:
                self._settle(raw)
            except BaseException:  # half set up it is of no use to anybody
                raw.close()
                raise
        # A pooler between us and the server may not know what was prepared before.
        raw.prepare_threshold = None
        if reading:
            raw.isolation_level, raw.read_only = psycopg.IsolationLevel.REPEATABLE_READ, True
        return raw

    def _settle(self, raw: Raw) -> None:
        encoding = raw.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise StoreUnusable(f"ledger {self.place}: its encoding is {encoding}; create it with UTF8")
        for name, value in _SETTINGS.items():
            raw.execute("SELECT set_config(%s, %s, false)", (name, value))

    @contextlib.contextmanager
    def failing(self) -> Iterator[None]:
        """The driver's errors as ours."""
        try:
            yield
        except psycopg.Error as error:
            raise self._explained(error) from error

    def _explained(self, error: psycopg.Error) -> StoreError:
        return _kind(error, error.sqlstate or "")(f"ledger {self.place}: {self._said(error)}")

    def _said(self, error: psycopg.Error) -> str:
        # Of what the server says the first line: the rest repeats the statement and its values.
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        return said.replace(self._password, "***") if self._password else said


def _kind(error: psycopg.Error, state: str) -> type[StoreError]:
    if state in _NO_TABLE:
        return StoreEmpty
    if isinstance(error, psycopg.DataError | psycopg.IntegrityError):
        return RowFault
    if isinstance(error, psycopg.ProgrammingError) and not state:
        return RowFault
    return StoreUnusable if state[:2] in _LASTING else StoreUnavailable


def alive(raw: Raw) -> bool:
    """Whether the server still answers on a connection that was not used for a while."""
    try:
        raw.execute("SELECT 1")
    except psycopg.Error:
        return False
    return True


class Link:
    """A connection that is spoken to as store.Connection says."""

    def __init__(self, raw: Raw) -> None:
        self.raw = raw

    def execute(self, sql: str, values: Sequence[object] = (), /) -> Cursor:
        return self.raw.execute(_spoken(sql), values)

    def executemany(self, sql: str, rows: Iterable[Sequence[object]], /) -> object:
        with self.raw.cursor() as cursor:
            cursor.executemany(_spoken(sql), rows)
            return cursor.rowcount


@lru_cache(maxsize=512)
def _spoken(sql: str) -> bytes:
    return sql.replace("?", "%s").encode()
