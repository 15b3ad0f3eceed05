"""The ledger on real files that are locked, full, replaced, or lose their engine."""

import contextlib
import signal
import sqlite3
from pathlib import Path

from orchestra_core.storage.ledger import Ledger
from orchestra_core.storage.writer import Policy
from tests.integration.storage.ledgers import PATIENCE, QUICK, Problems, opened, request, run, stored

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
    ledger.record((f"{number:08d}", *row, "x" * 200, "", 0, "", "", 0.0, None, None, "", None, 0))
assert full.wait(20)
problem = ledger.stats().problem
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert ledger.flush(20) and well.wait(20)
assert ledger.stats().problem == ""
asyncio.run(ledger.close())
print(problem)
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
print(ledger.stats().written, flush=True)
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


def test_a_full_disk_loses_nothing_once_there_is_room(path: Path) -> None:
    """With the file size limited the ledger reports the failure, keeps the rows and writes them later."""
    done = run(FULL_DISK, path)
    assert done.returncode == 0, done.stderr
    assert str(path) in done.stdout
    assert stored(path) == 3000


async def test_committed_batches_survive_kill_9(path: Path) -> None:
    """After SIGKILL every row reported as written is in the file, and the file opens again."""
    done = run(KILLED, path)
    assert done.returncode == -signal.SIGKILL, done.stderr
    written = int(done.stdout)
    async with opened(path) as ledger:
        assert len(ledger.recent(100_000)) >= written >= 2000
