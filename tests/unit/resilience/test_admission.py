"""Slots and their queue: bounded, in order, and no wake-up is ever lost."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from orchestra_core.resilience.admission import Admission, Waiter


def test_slots_first_then_the_queue_then_nothing() -> None:
    """Two slots and one place to wait: the fourth is told so at once."""
    admission = Admission(2, 1)
    assert [admission.try_acquire() for _ in range(3)] == [True, True, False]
    assert admission.enqueue() is not None
    assert admission.enqueue() is None
    assert (admission.held, admission.waiting) == (2, 1)


def test_a_freed_slot_goes_to_the_longest_waiting() -> None:
    """In order of arrival, each woken once, and nobody slips in between."""
    admission = Admission(1, 5)
    assert admission.try_acquire()
    woken: list[str] = []
    waiters = [admission.enqueue(lambda name=name: woken.append(name)) for name in "abc"]
    assert admission.release() is waiters[0]
    assert not admission.try_acquire()
    assert admission.release() is waiters[1]
    assert woken == ["a", "b"]
    assert admission.held == 1


def test_a_withdrawn_waiter_is_passed_over() -> None:
    """A client that left in the queue does not get the slot, and leaving twice is harmless."""
    admission = Admission(1, 5)
    admission.try_acquire()
    first, second = admission.enqueue(), admission.enqueue()
    assert first is not None
    assert admission.withdraw(first)
    assert not admission.withdraw(first)
    assert not first.granted
    assert admission.release() is second


def test_withdrawing_too_late_says_that_the_slot_is_held() -> None:
    """Granted and cancelled in the same moment: the slot must be given on, and is."""
    admission = Admission(1, 5)
    admission.try_acquire()
    late, next_ = admission.enqueue(), admission.enqueue()
    admission.release()
    assert late is not None
    assert late.granted
    assert not admission.withdraw(late)
    assert admission.release() is next_


def test_releasing_what_nobody_holds_is_an_error() -> None:
    """A permit given back twice is a mistake in the program, not a slot more."""
    with pytest.raises(ValueError, match="no slot"):
        Admission(1, 1).release()


def test_more_slots_wake_waiters_and_fewer_take_none_away() -> None:
    """A resize takes effect as slots come free."""
    admission = Admission(1, 9)
    admission.try_acquire()
    for _ in range(4):
        admission.enqueue()
    admission.resize(3)
    assert (admission.held, admission.waiting) == (3, 2)
    admission.resize(1)
    assert admission.release() is None
    assert admission.release() is None
    assert admission.release() is not None
    assert (admission.held, admission.waiting) == (1, 1)


class Queueing(RuleBasedStateMachine):
    """Any order of arrivals, departures and resizes, beside a plain list of who waits."""

    def __init__(self) -> None:
        super().__init__()
        self.admission = Admission(2, 4)
        self.slots = 2
        self.held = 0
        self.queue: list[Waiter] = []
        self.woken: list[int] = []
        self.arrivals = 0

    def grant(self) -> None:
        while self.queue and self.held < self.slots:
            assert self.queue.pop(0).granted
            self.held += 1

    @rule()
    def arrive(self) -> None:
        free = self.held < self.slots and not self.queue
        assert self.admission.try_acquire() == free
        if free:
            self.held += 1
            return
        number = self.arrivals
        waiter = self.admission.enqueue(lambda: self.woken.append(number))
        assert (waiter is None) == (len(self.queue) >= 4)
        if waiter is not None:
            self.arrivals += 1
            self.queue.append(waiter)
            self.grant()

    @precondition(lambda self: self.held)
    @rule()
    def leave(self) -> None:
        expected = self.queue[0] if self.queue and self.held - 1 < self.slots else None
        self.held -= 1
        assert self.admission.release() is expected
        if expected is not None:
            self.grant()

    @precondition(lambda self: self.queue)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        waiter = data.draw(st.sampled_from(self.queue))
        assert self.admission.withdraw(waiter)
        self.queue.remove(waiter)

    @rule(slots=st.integers(1, 4))
    def resize(self, slots: int) -> None:
        self.slots = slots
        self.admission.resize(slots)
        self.grant()

    @invariant()
    def the_account_agrees(self) -> None:
        assert (self.admission.held, self.admission.waiting) == (self.held, len(self.queue))

    @invariant()
    def nobody_waits_beside_a_free_slot(self) -> None:
        assert not self.queue or self.admission.held >= self.slots

    @invariant()
    def woken_in_order_and_once(self) -> None:
        assert self.woken == sorted(set(self.woken))

    @invariant()
    def who_still_waits_was_not_woken(self) -> None:
        assert not any(waiter.granted for waiter in self.queue)


TestQueueing = Queueing.TestCase
TestQueueing.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
