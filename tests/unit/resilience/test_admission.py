"""Slots and the queue of a model: bounded, fair, in order, and no wake-up is ever lost."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from orchestra_core.resilience.admission import ModelQueue, Permits, Room, Waiter
from orchestra_core.resilience.waiting import AGE_SECONDS


class Place:
    """One model on some endpoints, and the names of those that were woken, in order."""

    def __init__(self, slots: int = 1, endpoints: str = "a", room: Room | None = None) -> None:
        self.queue = ModelQueue("m", room or Room())
        self.permits = {name: Permits(name, slots, self.queue) for name in endpoints}
        self.woken: list[str] = []

    def fill(self) -> None:
        for permits in self.permits.values():
            while permits.try_acquire():
                pass

    def arrive(
        self, name: str, accepts: str = "", *, at: float = 0.0, key: str = "", priority: int = 0
    ) -> Waiter | None:
        waiter = Waiter(
            set(accepts or self.permits),
            at,
            key=key,
            priority=priority,
            work=1.0,
            wake=lambda: self.woken.append(name),
        )
        return waiter if self.queue.enqueue(waiter) else None

    def serve(self, times: int, at: float = 0.0, endpoint: str = "a") -> None:
        """So many calls end, each giving its slot to whoever is next."""
        for _ in range(times):
            self.permits[endpoint].release(at)


def full(**facts: object) -> Place:
    place = Place(**facts)
    place.fill()
    return place


def test_a_freed_slot_goes_to_the_longest_waiting() -> None:
    """In order of arrival, each woken once, and nobody slips in between."""
    place = full()
    for name in "xyz":
        place.arrive(name)
    place.serve(2)
    assert place.woken == ["x", "y"]
    assert not place.permits["a"].try_acquire()


def test_a_waiter_takes_the_first_of_its_endpoints_that_comes_free() -> None:
    """One queue per model: who accepts either goes where there is a slot, who accepts one waits for that one."""
    place = full(endpoints="ab")
    only_a, either = place.arrive("only a", "a"), place.arrive("either")
    place.serve(1, endpoint="b")
    assert place.woken == ["either"]
    assert either is not None
    assert either.granted == "b"
    place.serve(1)
    assert only_a is not None
    assert only_a.granted == "a"


def test_higher_priority_goes_first() -> None:
    """Whoever came first."""
    place = full()
    for name, priority in (("low", -1), ("normal", 0), ("high", 1)):
        place.arrive(name, priority=priority)
    place.serve(3)
    assert place.woken == ["high", "normal", "low"]


def test_keys_take_turns() -> None:
    """A key with many requests does not hold up one that came later with one."""
    place = full()
    for number in range(4):
        place.arrive(f"greedy {number}", key="greedy")
    place.arrive("modest", key="modest")
    place.serve(5)
    assert place.woken == ["greedy 0", "modest", "greedy 1", "greedy 2", "greedy 3"]


def test_nobody_waits_beyond_the_age_bound_while_others_are_served() -> None:
    """After ten seconds neither a higher priority nor another key's turn comes first."""
    place = full()
    place.arrive("old", priority=-1)
    place.arrive("new", at=5.0, priority=1)
    place.serve(1, at=AGE_SECONDS - 0.1)
    place.arrive("newer", at=9.0, priority=1)
    place.serve(1, at=AGE_SECONDS)
    assert place.woken == ["new", "old"]


def test_a_full_queue_refuses_and_room_is_shared_by_all_models() -> None:
    """Sixteen places for one slot, eight for each of many; and no more than the room for all has."""
    place = full()
    assert sum(place.arrive(str(i)) is not None for i in range(20)) == 16
    wide = full(slots=4)
    assert sum(wide.arrive(str(i)) is not None for i in range(40)) == 32
    room = Room(limit=20)
    first, second = full(room=room), full(room=room)
    assert sum(p.arrive(str(i)) is not None for p in (first, second) for i in range(16)) == 20
    first.serve(1)
    assert room.taken == 19


def test_in_a_full_queue_the_greediest_key_gives_way() -> None:
    """Its newest request is refused for one of a key with fewer; never the other way round."""
    place = full()
    greedy = [place.arrive(f"greedy {i}", key="greedy") for i in range(16)]
    assert place.arrive("one more", key="greedy") is None
    assert place.arrive("modest", key="modest") is not None
    assert greedy[-1] is not None
    assert greedy[-1].refused
    assert place.woken == ["greedy 15"]
    assert place.arrive("urgent", key="greedy", priority=1) is not None


def test_a_withdrawn_waiter_is_passed_over() -> None:
    """A client that left in the queue does not get the slot, and leaving twice is harmless."""
    place = full()
    first = place.arrive("first")
    place.arrive("second")
    assert first is not None
    assert place.queue.withdraw(first)
    assert not place.queue.withdraw(first)
    place.serve(1)
    assert place.woken == ["second"]


def test_withdrawing_too_late_says_that_the_slot_is_held() -> None:
    """Granted and cancelled in the same moment: the slot must be given on, and is."""
    place = full()
    late = place.arrive("late")
    place.arrive("next")
    place.serve(1)
    assert late is not None
    assert not place.queue.withdraw(late)
    assert late.granted == "a"
    place.serve(1)
    assert place.woken == ["late", "next"]


def test_releasing_what_nobody_holds_is_an_error() -> None:
    """A permit given back twice is a mistake in the program, not a slot more."""
    with pytest.raises(ValueError, match="no slot"):
        Place().serve(1)


def test_more_slots_wake_waiters_and_fewer_take_none_away() -> None:
    """A resize takes effect as slots come free; a slow start allows at least one."""
    place = full()
    permits = place.permits["a"]
    for name in "wxyz":
        place.arrive(name)
    permits.resize(3, 0.0)
    assert place.woken == ["w", "x"]
    permits.start_slowly(0.1, 0.0)
    assert permits.allowed == 1
    place.serve(2)
    assert permits.held == 1
    permits.start_slowly(1.0, 0.0)
    assert place.woken == ["w", "x", "y", "z"]


def test_who_waits_for_an_endpoint_that_is_closed_goes_elsewhere() -> None:
    """Refused at once where it accepts no other, and not given its slots where it does."""
    place = full(endpoints="ab")
    only_a, either = place.arrive("only a", "a"), place.arrive("either")
    place.queue.close("a", "its breaker has opened")
    assert only_a is not None
    assert either is not None
    assert only_a.refused == "its breaker has opened"
    place.serve(1)
    assert not either.granted
    place.serve(1, endpoint="b")
    assert either.granted == "b"


def test_the_wait_is_predicted_from_the_work_ahead() -> None:
    """Half of what runs, and what would be served before; a key of its own has only its turn ahead."""
    place = full(slots=2)
    for number in range(4):
        place.arrive(str(number), key="greedy")
    queue = place.queue
    assert queue.expected_wait(0, "greedy", 1.0, running=2.0) == ((1.0 + 4) / 2, 0.0)
    assert queue.expected_wait(0, "modest", 1.0, running=2.0) == ((1.0 + 1) / 2, 0.0)
    assert queue.expected_wait(1, "greedy", 1.0, running=2.0) == (1.0 / 2, 0.0)


def test_what_is_not_known_of_those_ahead_adds_up_as_errors_do() -> None:
    """Four ahead are twice as uncertain as one, and whoever is next has only the prediction's own half to fear."""
    place = full(slots=2)
    for number in range(4):
        place.arrive(str(number), key="greedy")
    doubts = [
        place.queue.expected_wait(priority, key, 1.0, running=2.0, variance=0.04)[1]
        for priority, key in ((0, "greedy"), (0, "modest"), (1, "greedy"))
    ]
    assert doubts == pytest.approx([0.2, 0.1, 0.0])


def test_positions_tell_the_order_in_which_they_are_served() -> None:
    """What a waiting client is told is what happens then."""
    place = full()
    waiters: dict[str, Waiter] = {}
    for name, key, priority in [("a", "x", 0), ("b", "x", 0), ("c", "y", 0), ("d", "y", 1), ("e", "z", -1)]:
        waiter = place.arrive(name, key=key, priority=priority)
        assert waiter is not None
        waiters[name] = waiter
    positions = {name: place.queue.line.position(waiter, 1.0) for name, waiter in waiters.items()}
    place.serve(5, at=1.0)
    assert [positions[name] for name in place.woken] == [1, 2, 3, 4, 5]
    assert place.queue.line.position(waiters["a"], 1.0) == 0


def test_the_view_says_how_many_wait_and_for_how_long() -> None:
    """For the snapshot: waiting, the oldest's seconds, and for how many keys."""
    place = full()
    for name, key in (("a", "x"), ("b", "y"), ("c", "y")):
        place.arrive(name, key=key, at=3.0)
    view = place.queue.view(5.0)
    assert (view.model, view.waiting, view.oldest, view.keys) == ("m", 3, 2.0, 2)


class Queueing(RuleBasedStateMachine):
    """Arrivals, departures, withdrawals, resizes, closings and time, for three endpoints and three keys."""

    def __init__(self) -> None:
        super().__init__()
        self.room = Room(limit=40)
        self.queue = ModelQueue("m", self.room)
        self.permits = {name: Permits(name, 2, self.queue) for name in "abc"}
        self.now = 0.0
        self.waiting: list[Waiter] = []
        self.holding: list[str] = []
        self.wakes = 0

    def woken(self, waiter: Waiter) -> None:
        """Each is woken once, and what an older one accepted was not given to a younger one after the bound."""
        self.wakes += 1
        assert bool(waiter.granted) != bool(waiter.refused)
        self.waiting.remove(waiter)
        if waiter.granted:
            self.holding.append(waiter.granted)
            starving = [
                other
                for other in self.waiting
                if waiter.granted in other.accepts
                and self.now - other.since >= AGE_SECONDS
                and other.since < waiter.since
            ]
            assert not starving

    @rule(
        accepts=st.sets(st.sampled_from("abc"), min_size=1),
        key=st.sampled_from("xyz"),
        priority=st.integers(-1, 1),
    )
    def arrive(self, accepts: set[str], key: str, priority: int) -> None:
        name = self.queue.take(sorted(accepts))
        if name:
            self.holding.append(name)
            return
        waiter: Waiter
        waiter = Waiter(set(accepts), self.now, key=key, priority=priority, wake=lambda: self.woken(waiter))
        if self.queue.enqueue(waiter):
            self.waiting.append(waiter)
        else:
            assert len(self.waiting) >= min(self.queue.limit, self.room.limit)

    @precondition(lambda self: self.holding)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.holding)))
        self.holding.remove(name)
        self.permits[name].release(self.now)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        waiter = data.draw(st.sampled_from(self.waiting))
        assert self.queue.withdraw(waiter)
        self.waiting.remove(waiter)

    @rule(name=st.sampled_from("abc"), slots=st.integers(1, 4))
    def resize(self, name: str, slots: int) -> None:
        self.permits[name].resize(slots, self.now)

    @rule(name=st.sampled_from("abc"), share=st.sampled_from([0.1, 0.5, 1.0]))
    def start_slowly(self, name: str, share: float) -> None:
        self.permits[name].start_slowly(share, self.now)

    @rule(name=st.sampled_from("abc"))
    def push_back(self, name: str) -> None:
        self.permits[name].pushed_back(self.now, self.now)

    @rule(name=st.sampled_from("abc"))
    def close(self, name: str) -> None:
        self.queue.close(name, "closed")

    @rule(seconds=st.floats(0.1, 12.0))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def permits_agree_and_never_exceed_the_slots(self) -> None:
        for name, permits in self.permits.items():
            assert permits.held == self.holding.count(name)
            assert 1 <= permits.allowed <= permits.slots

    @invariant()
    def nobody_waits_beside_a_free_slot(self) -> None:
        free = {name for name, permits in self.permits.items() if permits.held < permits.allowed}
        assert not any(free & waiter.accepts for waiter in self.waiting)

    @invariant()
    def the_account_of_places_agrees(self) -> None:
        assert len(self.queue.line) == self.room.taken == len(self.waiting)
        assert set(self.queue.line) == set(self.waiting)

    def teardown(self) -> None:
        """When everything ends, every permit is back and everybody was served or refused."""
        while self.holding:
            name = self.holding.pop()
            self.permits[name].release(self.now)
        assert not self.waiting
        assert all(permits.held == 0 for permits in self.permits.values())


TestQueueing = Queueing.TestCase
TestQueueing.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
