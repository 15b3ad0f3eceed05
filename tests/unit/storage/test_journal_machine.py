"""The journal against a model: any order of requests, stores, refusing disks and crashes."""

from errno import EIO, ENOSPC, EROFS

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.fakes.clock import ManualClock
from tests.fakes.journals import SMALL, Life
from tests.fakes.memory_files import MemoryFiles, failing
from tests.fakes.memory_store import MemoryStore

ERRORS = st.sampled_from([ENOSPC, EIO, EROFS])


class JournalMachine(RuleBasedStateMachine):
    """What `end` took is stored once, unless it was only in memory when the engine died."""

    def __init__(self) -> None:
        super().__init__()
        self.files = MemoryFiles()
        self.store = MemoryStore()
        self.clock = ManualClock()
        self.life = Life(self.files, self.store, self.clock)
        self.taken: set[str] = set()
        self.open: list[str] = []
        self.safe: set[str] = set()
        self.forgiven: set[str] = set()
        self.number = 0

    @rule()
    def begin(self) -> None:
        self.number += 1
        self.life.begin(f"r{self.number}")
        self.open.append(f"r{self.number}")
        if not self.life.journal.trouble:
            self.safe.add(f"r{self.number}")

    @rule(size=st.integers(0, 600))
    @precondition(lambda self: self.open)
    def end(self, size: int) -> None:
        name = self.open.pop(0)
        if self.life.end(name, size):
            self.taken.add(name)
        else:
            assert self.life.journal.trouble
            self.forgiven.add(name)

    @rule(limit=st.integers(1, 4))
    def fold(self, limit: int) -> None:
        self.life.fold(limit)
        assert self.taken <= self.store.rows.keys()

    @rule(error=ERRORS, count=st.integers(1, 3))
    def the_disk_refuses(self, error: int, count: int) -> None:
        left = [count]
        refuse = failing(error)

        def at(_number: int, when: str, what: str) -> None:
            if (
                when == "before"
                and what in {"create", "write", "rename", "cut", "reserve", "unlink"}
                and left[0]
            ):
                left[0] -= 1
                refuse()

        self.files.at = at

    @rule(short=st.integers(0, 7))
    def writes_are_short(self, short: int) -> None:
        self.files.short = short

    @rule(seconds=st.sampled_from([0.5, 1.0, 5.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.life.journal.tick()

    @rule()
    def it_crashes(self) -> None:
        """What was in memory only had been told of."""
        held = {str(entry.request[0]) for entry in self.life.journal.held}
        assert not held or self.life.journal.trouble
        self.taken -= held
        lost = held | self.forgiven | {name for name in self.open if name not in self.safe}
        self.forgiven |= lost
        expected = set(self.open) - lost
        self.open = []
        self.files = self.files.next_process()
        self.life = Life(self.files, self.store, self.clock)
        assert expected <= {begin.id for begin in self.life.journal.unfinished}

    @rule()
    def it_ends_well(self) -> None:
        self.life.fold()
        self.files.at = lambda _number, _when, _what: None
        assert self.life.journal.close() == 0
        self.open = []
        self.files = self.files.next_process()
        self.life = Life(self.files, self.store, self.clock)

    @invariant()
    def an_answer_stays_an_answer(self) -> None:
        """One that was stored from memory has no end in the journal: flagging it must not replace its row."""
        rows = self.store.rows
        assert {len(rows[name]) for name in self.taken & rows.keys()} <= {2}

    @invariant()
    def it_is_bounded(self) -> None:
        assert self.life.journal.occupied <= SMALL.total + 5 * 700


TestJournalMachine = JournalMachine.TestCase
TestJournalMachine.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
