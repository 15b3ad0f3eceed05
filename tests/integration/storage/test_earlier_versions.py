"""Databases of earlier versions: every one that ever was is brought up to date with all that is in it."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from orchestra_core.accounting.usage import By, UsageQuery
from orchestra_core.storage import keys
from orchestra_core.storage.opening import store_at
from orchestra_core.storage.queries import Queries
from orchestra_core.storage.sqlite.migrations import MIGRATIONS
from orchestra_core.storage.store import Entry
from tests.integration.storage.ledgers import request

# Written out, since no old step may change: what each version of the schema added to a request.
OLD = (
    "id, at, surface, kind, task, task_inferred, model_asked, model_served, backend, verdict, status, streamed,"
    " tokens_in, tokens_out, tokens_cached, tokens_estimated, queued_ms, first_token_ms, total_ms, attempts, cost,"
    " degraded, decision_id, error"
)
ROW = (
    *("openai", "chat", "conversation", 1, "auto", "m", "b", "success", 200, 0),
    *(70, 16, 0, 0, 0.1, 12.5, 20.0, 1, 0.5, 0, None, "why"),
)


def old(path: Path, version: int) -> None:
    """A file as the version of the program wrote it that knew so many steps, with two requests and a key."""
    path.parent.mkdir()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "CREATE TABLE schema_version (version INTEGER PRIMARY KEY, applied_at REAL NOT NULL)"
        )
        for number, step in enumerate(MIGRATIONS[:version], 1):
            step(connection)
            connection.execute("INSERT INTO schema_version VALUES (?, 1.0)", (number,))
        for number in (1, 2):
            values = (f"old-{number}", 1_750_000_000.0 + 86_400 * number, *ROW)
            marks = ", ".join("?" * len(values))
            connection.execute(f"INSERT INTO requests ({OLD}) VALUES ({marks})", values)
        connection.execute(
            "INSERT INTO attempts (request_id, n, endpoint, verdict, status, seconds, tokens_in, tokens_out, message)"
            " VALUES ('old-2', 1, 'b/m', 'failed', 500, 1.0, 0, 0, 'no')"
        )
        if version > 1:
            connection.execute(
                "INSERT INTO keys (id, name, digest, scopes, created) VALUES ('1', 'ann', 'd', '', 1.0)"
            )
        connection.commit()


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS) + 1))
def test_an_earlier_database_is_brought_up_to_date(path: Path, version: int) -> None:
    """Its requests are read, counted by the day in UTC, and summed with those that come after."""
    old(path, version)
    store, reader = store_at(f"sqlite:///{path}")
    store.check()
    known = ["ann"] if version > 1 else []
    assert [key.name for key in keys.stored_keys(f"sqlite:///{path}")] == known, (
        "read before it is brought up to date"
    )
    store.open(2.0)
    assert store.write([Entry(request(1)), Entry(request(2, id="old-1"))]) == 1
    while store.upkeep(0.0):
        pass
    queries = Queries(reader)
    found = queries.recorded("old-2")
    assert found is not None
    assert (found.request.verdict, found.request.cost, found.request.error) == ("success", 0.5, "why")
    assert [(one.endpoint, one.cost) for one in found.attempts if one.status == 500] == [("b/m", None)]
    if version < 4:  # since then the day is written with the row
        days = [row.names for row in queries.usage(UsageQuery((By.DAY,), since=739_000))]
        assert days == [("2025-06-16",), ("2025-06-17",)]
    assert queries.usage(UsageQuery())[0].requests == 3
    assert [key.name for key in keys.stored_keys(f"sqlite:///{path}")] == known
    store.close()


def test_a_step_that_fails_leaves_the_database_as_it_was(path: Path) -> None:
    """The disk is full in the middle: all of it is undone, and it is tried again."""
    old(path, 1)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        # In the way of a table that a later step makes.
        connection.execute("CREATE TABLE numbered (x)")
        connection.commit()
    before = path.read_bytes()
    store = store_at(f"sqlite:///{path}").store
    with pytest.raises(Exception, match="numbered"):
        store.open(2.0)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT max(version) FROM schema_version").fetchone() == (1,)
        assert len(before) == path.stat().st_size
        connection.execute("DROP TABLE numbered")
    store.open(2.0)
    assert store.write([Entry(request(1))]) == 1
    store.close()
