"""The ledger over a journal whose disk refuses, forgets, or belongs to somebody else."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator
from errno import EIO, ENOSPC, EROFS
from pathlib import Path

import pytest

from orchestra_core.storage.failures import StoreUnusable
from orchestra_core.storage.journal.bounds import Bounds
from orchestra_core.storage.journal.files import DISK, Files
from orchestra_core.storage.ledger import Ledger
from tests.fakes.journals import begun
from tests.fakes.memory_files import MemoryFiles, failing
from tests.integration.storage.ledgers import PATIENCE, QUICK, Problems, attempt, opened, request, stored

ALL = frozenset({"names", "create", "write", "rename", "reserve", "cut"})


class Books:
    """A ledger over files in memory, from which all is read back, a database on disk, and what it said."""

    def __init__(self, path: Path, files: Files) -> None:
        self.problems, self.flaws = Problems(), Problems()
        self.ledger = Ledger(
            f"sqlite:///{path}",
            on_problem=self.problems,
            on_flaw=self.flaws,
            policy=QUICK,
            bounds=Bounds(total=100_000, segment=4000, memory=5, retry=0.0, handed=0),
            files=files,
        )


@contextlib.asynccontextmanager
async def books(path: Path, files: Files) -> AsyncIterator[Books]:
    made = Books(path, files)
    made.ledger.open()
    try:
        yield made
    finally:
        await made.ledger.close(1.0)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


def refusing(files: MemoryFiles, number: int, what: frozenset[str] = ALL) -> None:
    fail = failing(number)

    def at(_number: int, when: str, operation: str) -> None:
        if when == "before" and operation in what:
            fail()

    files.at = at


def well(files: MemoryFiles) -> None:
    files.at = lambda _number, _when, _what: None


@pytest.mark.parametrize("number", [ENOSPC, EIO, EROFS])
@pytest.mark.parametrize("from_the_start", [True, False])
async def test_a_disk_that_refuses_costs_no_request(path: Path, number: int, from_the_start: bool) -> None:
    """It is told, requests are stored from memory, and once it is well again the journal takes them again."""
    files = MemoryFiles()
    if from_the_start:
        refusing(files, number)
    async with books(path, files) as made:
        made.ledger.begin(begun("req-00000001"))
        made.ledger.record(request(1))
        refusing(files, number)
        for one in range(2, 5):
            made.ledger.begin(begun(f"req-{one:08d}"))
            made.ledger.record(request(one))
            assert made.ledger.flush(PATIENCE)
        assert "records that the database does not take at once are in memory only" in made.problems.said[-1]
        assert stored(path) == 4
        well(files)
        made.ledger.tick()
        assert made.problems.said[-1] == ""
        made.ledger.record(request(5))
        assert made.ledger.flush(PATIENCE)
        assert (stored(path), made.ledger.stats().dropped) == (5, 0)
    assert [name.name for name in files.tree if name.name.endswith(".journal")]


async def test_where_neither_takes_it_memory_holds_some_and_the_rest_is_counted(path: Path) -> None:
    """Five at most here; they go into the journal when it is well again, and those beyond are told as dropped."""
    files = MemoryFiles()
    async with books(path, files) as made:
        assert made.ledger.flush(PATIENCE)
        with locked(path):
            made.ledger.record(request(0))
            made.problems.wait(lambda text: "locked" in text)
            refusing(files, ENOSPC)
            for one in range(1, 9):
                made.ledger.record(request(one))
            assert made.ledger.stats().dropped == 3
            assert "3 requests were not recorded" in made.ledger.stats().problem
            well(files)
            made.ledger.record(request(9))
        assert made.ledger.flush(PATIENCE)
        assert stored(path) == 7


async def test_short_writes_are_written_to_their_end(path: Path) -> None:
    """However little the system takes at once."""
    files = MemoryFiles()
    files.short = 7
    async with books(path, files) as made:
        for one in range(20):
            made.ledger.begin(begun(f"req-{one:08d}"))
            made.ledger.record(request(one), [attempt(one)], b"why")
        assert made.ledger.flush(PATIENCE)
        assert (stored(path), stored(path, "decisions")) == (20, 20)


class Stuck(MemoryFiles):
    """Takes the beginning of what it is given, and then nothing."""

    stuck, taken = False, 0

    def write(self, fd: int, data: bytes) -> int:
        if not self.stuck:
            return super().write(fd, data)
        self.taken += 1
        return 20 if self.taken == 1 else 0


async def test_a_disk_that_takes_nothing_without_a_word_is_given_up(path: Path) -> None:
    """A write of no bytes is not tried for ever; the request is stored from memory."""
    files = Stuck()
    async with books(path, files) as made:
        made.ledger.record(request(1))
        files.stuck = True
        made.ledger.record(request(2))
        assert "takes nothing any more" in made.problems.said[-1]
        files.stuck = False
        assert made.ledger.flush(PATIENCE)
        assert stored(path) == 2


@pytest.mark.parametrize("offset", [8, 100])
async def test_a_journal_that_rots_before_it_is_read_is_told(path: Path, offset: int) -> None:
    """What is behind the damage is lost and counted, its file is kept, and everything after it is stored."""
    files = MemoryFiles()
    async with books(path, files) as made:
        assert made.ledger.flush(PATIENCE)
        with locked(path):
            made.ledger.record(request(1))
            made.problems.wait(lambda text: "locked" in text)
            (segment,) = made.ledger._journal.segments
            rotten = segment.size
            made.ledger.record(request(2))
            made.ledger.record(request(3))
            files.tree[segment.path][rotten + offset] ^= 0xFF
        assert made.ledger.flush(PATIENCE)
        made.flaws.wait(lambda text: f"what follows byte {rotten} is set aside" in text)
        made.ledger.record(request(4))
        assert made.ledger.flush(PATIENCE)
        assert [row.id[-1] for row in made.ledger.recent()] == ["4", "1"]
        assert made.ledger.stats().dropped == 2
        assert made.ledger.stats().pending == 0
        assert "2 requests could not be read back" in made.ledger.stats().problem
        assert any(".set-aside-from-" in name.name for name in files.tree)


async def test_what_cannot_be_written_down_stops_nobody(path: Path) -> None:
    """A name that no text can hold is not announced and not recorded, and is not carried into the next segment."""
    files = MemoryFiles()
    async with books(path, files) as made:
        made.ledger.begin(("req-\ud800", *begun("a")[1:]))
        for one in range(40):
            made.ledger.begin(begun(f"req-{one:08d}"))
            made.ledger.record(request(one))
        made.ledger.record(("req-\ud800", *request(1)[1:]))
        assert made.ledger.flush(PATIENCE)
        assert len([name for name in files.operations if name == "create"]) > 1
        assert (stored(path), made.ledger.stats().rejected, made.ledger.stats().dropped) == (40, 1, 0)


async def test_two_engines_do_not_share_a_journal(path: Path) -> None:
    """The second is refused and changes nothing; after the first has ended it may."""
    async with opened(path) as first:
        with pytest.raises(StoreUnusable, match="another engine is using it"):
            Ledger(f"sqlite:///{path}").open()
        first.record(request(1))
        assert first.flush(PATIENCE)
    async with opened(path) as second:
        assert second.flush(PATIENCE)
    assert stored(path) == 1


async def test_the_state_and_what_came_after_it_is_given_back(path: Path) -> None:
    """As it was when the last segment began; rows that ended since, and what was open."""
    states = iter([b"first", b"second", b"third", b"fourth", b"more"])
    first = Ledger(f"sqlite:///{path}", bounds=Bounds(segment=1000), policy=QUICK, state=lambda: next(states))
    assert first.open().state is None
    names = [f"req-{one:08d}" for one in range(6)]
    for one, name in enumerate(names[:5]):
        first.begin(begun(name))
        first.record(request(one))
    first.begin(begun(names[5]))
    last = first._journal.segments[-1]
    await first.close()
    second = Ledger(f"sqlite:///{path}", policy=QUICK)
    found = second.open()
    assert found.state == [b"", b"first", b"second", b"third", b"fourth"][last.number]
    assert found.ended
    assert found.ended == tuple(map(request, range(5)))[-len(found.ended) :]
    assert [begin.id for begin in found.interrupted] == [names[5]]
    assert second.flush(PATIENCE)
    assert [(row.id, row.verdict) for row in second.recent(1000) if row.verdict != "success"] == [
        (names[5], "interrupted")
    ]
    await second.close()


async def test_a_row_that_was_interrupted_says_what_is_known(path: Path) -> None:
    """Whose it was and what was asked; what it took and cost is unknown, never zero as if it were known."""
    first = Ledger(f"sqlite:///{path}", policy=QUICK)
    first.open()
    first.begin(begun("lost"))
    # Not closed: it crashed.
    await asyncio.to_thread(first._writer.stop, 1.0)
    first._journal.directory.release()
    async with opened(path) as second:
        assert second.flush(PATIENCE)
        (row,) = second.recent()
    assert (row.id, row.verdict, row.model_served, row.backend) == ("lost", "interrupted", "m", "box")
    assert (row.key, row.tokens_in, row.tokens_estimated, row.cost) == ("key", 7, True, None)
    assert row.error == "the engine ended before the answer was complete"
    assert DISK.names(path.parent / "journal")
