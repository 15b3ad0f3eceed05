"""Schema changes as a list of small functions; a change is a new function at the end, never an edit.

Statements are spelled out instead of taken from `tables.py`, so that an old step keeps its meaning when the
tables move on; a test holds the sum of all steps against `tables.py`.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from orchestra_core.storage.failures import StoreUnusable
from orchestra_core.storage.schema import ALL_ATTEMPTS, sums


def _first_tables(connection: sqlite3.Connection) -> None:
    connection.execute(
        "CREATE TABLE requests ("
        " id TEXT NOT NULL PRIMARY KEY, at REAL NOT NULL, surface TEXT NOT NULL, kind TEXT NOT NULL,"
        " task TEXT NOT NULL, task_inferred INTEGER NOT NULL, model_asked TEXT, model_served TEXT,"
        " backend TEXT, verdict TEXT NOT NULL, status INTEGER NOT NULL, streamed INTEGER NOT NULL,"
        " tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL, tokens_cached INTEGER NOT NULL,"
        " tokens_estimated INTEGER NOT NULL, queued_ms REAL, first_token_ms REAL, total_ms REAL NOT NULL,"
        " attempts INTEGER NOT NULL, cost REAL, degraded INTEGER NOT NULL, decision_id TEXT, error TEXT)"
    )
    connection.execute("CREATE INDEX ix_requests_at ON requests (at)")
    connection.execute(
        "CREATE TABLE attempts ("
        " request_id TEXT NOT NULL, n INTEGER NOT NULL, endpoint TEXT NOT NULL, verdict TEXT NOT NULL,"
        " status INTEGER NOT NULL, seconds REAL NOT NULL, first_token REAL, tokens_in INTEGER NOT NULL,"
        " tokens_out INTEGER NOT NULL, message TEXT NOT NULL, PRIMARY KEY (request_id, n)) WITHOUT ROWID"
    )


def _keys(connection: sqlite3.Connection) -> None:
    connection.execute(
        "CREATE TABLE keys ("
        " id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, digest TEXT NOT NULL UNIQUE, scopes TEXT NOT NULL,"
        " requests_per_minute INTEGER, tokens_per_minute INTEGER, created REAL NOT NULL, last_used REAL,"
        " revoked REAL)"
    )


def _key_of_request(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE requests ADD COLUMN key TEXT NOT NULL DEFAULT ''")


def _accounting(connection: sqlite3.Connection) -> None:
    for column in (
        "day INTEGER NOT NULL DEFAULT 0",
        "tier_asked TEXT NOT NULL DEFAULT ''",
        "tier_served TEXT NOT NULL DEFAULT ''",
        "loading_ms REAL NOT NULL DEFAULT 0",
        "cost_best REAL",
        "cost_first REAL",
        "cache TEXT NOT NULL DEFAULT ''",
        "saved REAL",
        "continued INTEGER NOT NULL DEFAULT 0",
    ):
        connection.execute(f"ALTER TABLE requests ADD COLUMN {column}")
    # Of earlier rows the day in UTC: 719163 is the ordinal of 1970-01-01.
    connection.execute("UPDATE requests SET day = 719163 + CAST(at / 86400 AS INTEGER)")
    connection.execute("ALTER TABLE attempts ADD COLUMN cost REAL")
    connection.execute("ALTER TABLE attempts ADD COLUMN tokens_estimated INTEGER NOT NULL DEFAULT 0")


def _beside_requests(connection: sqlite3.Connection) -> None:
    # How far each journal has been folded in.
    connection.execute(
        "CREATE TABLE marks (journal TEXT NOT NULL PRIMARY KEY, segment INTEGER NOT NULL, position INTEGER NOT NULL)"
    )
    # Not columns of requests: what sums read must stay small.
    connection.execute(
        "CREATE TABLE decisions (request_id TEXT NOT NULL PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID"
    )
    connection.execute("CREATE TABLE texts (request_id TEXT NOT NULL PRIMARY KEY, prompt TEXT, answer TEXT)")


def _numbered_requests(connection: sqlite3.Connection) -> None:
    # A number that only rises, also after rows were deleted: how far the sums reach is told by it.
    connection.execute(
        "CREATE TABLE numbered ("
        " seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, at REAL NOT NULL,"
        " surface TEXT NOT NULL, kind TEXT NOT NULL, task TEXT NOT NULL, task_inferred INTEGER NOT NULL,"
        " model_asked TEXT, model_served TEXT, backend TEXT, verdict TEXT NOT NULL, status INTEGER NOT NULL,"
        " streamed INTEGER NOT NULL, tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL,"
        " tokens_cached INTEGER NOT NULL, tokens_estimated INTEGER NOT NULL, queued_ms REAL,"
        " first_token_ms REAL, total_ms REAL NOT NULL, attempts INTEGER NOT NULL, cost REAL,"
        " degraded INTEGER NOT NULL, decision_id TEXT, error TEXT, key TEXT NOT NULL DEFAULT '',"
        " day INTEGER NOT NULL DEFAULT 0, tier_asked TEXT NOT NULL DEFAULT '',"
        " tier_served TEXT NOT NULL DEFAULT '', loading_ms REAL NOT NULL DEFAULT 0, cost_best REAL,"
        " cost_first REAL, cache TEXT NOT NULL DEFAULT '', saved REAL, continued INTEGER NOT NULL DEFAULT 0)"
    )
    connection.execute("INSERT INTO numbered SELECT rowid, * FROM requests ORDER BY rowid")
    connection.execute("DROP TABLE requests")
    connection.execute("ALTER TABLE numbered RENAME TO requests")
    connection.execute("CREATE INDEX ix_requests_at ON requests (at)")
    connection.execute(ALL_ATTEMPTS)


def _sums(connection: sqlite3.Connection) -> None:
    for statement in sums("INTEGER", "REAL", "INTEGER PRIMARY KEY"):
        connection.execute(statement)


def _large_decisions(connection: sqlite3.Connection) -> None:
    # WITHOUT ROWID keeps what is above 1 KB on a page of its own: 23 µs for each request instead of 7 (measured).
    connection.execute("CREATE TABLE roomy (request_id TEXT NOT NULL PRIMARY KEY, body BLOB NOT NULL)")
    connection.execute("INSERT INTO roomy SELECT * FROM decisions")
    connection.execute("DROP TABLE decisions")
    connection.execute("ALTER TABLE roomy RENAME TO decisions")


def _keys_that_expire(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE keys ADD COLUMN expires REAL")


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    _first_tables,
    _keys,
    _key_of_request,
    _accounting,
    _beside_requests,
    _numbered_requests,
    _sums,
    _large_decisions,
    _keys_that_expire,
)


def version(connection: sqlite3.Connection, path: Path) -> int:
    """The schema version in the file, 0 if it is empty; StoreUnusable if it is not ours or newer than ours."""
    names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not names:
        return 0
    if "schema_version" not in names:
        raise StoreUnusable(
            f"ledger {path}: belongs to another program; choose another file with storage.url"
        )
    found = int(connection.execute("SELECT coalesce(max(version), 0) FROM schema_version").fetchone()[0])
    if found > len(MIGRATIONS):
        raise StoreUnusable(
            f"ledger {path}: has schema {found}, this version knows {len(MIGRATIONS)}; "
            "upgrade ai-orchestra or choose another file with storage.url. The file was not touched."
        )
    return found


def migrate(connection: sqlite3.Connection, path: Path, now: float) -> None:
    """Brings the schema up to date in one transaction: all steps or none. `now` is Unix seconds."""
    if version(connection, path) == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, applied_at REAL NOT NULL)"
    )
    # Read again under the lock: another engine may have migrated since.
    done = connection.execute("SELECT coalesce(max(version), 0) FROM schema_version").fetchone()[0]
    for number, step in enumerate(MIGRATIONS[done:], start=done + 1):
        step(connection)
        connection.execute("INSERT INTO schema_version VALUES (?, ?)", (number, now))
    connection.execute("COMMIT")
