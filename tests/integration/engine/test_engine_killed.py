"""A real engine, killed by the kernel at every write and every sync of its life; then the books are compared.

`strace` attaches to the engine and makes the kernel deliver SIGKILL at the n-th call of one sort, before it is done:
n rises until the engine lives through everything. What the backend sent, and what reached the clients, is known here.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from orchestra_core.storage.ledger import Ledger
from orchestra_core.storage.tables import RequestRow
from tests.fakes.chaos import ChaosBackend
from tests.fakes.chaos_steps import end, finish, hang, head, token, tokens
from tests.fakes.engine_here import described
from tests.fakes.outside import wait_outside
from tests.fakes.plain_client import PlainClient
from tests.fakes.processes import START_SECONDS, Lines
from tests.fakes.programs import ROOT

STRACE = shutil.which("strace")
PATIENCE = 20.0
# Tokens of each answer, which tell its row; whether it is streamed. One more request never gets its second token.
ANSWERS = {3: True, 4: False}
MOST = 200
# What a kill leaves does not depend on the disk; without one there is no waiting for it.
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None


class Nursery:
    """Forks engines in directories of their own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fakes.doomed_engine"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.log = Lines(self._process.stdout)

    def born(self, home: Path) -> tuple[int, int]:
        """The pid and the port of a new engine that is ready."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{home}\n")
        self._process.stdin.flush()
        pid = self.log.wait_for(rf"^born {home} (\d+)$", START_SECONDS)[1]
        ready = self.log.wait_for(rf"ready on http://127\.0\.0\.1:(\d+) and {home}/", START_SECONDS)
        return int(pid), int(ready[1])

    def ended(self, home: Path) -> bool:
        return f"ended {home} " in self.log.text

    def buried(self, home: Path) -> int:
        """How it ended, once it has."""
        return int(self.log.wait_for(rf"^ended {home} (\d+)$", PATIENCE)[1])

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait(10) == 0
        self.log.close()


class Executioner:
    """The kernel, told by strace to kill a process at its n-th call of one sort. `done` when that can come no more."""

    def __init__(self, pid: int, call: str, number: int) -> None:
        assert STRACE is not None
        inject = ["-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={number}"]
        self._process = subprocess.Popen(
            [STRACE, "-f", "-o", os.devnull, *inject, "-p", str(pid)], stderr=subprocess.PIPE, text=True
        )
        self._said = Lines(self._process.stderr)
        if "attached" not in self._said.wait_for("attached|not permitted", START_SECONDS)[0]:
            pytest.skip("this system does not let strace look at another process")

    def done(self) -> None:
        self._process.wait(PATIENCE)
        self._said.close()


class Books:
    """What clients and the backend saw of one engine's life."""

    def __init__(self, backend: ChaosBackend) -> None:
        self.backend = backend
        self.complete: list[int] = []

    async def ask(self, port: int, count: int, streamed: bool) -> None:
        self.backend.script(head(), *tokens(count), finish(), end())
        with contextlib.suppress(OSError):
            async with PlainClient(port) as client:
                client.chat(stream=streamed, text=f"of {count} tokens")
                answer = await client.answer()
                if answer.whole and answer.status == 200 and (answer.done if streamed else True):
                    self.complete.append(count)

    def compare(self, rows: list[RequestRow]) -> None:
        """Every completed answer once, every request that came to the backend once, the rest flagged."""
        success = [row.tokens_out for row in rows if row.verdict == "success"]
        assert sorted(success) == sorted(set(success))
        assert set(self.complete) <= set(success)
        assert {row.verdict for row in rows} <= {"success", "interrupted"}
        # A request may have been announced when the engine was killed before it could send it.
        assert 0 <= len(rows) - len(self.backend.calls) <= 1
        emitted = [len(seen.tokens) for seen in self.backend.calls if seen.ended.is_set()]
        assert set(success) <= set(emitted)


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    made = Nursery()
    yield made
    made.close()


@pytest.fixture
async def backend() -> AsyncIterator[ChaosBackend]:
    async with ChaosBackend("box", "llamacpp") as made:
        yield made


async def live(nursery: Nursery, home: Path, backend: ChaosBackend, call: str, number: int) -> bool:
    """One life up to its end; whether it ended where it was to be killed."""
    (home / "config.toml").write_text(described([backend], slots=8))
    (home / "config.toml").chmod(0o600)
    backend.forget()
    books = Books(backend)
    pid, port = await asyncio.to_thread(nursery.born, home)
    executioner = await asyncio.to_thread(Executioner, pid, call, number)
    hanging = asyncio.get_running_loop().create_task(_left_hanging(port, books))
    arrived = asyncio.get_running_loop().create_task(backend.called())
    await asyncio.wait({hanging, arrived}, return_when=asyncio.FIRST_COMPLETED)
    arrived.cancel()
    for count, streamed in ANSWERS.items():
        await books.ask(port, count, streamed)
    survived = await asyncio.to_thread(_folded, home, nursery)
    if survived:
        # It may be killed at this moment, by what its upkeep writes.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    status = await asyncio.to_thread(nursery.buried, home)
    await hanging
    await asyncio.to_thread(executioner.done)
    assert os.WTERMSIG(status) == signal.SIGKILL
    books.compare(await _stored(home))
    return not survived


async def _left_hanging(port: int, books: Books) -> None:
    books.backend.script(head(), token(), hang())
    with contextlib.suppress(OSError):
        async with PlainClient(port) as client:
            client.chat(stream=True, text="for ever")
            answer = await client.answer()
            assert not answer.whole, answer.text


def _folded(home: Path, nursery: Nursery) -> bool:
    """Whether the engine lived to put all answers into its database."""
    wait_outside(lambda: nursery.ended(home) or _count(home) == len(ANSWERS), "rows or the end", PATIENCE)
    return not nursery.ended(home)


def _file(home: Path) -> Path:
    return home / ".local/share/ai-orchestra/orchestra.db"


def _count(home: Path) -> int:
    with contextlib.closing(sqlite3.connect(f"file:{_file(home)}?mode=ro", uri=True, timeout=5)) as database:
        try:
            return int(database.execute("SELECT count(*) FROM requests").fetchone()[0])
        except sqlite3.OperationalError:
            return 0


async def _stored(home: Path) -> list[RequestRow]:
    """What the next engine makes of what this one left."""
    ledger = Ledger(f"sqlite:///{_file(home)}", journal=home / ".local/state/ai-orchestra/journal")
    ledger.open()
    try:
        assert await asyncio.to_thread(ledger.flush, PATIENCE)
        assert ledger.stats().problem == ""
        return ledger.recent(1000)
    finally:
        await ledger.close()


@pytest.mark.skipif(STRACE is None, reason="strace is not installed")
@pytest.mark.parametrize(("call", "step"), [("write", 1), ("writev", 1), ("pwrite64", 2), ("fdatasync", 1)])
async def test_killed_at_any_write_or_sync_the_books_agree(
    nursery: Nursery, backend: ChaosBackend, call: str, step: int
) -> None:
    """The journal's, the database's and the sockets': until it lives through all of them."""
    with tempfile.TemporaryDirectory(prefix="orch-", dir=MEMORY) as top:
        for number in range(1, MOST, step):
            home = Path(top) / f"{call}-{number}"
            home.mkdir()
            if not await live(nursery, home, backend, call, number):
                break
        else:
            pytest.fail("it never lived through all of it")
