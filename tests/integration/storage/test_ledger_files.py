"""The files of the ledger: private, writable, sound, of this program and of a schema it knows."""

import asyncio
import contextlib
import os
import sqlite3
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlmodel import SQLModel

from orchestra_core.storage.failures import StoreError
from orchestra_core.storage.journal.files import DISK
from orchestra_core.storage.ledger import Ledger
from orchestra_core.storage.sqlite.migrations import MIGRATIONS
from orchestra_core.storage.tables import AttemptRow, KeyRow, RequestRow, table_of
from tests.integration.storage.ledgers import PATIENCE, Problems, opened, request, run

READ_ONLY = """
import os, sys
from orchestra_core.storage.failures import StoreError
from orchestra_core.storage.location import locate, prepare
if os.geteuid() == 0:
    os.setuid(65534)
try:
    prepare(locate(sys.argv[1]))
except StoreError as error:
    print(error)
"""


def test_directories_and_file_are_private(tmp_path: Path) -> None:
    """Created directories are 0700 and the database 0600, whatever the umask says."""
    path = tmp_path / "a" / "b" / "orchestra.db"
    ledger = Ledger(f"sqlite:///{path}")
    before = os.umask(0)
    try:
        ledger.open()
    finally:
        os.umask(before)
    modes = [stat.S_IMODE(place.stat().st_mode) for place in (path, path.parent, path.parent.parent)]
    # Its files come and go until then, while the directory is removed.
    asyncio.run(ledger.close())
    assert modes == [0o600, 0o700, 0o700]


def test_a_place_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path) -> None:
    """The error names the file and the setting to change."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"file/orchestra\.db.*storage\.url"):
        Ledger(f"sqlite:///{tmp_path}/file/orchestra.db").open()


@pytest.fixture
def readonly() -> Iterator[Path]:
    """A directory anybody may enter and nobody may write to (root gives up its rights in the test)."""
    with tempfile.TemporaryDirectory() as top:
        place = Path(top) / "readonly"
        place.mkdir()
        place.chmod(0o555)
        Path(top).chmod(0o755)
        yield place


def test_a_read_only_directory_is_refused_at_the_start(readonly: Path) -> None:
    """The error says that permission is missing and which setting to change."""
    done = run(READ_ONLY, readonly / "orchestra.db")
    assert "Permission denied" in done.stdout, done.stderr
    assert "storage.url" in done.stdout


def content(path: Path) -> bytes:
    return path.read_bytes()


def _damage_header(path: Path) -> None:
    path.write_bytes(b"this is not a database, it is a text" * 100)


def _damage_page(path: Path) -> None:
    pages = bytearray(path.read_bytes())
    pages[4096:8192] = b"\xff" * 4096
    path.write_bytes(pages)


def _overwrite(path: Path) -> None:
    """In place, as a failing disk or another program does it."""
    with path.open("r+b") as file:
        file.write(b"\xff" * path.stat().st_size)


def _move_away(path: Path) -> None:
    path.rename(path.with_name("damaged.db"))
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


@pytest.mark.parametrize("damage", [_damage_header, _damage_page])
async def test_a_damaged_file_is_told_and_kept(path: Path, damage: Callable[[Path], None]) -> None:
    """Not a byte of it changes, requests wait in the journal, and are stored once somebody has moved it away."""
    async with opened(path) as ledger:
        for number in range(2000):
            ledger.record(request(number))
        assert ledger.flush(PATIENCE)
    damage(path)
    before, problems = content(path), Problems()
    async with opened(path, problems=problems) as ledger:
        ledger.record(request(3000))
        said = problems.wait(lambda text: "damaged" in text)
        assert str(path) in said
        assert "move it away" in said
        ledger.record(request(3001))
        assert ledger.stats().pending == 2
        assert content(path) == before
        _move_away(path)
        assert ledger.flush(PATIENCE)
        assert [row.id for row in ledger.recent(2)] == ["req-00003001", "req-00003000"]
        problems.wait(lambda text: text == "")
    assert content(path.with_name("damaged.db")) == before


async def test_a_file_that_is_damaged_under_way_is_told_and_kept(path: Path) -> None:
    """The same for one that was well when the engine started."""
    problems = Problems()
    async with opened(path, problems=problems) as ledger:
        ledger.record(request(1))
        assert ledger.flush(PATIENCE)
        with contextlib.closing(sqlite3.connect(path)) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        _overwrite(path)
        ledger.record(request(2))
        problems.wait(lambda text: "malformed" in text or "not a database" in text)
        assert ledger.stats().pending == 1
        _move_away(path)
        assert ledger.flush(PATIENCE)
        assert [row.id for row in ledger.recent()] == ["req-00000002"]


async def test_a_newer_schema_is_refused_and_untouched(path: Path) -> None:
    """A file of a later version is not written to and not downgraded."""
    async with opened(path) as ledger:
        ledger.record(request(1))
        assert ledger.flush(PATIENCE)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO schema_version VALUES (?, 0)", (len(MIGRATIONS) + 1,))
        connection.commit()
    before = content(path)
    with pytest.raises(StoreError, match=f"has schema {len(MIGRATIONS) + 1}, this version knows"):
        Ledger(f"sqlite:///{path}").open()
    assert content(path) == before


def test_a_database_of_another_program_is_refused(path: Path) -> None:
    """Pointing storage.url at somebody else's SQLite file adds no tables to it."""
    path.parent.mkdir()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    before = content(path)
    with pytest.raises(StoreError, match="another program"):
        Ledger(f"sqlite:///{path}").open()
    assert content(path) == before


@pytest.mark.parametrize("table", [RequestRow, AttemptRow, KeyRow])
async def test_migrations_lead_to_the_tables(path: Path, table: type[SQLModel]) -> None:
    """The sum of all migrations has the columns and the order of tables.py; requests are also numbered."""
    async with opened(path) as ledger:
        ledger.record(request(1))
        assert ledger.flush(PATIENCE)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        columns = connection.execute(f"PRAGMA table_info({table.__tablename__})").fetchall()
    found = [(name, bool(required)) for _, name, _, required, _, _ in columns]
    assert found[table is RequestRow :] == [(one.name, not one.nullable) for one in table_of(table).columns]
    assert [name for _, name, _, _, _, key in columns if key] == (
        ["seq"] if table is RequestRow else [one.name for one in table_of(table).primary_key]
    )


@pytest.mark.skipif(sys.platform != "linux", reason="nothing is reserved elsewhere")
def test_a_file_is_memory_only_where_its_room_is_reserved(tmp_path: Path) -> None:
    """What is put there is in the file at once; without room of its own, or where that may be lost again, it is not."""
    path = tmp_path / "segment"
    fd, hidden = DISK.create(path), os.memfd_create("of a file system that is mounted nowhere")
    try:
        assert DISK.map(fd, 8192) is None
        DISK.reserve(fd, 8192)
        DISK.reserve(hidden, 8192)
        assert DISK.map(hidden, 8192) is None
        DISK.write(fd, b"before")
        room = DISK.map(fd, 8192)
        if room is None:
            pytest.skip("this file system may not keep what is reserved")
        room[4094:4098] = b"over"
        assert path.read_bytes() == bytes(4094) + b"over" + bytes(4094)
        room.close()
    finally:
        os.close(fd)
        os.close(hidden)
