"""The hand-over queue between the event loop and the writer thread."""

import threading

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from orchestra_core.storage.backlog import Backlog

CAPACITY = 7


class BacklogMachine(RuleBasedStateMachine):
    """Against a plain list: nothing lost, nothing twice, order kept, never more than the capacity."""

    def __init__(self) -> None:
        super().__init__()
        self.backlog: Backlog[int] = Backlog(CAPACITY, batch=3, window=0.0)
        self.expected: list[int] = []
        self.held: list[int] = []
        self.number = 0

    @rule()
    def put(self) -> None:
        self.number += 1
        accepted = self.backlog.put(self.number)
        assert accepted == (len(self.expected) + len(self.held) < CAPACITY)
        if accepted:
            self.expected.append(self.number)

    @rule(limit=st.integers(1, 5))
    def take(self, limit: int) -> None:
        if self.held:
            return
        self.held = self.backlog.take(limit)
        assert self.held == self.expected[:limit]
        del self.expected[:limit]

    @rule()
    def settle(self) -> None:
        self.backlog.held = 0
        self.held = []

    @invariant()
    def counts(self) -> None:
        assert len(self.backlog) == len(self.expected) + len(self.held)


TestBacklogMachine = BacklogMachine.TestCase


def test_a_full_backlog_refuses_without_waiting() -> None:
    """What the consumer holds unsettled counts against the capacity."""
    backlog: Backlog[int] = Backlog(2, batch=10, window=60.0)
    assert backlog.put(1)
    assert backlog.take(1) == [1]
    assert backlog.put(2)
    assert not backlog.put(3)
    backlog.held = 0
    assert backlog.put(4)


def test_the_window_ends_when_there_is_a_batch() -> None:
    """A consumer in an endless window wakes at the batch size, not before and not never."""
    backlog: Backlog[int] = Backlog(100, batch=3, window=1000.0)
    taken: list[int] = []

    def consume() -> None:
        backlog.gather()
        taken.extend(backlog.take(100))

    consumer = threading.Thread(target=consume, daemon=True)
    consumer.start()
    for number in range(3):
        backlog.put(number)
    consumer.join(10)
    assert taken == [0, 1, 2]


def test_haste_and_closing_end_a_wait() -> None:
    """Neither `hurry` nor `close` is lost when it comes before the wait."""
    backlog: Backlog[int] = Backlog(100, batch=3, window=1000.0)
    backlog.put(1)
    backlog.hurry()
    backlog.gather()
    assert backlog.take(100) == [1]
    backlog.close()
    backlog.gather()
    assert backlog.take(100) == []


def test_every_entry_arrives_once_under_contention() -> None:
    """A producer at full speed and a consumer thread: nothing lost, doubled or reordered."""
    backlog: Backlog[int] = Backlog(1_000_000, batch=50, window=1000.0)
    total = 50_000
    seen: list[int] = []

    def consume() -> None:
        while len(seen) < total:
            backlog.gather()
            seen.extend(backlog.take(100))
            backlog.held = 0

    consumer = threading.Thread(target=consume, daemon=True)
    consumer.start()
    assert all(backlog.put(number) for number in range(total))
    backlog.hurry()
    consumer.join(30)
    assert seen == list(range(total))


def test_a_refusing_backlog_says_what_it_forgot() -> None:
    """After the writer ended, entries are refused and the left-over ones counted."""
    backlog: Backlog[int] = Backlog(10, batch=3, window=0.0)
    backlog.put(1)
    backlog.put(2)
    assert backlog.refuse() == 2
    assert not backlog.put(3)
    assert len(backlog) == 0
