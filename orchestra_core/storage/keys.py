"""The table of API keys. Written through the ledger's writer, or, while no engine runs, by a connection of our own."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from orchestra_core.domain.principal import Scope
from orchestra_core.storage.failures import StoreEmpty, StoreUnavailable
from orchestra_core.storage.opening import store_at
from orchestra_core.storage.store import Connection
from orchestra_core.trust.keys import ApiKey

T = TypeVar("T")
_FIELDS = "id, name, digest, scopes, requests_per_minute, tokens_per_minute, created, expires"


def read(connection: Connection) -> list[ApiKey]:
    """Every key, revoked ones too, oldest first."""
    # Whatever columns it has: keys are read before a database of an earlier version is brought up to date.
    rows = connection.execute("SELECT * FROM keys ORDER BY created, id")
    return [_key(*row) for row in rows]


def insert(connection: Connection, key: ApiKey) -> None:
    """RowFault if the id or the digest is there already."""
    scopes = " ".join(scope.value for scope in key.scopes)
    limits = (key.requests_per_minute, key.tokens_per_minute)
    row = (key.id, key.name, key.digest, scopes, *limits, key.created, key.expires)
    connection.execute(f"INSERT INTO keys ({_FIELDS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)


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


def stored_keys(url: str) -> list[ApiKey]:
    """What a database holds, without writing to it; none if there is none or it knows no keys yet.

    Raises StoreError where that cannot be told: who starts without knowing its keys lets everybody in.
    """
    reader = store_at(url).reader
    try:
        with reader.reading() as connection:
            return read(connection)
    except StoreEmpty:
        return []
    except StoreUnavailable as error:
        raise StoreUnavailable(f"{error.message}: its API keys cannot be read") from error
    finally:
        reader.close()


class KeyTable:
    """The keys of a database that no engine has open. Blocking."""

    def __init__(self, url: str, now: float) -> None:
        self._store = store_at(url).store
        self.place = self._store.place
        self._now = now

    def run(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns; StoreError if it cannot be done."""
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
    expires: float | None = None,
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
        expires,
    )
