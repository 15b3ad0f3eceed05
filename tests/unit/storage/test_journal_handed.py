"""Ended requests that the writer gets from memory, and those that it has to read back."""

from tests.fakes.journals import SMALL, Bounds, Life
from tests.fakes.memory_files import MemoryFiles
from tests.fakes.memory_store import MemoryStore

ROOMY = Bounds(total=65_536, segment=8192)


def test_what_was_written_just_now_is_not_read_back() -> None:
    """Over several segments and folds, with beginnings in between, nothing is read from a file."""
    life = Life(MemoryFiles(), MemoryStore(), bounds=ROOMY)
    names = [f"r{number}" for number in range(200)]
    for number, name in enumerate(names):
        life.begin(name)
        assert life.end(name)
        if number % 30 == 29:
            life.fold(7)
    life.fold()

    assert list(life.store.rows) == names
    assert "read" not in life.files.operations


def test_what_memory_does_not_hold_comes_from_the_file_in_its_turn() -> None:
    """Too many at once and large ones among small ones: each is stored once, in order."""
    life = Life(MemoryFiles(), MemoryStore(), bounds=Bounds(65_536, 8192, handed=3, handed_bytes=200))
    names = [f"r{number}" for number in range(60)]
    for number, name in enumerate(names):
        assert life.end(name, 300 if number % 7 == 2 else 60)
        if number % 11 == 10:
            life.fold(4)
    life.fold()

    assert list(life.store.rows) == names
    assert "read" in life.files.operations
    assert not life.journal.handed


def test_the_next_engine_takes_nothing_twice() -> None:
    """What was folded from memory is marked as what was read: a crash leaves only the rest to the next one."""
    files, store = MemoryFiles(), MemoryStore()
    life = Life(files, store, bounds=ROOMY)
    for number in range(5):
        life.end(f"r{number}")
    batch = life.reading.take(3)
    assert batch is not None
    store.write(batch.entries, batch.mark)
    again = Life(files.next_process(), store, bounds=SMALL)
    left = again.reading.take(10)

    assert left is not None
    assert [entry.request[0] for entry in left.entries] == ["r3", "r4"]
