"""The store on SQLite, as the journal uses it: groups with the mark of where they came from."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestra_core.storage.failures import RowFault, StoreUnavailable
from orchestra_core.storage.sqlite import SqliteStore
from orchestra_core.storage.store import Entry, Mark
from tests.integration.storage.ledgers import attempt, request, stored

HERE = Mark("journal", 3, 4096)


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    made = SqliteStore(path, busy_timeout=0.01)
    made.open(0.0)
    yield made
    made.close()


def test_a_group_and_its_mark_are_stored_together(store: SqliteStore, path: Path) -> None:
    """Requests, attempts, decisions and texts are there, the mark tells how far the journal was read."""
    entries = [
        Entry(request(n), [attempt(n)], b"why", f"question {n}" if n % 2 else None) for n in range(100)
    ]
    assert store.mark("journal") is None
    assert store.write(entries, HERE) == 100
    assert store.mark("journal") == HERE
    assert [stored(path, table) for table in ("requests", "attempts", "decisions", "texts")] == [
        100,
        100,
        100,
        50,
    ]


def test_a_row_that_cannot_be_stored_leaves_the_mark_where_it_was(store: SqliteStore, path: Path) -> None:
    """The whole group is undone; one by one everything else is stored, and only then the mark moves."""
    entries = [Entry(request(1)), Entry(request(2, error="\ud800"), (), b"why"), Entry(request(3))]
    with pytest.raises(RowFault):
        store.write(entries, HERE)
    assert (store.mark("journal"), stored(path)) == (None, 0)
    fresh, faults = store.write_each(entries, HERE)
    assert (fresh, len(faults), store.mark("journal")) == (2, 1, HERE)
    assert (stored(path), stored(path, "decisions")) == (2, 0)


def test_what_is_written_again_is_not_new(store: SqliteStore, path: Path) -> None:
    """A journal that is folded in a second time adds nothing, and the first stays."""
    assert store.write([Entry(request(1), [attempt(1)], b"first")], HERE) == 1
    later = Mark("journal", 4, 0)
    assert store.write([Entry(request(1), [attempt(1)], b"second"), Entry(request(2))], later) == 1
    assert store.mark("journal") == later
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT body FROM decisions").fetchall() == [(b"first",)]


def test_a_lock_is_unavailable_and_passes(store: SqliteStore, path: Path) -> None:
    """While another program holds the lock nothing is written; opened again the store goes on."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            store.write([Entry(request(1))], HERE)
    store.open(0.0)
    assert store.write([Entry(request(1))], HERE) == 1
