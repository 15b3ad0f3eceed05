"""The store of answers: never above its bounds, never too old, and what was asked for twice stays longer."""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from orchestra_core.caching.store import OVERHEAD, Store

AGE = 100.0
NAMES = st.integers(0, 30).map(lambda number: number.to_bytes(4, "big"))


class StoreMachine(RuleBasedStateMachine):
    """Against a dictionary that forgets nothing: the store may have forgotten, but never lies."""

    def __init__(self) -> None:
        super().__init__()
        self.store = Store(20 * (OVERHEAD + 50), AGE)
        self.now = 1000.0
        self.put: dict[bytes, tuple[bytes, float]] = {}

    @rule(name=NAMES, size=st.integers(0, 2000))
    def keep(self, name: bytes, size: int) -> None:
        """What was kept is found at once."""
        data = name + bytes(size)
        self.put.pop(name, None)
        kept = self.store.put(name, data, self.now)
        assert kept == (len(data) + OVERHEAD <= self.store.limit)
        if kept:
            self.put[name] = (data, self.now)
            assert self.store.get(name, self.now) == (data, 0.0)

    @rule(name=NAMES)
    def look(self, name: bytes) -> None:
        """Nothing is found that was not kept, nor what was replaced or is too old."""
        found = self.store.get(name, self.now)
        if found is not None:
            data, since = self.put[name]
            assert found == (data, self.now - since)
            assert self.now - since < self.store.max_age

    @rule(seconds=st.floats(0, 60))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(limit=st.integers(OVERHEAD, 30 * OVERHEAD), age=st.floats(1, 200))
    def configure(self, limit: int, age: float) -> None:
        self.store.configure(limit, age)

    @precondition(lambda self: len(self.store) > 3)
    @rule()
    def clear(self) -> None:
        before = len(self.store)
        assert self.store.clear() == before
        self.put.clear()

    @invariant()
    def bounded(self) -> None:
        """All that is kept, with what Python takes for it, fits in the room, and is counted exactly."""
        kept = [found for name in self.put if (found := self.store._entries.get(name)) is not None]
        assert len(kept) == len(self.store)
        assert self.store.size == sum(len(data) + OVERHEAD for data, _ in kept)
        assert self.store.size <= self.store.limit
        assert self.store._probation.keys() | self.store._protected.keys() == self.store._entries.keys()
        assert not self.store._probation.keys() & self.store._protected.keys()
        protected = sum(len(self.store._entries[name][0]) + OVERHEAD for name in self.store._protected)
        assert self.store._protected_size == protected


TestStore = StoreMachine.TestCase
TestStore.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)


def filled(number: int) -> Store:
    store = Store(number * (OVERHEAD + 4), AGE)
    for place in range(number):
        assert store.put(b"%4d" % place, b"data", 0.0)
    return store


def test_without_a_hit_the_oldest_goes_first() -> None:
    """Nothing was asked for twice: what came first makes room."""
    store = filled(3)
    store.put(b"new", b"data", 1.0)
    assert [store.get(name, 1.0) is not None for name in (b"   0", b"   1", b"new")] == [False, True, True]
    assert store.dropped == 1


@given(st.integers(1, 200))
def test_a_flood_of_single_requests_leaves_what_is_asked_for_again(flood: int) -> None:
    """One hit is enough to outlast any number of answers that nobody asks for twice."""
    store = filled(10)
    assert store.get(b"   0", 1.0) is not None
    for number in range(flood):
        store.put(b"flood%d" % number, b"data", 2.0)
    assert store.get(b"   0", 3.0) is not None


def test_the_protected_part_has_an_end_too() -> None:
    """When all are asked for again, who was asked for last stays longest."""
    store = filled(10)
    for place in range(10):
        assert store.get(b"%4d" % place, 1.0) is not None
    for number in range(3):
        store.put(b"new%d" % number, b"data", 2.0)
    assert [place for place in range(10) if store.get(b"%4d" % place, 3.0) is None] == [0, 1]
    assert store.get(b"   9", 3.0) is not None


def test_what_is_too_old_is_not_found_and_not_kept() -> None:
    """At its age exactly it is gone; the next that is kept sweeps away all that are."""
    store = filled(5)
    assert store.get(b"   0", AGE - 0.1) is not None
    assert store.get(b"   0", AGE) is None
    assert (len(store), store.expired) == (4, 1)
    store.put(b"new", b"data", AGE)
    assert (len(store), store.expired) == (1, 5)
