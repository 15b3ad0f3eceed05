"""Where the ledger of a test is: tests that take `place` run on SQLite and on PostgreSQL."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.postgres_server import PostgresServer
from tests.integration.storage.ledgers import Place


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "orchestra.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """An empty database, and a connection to look into it from outside."""
    if request.param == "sqlite":
        file: Path = request.getfixturevalue("path")
        file.parent.mkdir()
        with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as outside:
            yield Place(f"sqlite:///{file}", outside, tmp_path / "journal")
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    url = server.database()
    with contextlib.closing(server.connect(url)) as outside:
        outside.execute("SET search_path TO ai_orchestra")
        yield Place(url, outside, tmp_path / "journal")
