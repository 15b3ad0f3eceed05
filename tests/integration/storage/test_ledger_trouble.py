"""The ledger on real files that are locked, full, replaced, or lose their engine."""

import contextlib
import signal
import sqlite3
from pathlib import Path

from orchestra_core.storage.journal.bounds import Bounds
from orchestra_core.storage.ledger import Ledger
from tests.integration.storage.ledgers import PATIENCE, QUICK, Problems, opened, request, run, stored

FULL_DISK = """
import asyncio, resource, sys, threading
from orchestra_core.storage.journal.bounds import Bounds
from orchestra_core.storage.ledger import Ledger
from orchestra_core.storage.writer import Policy
full = threading.Event()
said = []
def tell(text):
    said.append(text)
    if "ledger /" in text: full.set()
ledger = Ledger(sys.argv[1], on_problem=tell,
                policy=Policy(window=0.0, retry_first=0.01, retry_longest=0.05), bounds=Bounds(retry=0.0))
ledger.open()
row = (1.0, "openai", "chat", "t", 0, None, "m", "b", "success", 200, 0, 1, 1, 0, 0, 0.0, 0.0, 1.0, 1, 0.0,
       0, None)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
for number in range(3000):
    ledger.record((f"{number:08d}", *row, "x" * 200, "", 0, "", "", 0.0, None, None, "", None, 0))
assert full.wait(20)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert ledger.flush(20)
ledger.tick()
assert ledger.stats().problem == said[-1] == ""
asyncio.run(ledger.close())
print(said)
"""

KILLED = """
import os, signal, sys
from orchestra_core.storage.ledger import Ledger
ledger = Ledger(sys.argv[1])
ledger.open()
row = (1.0, "openai", "chat", "t", 0, None, "m", "b", "success", 200, 0, 1, 1, 0, 0, 0.0, 0.0, 1.0, 1, 0.0,
       0, None, None)
number = 0
while ledger.stats().written < 2000:
    ledger.record((f"{number:08d}", *row, "", 0, "", "", 0.0, None, None, "", None, 0))
    number += 1
    if number % 500 == 0:
        ledger.flush()
for number in range(number, number + 300):
    ledger.record((f"{number:08d}", *row, "", 0, "", "", 0.0, None, None, "", None, 0))
print(number + 1, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


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
    """A journal that cannot be stored takes its bytes; every row more is a number in the statistics."""
    problems = Problems()
    bounds = Bounds(total=32_768, segment=8192)
    async with opened(path, problems=problems, bounds=bounds) as ledger:
        ledger.record(request(0))
        assert ledger.flush(PATIENCE)
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for number in range(1, 301):
                ledger.record(request(number))
            dropped = ledger.stats().dropped
            assert 0 < dropped < 290
            assert ledger.stats().journal_bytes <= bounds.total
            problems.wait(lambda text: "its 32768 bytes are used up" in text)
            assert f"{dropped} requests were not recorded" in ledger.stats().problem
        assert ledger.flush(PATIENCE)
        assert stored(path) == 301 - dropped
        ledger.record(request(400))
        assert ledger.flush(PATIENCE)
        assert problems.said[-1] == ""
        assert (stored(path), ledger.stats().dropped) == (302 - dropped, dropped)


async def test_a_lock_at_the_end_does_not_hold_up_the_exit(path: Path) -> None:
    """Closing gives up after its patience and says so; the next start stores what waited."""
    ledger = Ledger(f"sqlite:///{path}", policy=QUICK)
    ledger.open()
    ledger.record(request(0))
    assert ledger.flush(PATIENCE)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        ledger.record(request(1))
        ledger.record(request(2))
        await ledger.close(0.05)
    assert "2 requests in the journal, for the next start" in ledger.stats().problem
    ledger.record(request(3))
    assert ledger.stats().dropped == 1
    assert "not recorded" in ledger.stats().problem
    async with opened(path) as later:
        assert later.flush(PATIENCE)
    assert stored(path) == 3


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


def test_a_full_disk_loses_nothing_once_there_is_room(path: Path) -> None:
    """With the size of files limited, the database's and the journal's, the ledger says so and keeps every row."""
    done = run(FULL_DISK, path)
    assert done.returncode == 0, done.stderr
    assert str(path) in done.stdout
    assert stored(path) == 3000


async def test_what_was_recorded_survives_kill_9(path: Path) -> None:
    """After SIGKILL the next start stores every row that was recorded, each once, committed before or not."""
    done = run(KILLED, path)
    assert done.returncode == -signal.SIGKILL, done.stderr
    async with opened(path) as ledger:
        assert ledger.flush(PATIENCE)
        assert stored(path) == int(done.stdout) == 2300
