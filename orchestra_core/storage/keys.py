"""The table of API keys. Written through the ledger's writer, or, while no engine runs, by a file of our own."""

import contextlib
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from orchestra_core.domain.principal import Scope
from orchestra_core.storage.failures import StoreUnusable
from orchestra_core.storage.sqlite import SqliteStore, connect_reader
from orchestra_core.storage.store import Connection
from orchestra_core.trust.keys import ApiKey

T = TypeVar("T")
_FIELDS = "id, name, digest, scopes, requests_per_minute, tokens_per_minute, created, last_used, revoked"
_BUSY_SECONDS = 5.0


def read(connection: Connection) -> list[ApiKey]:
    """Every key, revoked ones too, oldest first."""
    rows = connection.execute(f"SELECT {_FIELDS} FROM keys ORDER BY created, id")
    return [_key(*row) for row in rows]


def insert(connection: Connection, key: ApiKey) -> None:
    """RowFault if the id or the digest is there already."""
    scopes = " ".join(scope.value for scope in key.scopes)
    row = (key.id, key.name, key.digest, scopes, key.requests_per_minute, key.tokens_per_minute, key.created)
    connection.execute(f"INSERT INTO keys ({_FIELDS}) VALUES (?, ?, ?, ?, ?, ?, ?, NULL, NULL)", row)


def revoke(connection: Connection, key_id: str, now: float) -> bool:
    """Whether there is such a key; one that was revoked before stays as it was."""
    connection.execute("UPDATE keys SET revoked = ? WHERE id = ? AND revoked IS NULL", (now, key_id))
    return connection.execute("SELECT 1 FROM keys WHERE id = ?", (key_id,)).fetchone() is not None


def touch(connection: Connection, used: Mapping[str, float]) -> None:
    """When keys were used last, in Unix seconds."""
    rows = [(at, at, key_id) for key_id, at in used.items()]
    connection.executemany(
        "UPDATE keys SET last_used = CASE WHEN last_used > ? THEN last_used ELSE ? END WHERE id = ?", rows
    )


def stored_keys(path: Path) -> list[ApiKey]:
    """What a file holds, without writing to it; none if there is no file or it knows no keys yet.

    Raises StoreUnusable where that cannot be told: who starts without knowing its keys lets everybody in.
    """
    if not path.exists() or path.stat().st_size == 0:
        return []
    try:
        with contextlib.closing(connect_reader(path, _BUSY_SECONDS)) as connection:
            named = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'keys'")
            return read(connection) if named.fetchone() else []
    except sqlite3.Error as error:
        raise StoreUnusable(f"ledger {path}: its API keys cannot be read ({error})") from error


class KeyFile:
    """The keys of a file that no engine has open. Blocking."""

    def __init__(self, path: Path, now: float) -> None:
        self._store = SqliteStore(path)
        self._now = now

    def run(self, work: Callable[[Connection], T]) -> T:
        try:
            self._store.open(self._now)
            return self._store.run(work)
        finally:
            self._store.close()


def _key(
    key_id: str,
    name: str,
    digest: str,
    scopes: str,
    requests_per_minute: int | None,
    tokens_per_minute: int | None,
    created: float,
    last_used: float | None,
    revoked: float | None,
) -> ApiKey:
    return ApiKey(
        key_id,
        name,
        digest,
        tuple(Scope(scope) for scope in scopes.split()),
        requests_per_minute,
        tokens_per_minute,
        created,
        last_used,
        revoked,
    )
