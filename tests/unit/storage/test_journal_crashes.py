"""An engine killed before, in the middle of or after every single file operation; then the next one starts."""

from collections.abc import Callable, Iterator

import pytest

from orchestra_core.storage.store import Entry
from tests.fakes.journals import PLACE, Life
from tests.fakes.memory_files import Killed, MemoryFiles
from tests.fakes.memory_store import MemoryStore


class Client:
    """What was promised: answers of which the last byte went out, and requests that were sent to a backend."""

    def __init__(self) -> None:
        self.answered: list[str] = []
        self.sent: list[str] = []

    def script(self, life: Life) -> Iterator[Callable[[], None]]:
        """Enough for several segments, removed ones too; one request stays open over all of it."""
        yield lambda: self._send(life, "open")
        for number in range(12):
            yield lambda number=number: self._send(life, f"r{number}")  # type: ignore[misc]  # bound by its default
            yield lambda number=number: self._answer(life, f"r{number}")  # type: ignore[misc]  # bound by its default
            if number % 5 == 4:
                yield life.fold

    def _send(self, life: Life, name: str) -> None:
        life.begin(name)
        self.sent.append(name)

    def _answer(self, life: Life, name: str) -> None:
        if life.end(name):
            self.answered.append(name)


@pytest.fixture(params=[False, True], ids=["written", "mapped"])
def mapped(request: pytest.FixtureRequest) -> bool:
    """Whether records are written, or put into memory that is the file's."""
    return bool(request.param)


def operations(mapped: bool = False) -> int:
    """How many there are when nobody is killed."""
    files = MemoryFiles(mapped=mapped)
    life = Life(files, MemoryStore())
    for step in Client().script(life):
        step()
    assert {"create", "reserve", "write", "rename", "unlink", "read", "cut"} <= set(files.operations)
    return len(files.operations)


def killed(number: int, when: str, mapped: bool = False) -> tuple[MemoryFiles, MemoryStore, Client]:
    files, store, client = MemoryFiles(mapped=mapped), MemoryStore(), Client()

    def at(now: int, moment: str, _what: str) -> None:
        if (now, moment) == (number, when):
            raise Killed

    files.at = at
    try:
        life = Life(files, store)
        for step in client.script(life):
            step()
    except Killed:
        pass
    return files, store, client


@pytest.mark.parametrize("when", ["before", "middle", "after"])
def test_whenever_it_is_killed_every_answer_is_stored_once(when: str, mapped: bool) -> None:
    """Each completed answer once, each request that was sent and not answered flagged, and nothing else."""
    for number in range(operations(mapped)):
        files, store, client = killed(number, when, mapped)
        life = Life(files.next_process(), store)
        life.fold()
        verdicts = {name: row[9] if len(row) > 2 else "success" for name, row in store.rows.items()}
        assert {name for name, verdict in verdicts.items() if verdict == "success"} >= set(client.answered)
        # Where it was killed within `end` the record may be there, and where within `begin` too.
        flagged = {name for name, verdict in verdicts.items() if verdict == "interrupted"}
        assert set(client.sent) <= set(verdicts), (number, life.files.tree.keys())
        assert not flagged & set(client.answered)
        assert max(store.times.values(), default=1) == 1, (number, store.times)


@pytest.mark.parametrize("when", ["before", "middle", "after"])
def test_the_next_start_is_told_what_was_open(when: str, mapped: bool) -> None:
    """What had begun and not ended is in the replay, with the state that the last segment began with."""
    for number in range(operations(mapped)):
        files, store, client = killed(number, when, mapped)
        replay = Life(files.next_process(), store).replay
        open_ones = {begin.id for begin in replay.interrupted}
        still = set(client.sent) - set(client.answered)
        assert still <= open_ones | {str(row[0]) for row in replay.ended}
        assert len(open_ones - still) <= 1
        assert replay.state == (b"state" if client.sent else replay.state)


def test_a_kill_in_the_middle_of_a_start_changes_nothing() -> None:
    """The next start is killed at each of its operations too; the one after it finds everything."""
    files, store, client = killed(operations() - 2, "middle")
    total = len(client.sent)
    for number in range(40):
        again, late = MemoryFiles({path: bytearray(data) for path, data in files.tree.items()}), MemoryStore()
        late.rows, late.times, late.marks = dict(store.rows), dict(store.times), dict(store.marks)

        def at(now: int, moment: str, _what: str, number: int = number) -> None:
            if (now, moment) == (number, "after"):
                raise Killed

        again.at = at
        try:
            life = Life(again, late)
            life.fold()
            life.begin("later")
        except Killed:
            pass
        Life(again.next_process(), late).fold()
        assert len(late.rows.keys() - {"later"}) == total
        assert set(client.answered) <= late.rows.keys()


def test_what_an_earlier_start_flagged_is_not_reserved_again() -> None:
    """Its row is written again without effect, but who restores reservations hears of it once."""
    files, store = MemoryFiles(), MemoryStore()
    Life(files, store).begin("lost")
    second = Life(files.next_process(), store)
    assert [begin.id for begin in second.replay.interrupted] == ["lost"]
    second.state = b"counted"
    second.begin("next")
    third = Life(files.next_process(), store)
    assert third.replay.state == b"counted"
    assert [begin.id for begin in third.replay.interrupted] == ["next"]
    third.fold()
    assert set(store.rows) == {"lost", "next"}


def test_a_torn_tail_is_set_aside_and_told() -> None:
    """Its segment is stored up to the tear, then kept under a name that says where; records go on in the next."""
    files, store, client = MemoryFiles(), MemoryStore(), Client()
    life = Life(files, store)
    for name in ("a", "b"):
        client._answer(life, name)
    (segment,) = life.journal.segments
    del files.tree[segment.path][segment.size - 3 :]
    second = Life(files.next_process(), store)
    assert len(second.flaws) == 1
    assert "the middle of a record" in second.flaws[0]
    second.end("c")
    second.fold()
    assert set(store.rows) == {"a", "c"}
    aside = [path.name for path in files.tree if "set-aside-from-" in path.name]
    assert aside == [f"000000001.journal.set-aside-from-{segment.size - len_of(life, 'b')}"]
    third = Life(files.next_process(), store)
    assert third.flaws == []
    assert third.journal.directory.aside > 0
    third.end("d")
    assert [one.number for one in third.journal.segments] == [2, 3]


def len_of(life: Life, name: str) -> int:
    before = life.journal.segments[-1].size
    assert life.end(name)
    return life.journal.segments[-1].size - before


def test_two_engines_do_not_share_a_journal() -> None:
    """The second is told which directory it is and what to do; the first goes on."""
    files, store = MemoryFiles(), MemoryStore()
    first = Life(files, store)
    with pytest.raises(Exception, match=f"{PLACE}: another engine is using it"):
        Life(files, store)
    assert first.end("a")
    first.journal.close()
    assert Life(files, store).journal.end(Entry(("b",)))
