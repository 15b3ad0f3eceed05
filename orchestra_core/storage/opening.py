"""From the configured URL to the store that writes and the reader that reads."""

from typing import NamedTuple

from orchestra_core.storage.location import locate
from orchestra_core.storage.retention import FOREVER, Retention
from orchestra_core.storage.sqlite.reader import SqliteReader
from orchestra_core.storage.sqlite.store import SqliteStore
from orchestra_core.storage.store import Reader, Store


class Opened(NamedTuple):
    store: Store
    reader: Reader


def store_at(url: str, *, busy_timeout: float = 5.0, retention: Retention = FOREVER) -> Opened:
    """Nothing is connected to yet. StoreUnusable for a URL that names no database of ours."""
    if url.partition(":")[0].startswith("postgres"):
        # Here, not above: most have no PostgreSQL, and no driver for it.
        from orchestra_core.storage.postgres.reader import PostgresReader  # noqa: PLC0415  see above
        from orchestra_core.storage.postgres.store import PostgresStore  # noqa: PLC0415  see above

        return Opened(PostgresStore(url, retention), PostgresReader(url))
    path = locate(url)
    return Opened(SqliteStore(path, busy_timeout, retention), SqliteReader(path))
