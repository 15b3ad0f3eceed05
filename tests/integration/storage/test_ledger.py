"""The ledger on real files: recording, grouping, faults of the disk, damage and crashes."""

import contextlib
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from sqlmodel import SQLModel

from orchestra_core.storage.database import table_of
from orchestra_core.storage.failures import LedgerError
from orchestra_core.storage.ledger import Ledger
from orchestra_core.storage.migrations import MIGRATIONS
from orchestra_core.storage.tables import AttemptRow, KeyRow, RequestRow
from orchestra_core.storage.writer import Policy

PATIENCE = 20.0
QUICK = Policy(window=0.0, busy_timeout=0.01, retry_first=0.005, retry_longest=0.02)


def request(number: int, **changes: object) -> tuple[object, ...]:
    row: dict[str, object] = {
        "id": f"req-{number:08d}",
        "at": 1_700_000_000.0 + number,
        "surface": "openai",
        "kind": "chat",
        "task": "conversation",
        "task_inferred": True,
        "model_asked": "auto",
        "model_served": "stub-model",
        "backend": "stub",
        "verdict": "success",
        "status": 200,
        "streamed": False,
        "tokens_in": 70,
        "tokens_out": 16,
        "tokens_cached": 0,
        "tokens_estimated": False,
        "queued_ms": 0.1,
        "first_token_ms": 12.5,
        "total_ms": 20.0,
        "attempts": 1,
        "cost": 0.5,
        "degraded": False,
        "decision_id": f"dec-{number}",
        "error": None,
        "key": "",
    }
    return tuple((row | changes).values())


def attempt(number: int, n: int = 1) -> tuple[object, ...]:
    return (f"req-{number:08d}", n, "stub/stub-model", "success", 200, 0.02, 0.012, 70, 16, "")


def values(row: SQLModel) -> tuple[object, ...]:
    return tuple(getattr(row, name) for name in type(row).model_fields)


class Problems:
    """Collects what the ledger says and lets a test wait for it."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self._changed = threading.Condition()

    def __call__(self, problem: str) -> None:
        with self._changed:
            self.said.append(problem)
            self._changed.notify_all()

    def wait(self, wanted: Callable[[str], bool]) -> str:
        with self._changed:
            assert self._changed.wait_for(lambda: any(map(wanted, self.said)), PATIENCE), self.said
            return next(filter(wanted, self.said))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "orchestra.db"


@contextlib.asynccontextmanager
async def opened(
    path: Path, policy: Policy = QUICK, problems: Problems | None = None
) -> AsyncIterator[Ledger]:
    ledger = Ledger(f"sqlite:///{path}", on_problem=problems or Problems(), policy=policy)
    ledger.open()
    try:
        yield ledger
    finally:
        await ledger.close(1.0)


def stored(path: Path, table: str = "requests") -> int:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


async def test_a_recorded_request_is_read_back_with_its_attempts(path: Path) -> None:
    """Every field of a request and of its two attempts survives the way through the file."""
    async with opened(path) as ledger:
        ledger.record(request(1, attempts=2), [attempt(1, 1), attempt(1, 2)])
        assert ledger.flush(PATIENCE)
        found = ledger.request("req-00000001")
        assert found is not None
        row, attempts = found
        assert values(row) == request(1, attempts=2)
        assert [values(each) for each in attempts] == [attempt(1, 1), attempt(1, 2)]
        assert ledger.request("never") is None


async def test_recent_is_newest_first_filtered_and_paged(path: Path) -> None:
    """`before` continues where a page ended; model and verdict filter."""
    async with opened(path) as ledger:
        for number in range(10):
            ledger.record(request(number, verdict="failed" if number == 3 else "success"))
        assert ledger.flush(PATIENCE)
        first = ledger.recent(4)
        assert [row.id[-1] for row in first] == ["9", "8", "7", "6"]
        assert [row.id[-1] for row in ledger.recent(4, before=first[-1].at)] == ["5", "4", "3", "2"]
        assert [row.id[-1] for row in ledger.recent(verdict="failed")] == ["3"]
        assert ledger.recent(model="another") == []


async def test_totals_add_up_per_model(path: Path) -> None:
    """Requests no model served are left out, unknown prices count as nothing."""
    async with opened(path) as ledger:
        ledger.record(request(1))
        ledger.record(request(2, verdict="failed", cost=None))
        ledger.record(request(3, model_served="other", tokens_out=5))
        ledger.record(request(4, model_served=None))
        assert ledger.flush(PATIENCE)
        stub, other = ledger.totals_by_model()
        assert (stub.model, stub.requests, stub.successful, stub.tokens_in, stub.cost) == (
            "stub-model",
            2,
            1,
            140,
            0.5,
        )
        assert (other.model, other.tokens_out, other.seconds) == ("other", 5, 0.02)


async def test_close_writes_everything_that_waits(path: Path) -> None:
    """A window of an hour does not delay the end, and nothing is left behind."""
    ledger = Ledger(f"sqlite:///{path}", policy=Policy(window=3600.0, batch_rows=10_000))
    ledger.open()
    for number in range(3000):
        ledger.record(request(number), [attempt(number)])
    await ledger.close()
    assert stored(path) == 3000
    assert stored(path, "attempts") == 3000
    assert ledger.stats().pending == 0
    assert not path.with_name(path.name + "-wal").exists()


async def test_a_batch_is_one_commit(path: Path) -> None:
    """Rows wait for the batch to fill: 256 rows within an endless window are one transaction."""
    policy = Policy(window=3600.0)
    async with opened(path, policy) as ledger:
        for number in range(policy.batch_rows):
            ledger.record(request(number))
        assert ledger.wait_settled(policy.batch_rows, PATIENCE)
        assert ledger.stats().commits == 1
        assert stored(path) == policy.batch_rows


async def test_a_lonely_row_is_written_when_the_window_ends(path: Path) -> None:
    """With the default window nobody has to fill the batch or ask for a flush."""
    async with opened(path, Policy()) as ledger:
        ledger.record(request(1))
        assert ledger.wait_settled(1, PATIENCE)
        assert stored(path) == 1


async def test_the_same_id_twice_is_stored_once_and_counted(path: Path) -> None:
    """A replay is harmless: the first row stays, the second is a duplicate, not an error."""
    async with opened(path) as ledger:
        ledger.record(request(1), [attempt(1)])
        assert ledger.flush(PATIENCE)
        ledger.record(request(1, verdict="failed"), [attempt(1)])
        assert ledger.flush(PATIENCE)
        assert [row.verdict for row in ledger.recent()] == ["success"]
        assert (ledger.stats().written, ledger.stats().duplicates) == (1, 1)


@pytest.mark.parametrize(
    "bad",
    [
        request(5, error="\ud800"),
        request(5, tokens_in=2**70),
        request(5, surface=None),
        request(5, error=object()),
        request(5)[:-1],
        None,
    ],
)
async def test_one_bad_row_costs_only_itself(path: Path, bad: tuple[object, ...]) -> None:
    """What SQLite cannot store is left out and counted; its neighbours in the batch are written."""
    async with opened(path, Policy(window=3600.0)) as ledger:
        ledger.record(request(1), [attempt(1)])
        ledger.record(bad, [attempt(5)])
        ledger.record(request(2), [attempt(2)])
        assert ledger.flush(PATIENCE)
        assert [row.id for row in ledger.recent()] == ["req-00000002", "req-00000001"]
        assert stored(path, "attempts") == 2
        assert ledger.stats().rejected == 1
        assert "1 malformed rows" in ledger.stats().problem


async def test_rows_of_a_wrong_length_do_not_shift_their_neighbours(path: Path) -> None:
    """A short row beside a long one costs the two; the other 62 of the group keep their columns."""
    async with opened(path, Policy(window=3600.0)) as ledger:
        for number in range(64):
            ledger.record(request(number)[:-1] if number == 10 else request(number) + (1,) * (number == 20))
        assert ledger.flush(PATIENCE)
        assert ledger.stats().rejected == 2
        assert {values(row) for row in ledger.recent()} == {
            request(number) for number in range(64) if number not in {10, 20}
        }


async def test_a_bad_attempt_takes_its_request_with_it(path: Path) -> None:
    """A request is stored with all its attempts or not at all."""
    async with opened(path, Policy(window=3600.0)) as ledger:
        ledger.record(request(1), [attempt(1), (*attempt(1, 2)[:-1], object())])
        ledger.record(request(2), [attempt(2)])
        assert ledger.flush(PATIENCE)
        assert [row.id for row in ledger.recent()] == ["req-00000002"]
        assert (stored(path, "attempts"), ledger.stats().rejected) == (1, 1)


async def test_a_locked_database_delays_rows_and_loses_none(path: Path) -> None:
    """While another program holds the lock the ledger says so and keeps the rows; then it writes them."""
    problems = Problems()
    async with opened(path, problems=problems) as ledger:
        ledger.record(request(0))
        assert ledger.flush(PATIENCE)
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for number in range(1, 50):
                ledger.record(request(number))
            said = problems.wait(lambda text: "locked" in text)
            assert str(path) in said
            assert "locked" in ledger.stats().problem
            assert ledger.stats().pending == 49
            other.execute("ROLLBACK")
        assert ledger.flush(PATIENCE)
        assert stored(path) == 50
        problems.wait(lambda text: text == "")
        assert ledger.stats().problem == ""


async def test_beyond_the_bound_rows_are_counted_and_announced(path: Path) -> None:
    """A queue that cannot drain takes its capacity; every row more is a number in the statistics."""
    problems = Problems()
    policy = Policy(capacity=20, window=0.0, busy_timeout=0.01, retry_first=0.005, retry_longest=0.02)
    async with opened(path, policy, problems) as ledger:
        ledger.record(request(0))
        assert ledger.flush(PATIENCE)
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for number in range(1, 31):
                ledger.record(request(number))
            assert ledger.stats().dropped == 10
            problems.wait(lambda text: "not recorded" in text)
            assert "10 requests were not recorded" in ledger.stats().problem
        assert ledger.flush(PATIENCE)
        assert stored(path) == 21


async def test_a_lock_at_the_end_does_not_hold_up_the_exit(path: Path) -> None:
    """Closing gives up after its patience and says how many requests were lost."""
    ledger = Ledger(f"sqlite:///{path}", policy=QUICK)
    ledger.open()
    ledger.record(request(0))
    assert ledger.flush(PATIENCE)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        ledger.record(request(1))
        ledger.record(request(2))
        await ledger.close(0.05)
    ledger.record(request(3))
    assert ledger.stats().dropped == 3
    assert "not recorded" in ledger.stats().problem


async def test_a_locked_database_does_not_prevent_the_start(path: Path) -> None:
    """Opening while another program holds the file exclusively works; rows are written afterwards."""
    problems = Problems()
    path.parent.mkdir()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        async with opened(path, problems=problems) as ledger:
            ledger.record(request(1))
            problems.wait(lambda text: "locked" in text)
            other.execute("ROLLBACK")
            assert ledger.flush(PATIENCE)
            assert stored(path) == 1


async def test_a_file_replaced_while_running_is_noticed(path: Path) -> None:
    """Rows do not vanish into a deleted file: the operator is told and a new file is started."""
    problems = Problems()
    async with opened(path, problems=problems) as ledger:
        ledger.record(request(1))
        assert ledger.flush(PATIENCE)
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink()
        ledger.record(request(2))
        assert ledger.flush(PATIENCE)
        assert "removed or replaced" in problems.wait(lambda text: "removed" in text)
        assert [row.id for row in ledger.recent()] == ["req-00000002"]


def run(script: str, path: Path) -> subprocess.CompletedProcess[str]:
    """A process of its own, for what a test cannot do to itself: be killed, lose rights, run out of disk."""
    command = [sys.executable, "-c", script, f"sqlite:///{path}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


FULL_DISK = """
import asyncio, resource, sys, threading
from orchestra_core.storage.ledger import Ledger
from orchestra_core.storage.writer import Policy
full, well = threading.Event(), threading.Event()
ledger = Ledger(sys.argv[1], on_problem=lambda text: (full if text else well).set(),
                policy=Policy(window=0.0, retry_first=0.01, retry_longest=0.05))
ledger.open()
row = (1.0, "openai", "chat", "t", 0, None, "m", "b", "success", 200, 0, 1, 1, 0, 0, 0.0, 0.0, 1.0, 1, 0.0,
       0, None)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
for number in range(3000):
    ledger.record((f"{number:08d}", *row, "x" * 200, ""))
assert full.wait(20)
problem = ledger.stats().problem
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert ledger.flush(20) and well.wait(20)
assert ledger.stats().problem == ""
asyncio.run(ledger.close())
print(problem)
"""


def test_a_full_disk_loses_nothing_once_there_is_room(path: Path) -> None:
    """With the file size limited the ledger reports the failure, keeps the rows and writes them later."""
    done = run(FULL_DISK, path)
    assert done.returncode == 0, done.stderr
    assert str(path) in done.stdout
    assert stored(path) == 3000


KILLED = """
import os, signal, sys
from orchestra_core.storage.ledger import Ledger
ledger = Ledger(sys.argv[1])
ledger.open()
row = (1.0, "openai", "chat", "t", 0, None, "m", "b", "success", 200, 0, 1, 1, 0, 0, 0.0, 0.0, 1.0, 1, 0.0,
       0, None, None)
number = 0
while ledger.stats().written < 2000:
    ledger.record((f"{number:08d}", *row, ""))
    number += 1
    if number % 500 == 0:
        ledger.flush()
print(ledger.stats().written, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


async def test_committed_batches_survive_kill_9(path: Path) -> None:
    """After SIGKILL every row reported as written is in the file, and the file opens again."""
    done = run(KILLED, path)
    assert done.returncode == -signal.SIGKILL, done.stderr
    written = int(done.stdout)
    async with opened(path) as ledger:
        assert len(ledger.recent(100_000)) >= written >= 2000


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
    assert modes == [0o600, 0o700, 0o700]


def test_a_place_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path) -> None:
    """The error names the file and the setting to change."""
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match=r"file/orchestra\.db.*storage\.url"):
        Ledger(f"sqlite:///{tmp_path}/file/orchestra.db").open()


READ_ONLY = """
import os, sys
from orchestra_core.storage.failures import LedgerError
from orchestra_core.storage.location import locate, prepare
if os.geteuid() == 0:
    os.setuid(65534)
try:
    prepare(locate(sys.argv[1]))
except LedgerError as error:
    print(error)
"""


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


@pytest.mark.parametrize("damage", [_damage_header, _damage_page])
async def test_a_damaged_file_is_refused_and_kept(path: Path, damage: Callable[[Path], None]) -> None:
    """The error names the file and the way out; not a byte of the file changes."""
    async with opened(path) as ledger:
        for number in range(2000):
            ledger.record(request(number))
        assert ledger.flush(PATIENCE)
    damage(path)
    before = content(path)
    with pytest.raises(LedgerError, match="damaged") as caught:
        Ledger(f"sqlite:///{path}").open()
    assert str(path) in caught.value.message
    assert content(path) == before


async def test_a_newer_schema_is_refused_and_untouched(path: Path) -> None:
    """A file of a later version is not written to and not downgraded."""
    async with opened(path) as ledger:
        ledger.record(request(1))
        assert ledger.flush(PATIENCE)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO schema_version VALUES (?, 0)", (len(MIGRATIONS) + 1,))
        connection.commit()
    before = content(path)
    with pytest.raises(LedgerError, match=f"has schema {len(MIGRATIONS) + 1}, this version knows"):
        Ledger(f"sqlite:///{path}").open()
    assert content(path) == before


def test_a_database_of_another_program_is_refused(path: Path) -> None:
    """Pointing storage.url at somebody else's SQLite file adds no tables to it."""
    path.parent.mkdir()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    before = content(path)
    with pytest.raises(LedgerError, match="another program"):
        Ledger(f"sqlite:///{path}").open()
    assert content(path) == before


@pytest.mark.parametrize("table", [RequestRow, AttemptRow, KeyRow])
async def test_migrations_lead_to_the_tables(path: Path, table: type[SQLModel]) -> None:
    """The sum of all migrations has exactly the columns, order and primary keys of tables.py."""
    async with opened(path) as ledger:
        ledger.record(request(1))
        assert ledger.flush(PATIENCE)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        columns = connection.execute(f"PRAGMA table_info({table.__tablename__})").fetchall()
    expected = [(column.name, not column.nullable, column.primary_key) for column in table_of(table).columns]
    assert [(name, bool(required), bool(key)) for _, name, _, required, _, key in columns] == expected


async def test_recording_needs_no_database(path: Path) -> None:
    """`record` neither waits nor raises while the file is locked: 1,000 rows are taken at once."""
    policy = Policy(busy_timeout=30.0)
    async with opened(path, policy) as ledger:
        ledger.record(request(0))
        assert ledger.flush(PATIENCE)
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for number in range(1, 1001):
                ledger.record(request(number))
            assert ledger.stats().pending == 1000
        assert ledger.flush(PATIENCE)
        assert stored(path) == 1001
