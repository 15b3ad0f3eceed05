"""What a pool has left, whoever has it: promises, what others use, and memory that is not back yet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.domain.memory import Pressure, Reading
from orchestra_core.residency.pool import Pool
from orchestra_core.residency.room import GIB

TOTAL = 100


def pool(used: int | None = 0, *, headroom: int | None = 0, total: int = TOTAL) -> Pool:
    """One of a hundred bytes, all of them usable unless said otherwise."""
    made = Pool("host", headroom=headroom)
    made.read(Reading(total, used), {}, 0.0)
    return made


def load(made: Pool, key: str, size: int, now: float = 0.0) -> None:
    """A load that has ended as predicted, and was seen."""
    assert made.admit(key, size, now)
    made.settle(key, size)
    assert made.used is not None
    made.read(Reading(TOTAL, made.used + size), {key: size}, now)


def see(made: Pool, used: int, now: float, **known: int) -> None:
    made.read(Reading(TOTAL, used), known, now)


def test_a_load_is_admitted_only_beside_all_reservations() -> None:
    """What is promised is gone, whether it is used or not."""
    made = pool()
    assert made.admit("a", 60, 0.0)
    assert not made.admit("b", 41, 0.0)
    assert made.held("b") is None
    assert made.admit("b", 40, 0.0)


def test_a_load_is_admitted_only_beside_what_others_use() -> None:
    """Now, or a moment ago."""
    made = pool(50)
    assert not made.admit("a", 51, 0.0)
    see(made, 10, 59.0)
    assert not made.admit("a", 51, 59.0)
    see(made, 10, 61.0)
    assert made.admit("a", 51, 61.0)


def test_a_refused_load_leaves_what_it_held_before() -> None:
    """Its backend had begun without us."""
    made = pool()
    made.adopt("a", 10, 0.0)
    assert not made.admit("a", 101, 0.0)
    assert made.room(0.0).reserved == 10


def test_nothing_is_admitted_under_critical_pressure() -> None:
    """However much the rule would leave."""
    made = Pool("host", headroom=0)
    see(made, 95, 0.0)
    see(made, 86, 1.0)
    assert made.room(1.0).pressure is Pressure.CRITICAL
    assert not made.admit("a", 1, 1.0)


@pytest.mark.parametrize(
    ("name", "total", "headroom"),
    [
        ("host", 64 * GIB, 64 * GIB * 8 // 100),
        ("host", 10 * GIB, GIB),
        ("host", 4 * GIB, GIB // 2),
        ("gpu:0", 80 * GIB, GIB // 2),
        ("gpu:0", 2 * GIB, GIB // 4),
    ],
)
def test_headroom_is_more_where_the_system_lives(name: str, total: int, headroom: int) -> None:
    """Of the host 8 % or a gigabyte, of a GPU half a gigabyte, of a small pool an eighth at most."""
    made = Pool(name)
    made.read(Reading(total, 0), {}, 0.0)
    assert made.headroom == headroom
    assert made.room(0.0).free == total - headroom


def test_a_pool_that_is_only_configured_is_all_for_models() -> None:
    """Nobody measures its use: no headroom, no foreign use, no pressure."""
    made = Pool("box")
    made.read(Reading(TOTAL), {}, 0.0)
    assert made.admit("a", TOTAL, 0.0)
    assert made.watermarks.pressure is Pressure.CALM
    made.release("a", 1.0)
    assert made.room(1.0).free == TOTAL


def test_headroom_can_be_set() -> None:
    """Also for a pool that is only configured."""
    made = pool(None, headroom=30)
    assert made.room(0.0).free == 70


def test_foreign_use_is_the_most_of_the_last_minute() -> None:
    """Whoever took it may take it again."""
    made = pool(50)
    see(made, 20, 30.0)
    assert made.room(59.0).foreign == 50
    assert made.room(61.0).foreign == 20
    see(made, 30, 62.0)
    assert made.room(62.0).foreign == 30


def test_the_last_measurement_counts_however_old_it_is() -> None:
    """No reading is not an empty machine."""
    assert pool(50).room(1000.0).foreign == 50


def test_a_load_under_way_is_not_foreign_use() -> None:
    """It counts in full as ours from its beginning."""
    made = pool(10)
    assert made.admit("a", 40, 0.0)
    see(made, 30, 1.0)
    assert made.room(1.0).foreign == 10
    assert made.room(1.0).unpromised == 100 - 40 - 10


def test_what_a_load_has_not_taken_yet_is_not_free() -> None:
    """Even when others have taken what the reservation would hide."""
    made = pool(0)
    assert made.admit("a", 40, 0.0)
    see(made, 50, 70.0)
    see(made, 50, 140.0)
    assert made.room(140.0).foreign == 10
    assert made.room(140.0).free == 10


def test_a_model_larger_than_promised_is_counted_as_measured() -> None:
    """Then less is left, and none where it is larger than all."""
    made = pool(0)
    assert made.admit("a", 40, 0.0)
    made.settle("a", 60)
    assert made.room(0.0).reserved == 60
    made.settle("a", 120)
    assert made.room(0.0).free == 0
    assert made.room(0.0).unpromised == -20


def test_a_model_smaller_than_promised_keeps_its_promise() -> None:
    """It may grow; only a better estimate lowers what it holds."""
    made = pool(0)
    assert made.admit("a", 40, 0.0)
    made.settle("a", 30)
    assert made.room(0.0).reserved == 40
    made.settle("a", 30, 31)
    assert made.room(0.0).reserved == 31
    made.settle("a", None, 20)
    assert made.room(0.0).reserved == 30


def test_a_loaded_model_is_unseen_until_the_next_reading() -> None:
    """The last reading was taken without it."""
    made = pool(0)
    assert made.admit("a", 40, 0.0)
    made.settle("a", 40)
    assert made.room(0.0).unused == 60
    see(made, 40, 1.0, a=40)
    assert made.room(1.0).unused == 60


def test_memory_is_free_when_it_was_measured_to_be_back() -> None:
    """Three quarters of it are enough; what is left is foreign use."""
    made = pool()
    load(made, "a", 40)
    made.release("a", 20.0)
    assert (made.room(20.0).returning, made.room(20.0).reserved) == (40, 40)
    see(made, 11, 21.0)
    assert made.room(21.0).returning == 40
    see(made, 10, 22.0)
    room = made.room(22.0)
    assert (room.returning, room.reserved, room.foreign, room.free) == (0, 0, 10, 90)


def test_memory_that_never_comes_back_is_foreign_use_after_a_minute() -> None:
    """It is counted at every moment, once."""
    made = pool()
    load(made, "a", 40)
    made.release("a", 20.0)
    see(made, 40, 79.0)
    assert (made.room(79.0).returning, made.room(79.0).foreign) == (40, 0)
    see(made, 40, 80.0)
    assert (made.room(80.0).returning, made.room(80.0).foreign) == (0, 40)


def test_memory_that_came_back_before_it_was_told_is_free_at_once() -> None:
    """Some backends say that a model is gone seconds after it was."""
    made = pool()
    load(made, "a", 40)
    see(made, 0, 5.0)
    made.release("a", 6.0)
    assert made.room(6.0).returning == 0


def test_one_fall_does_not_free_two_models() -> None:
    """Each needs its own, wherever the readings fall."""
    made = pool()
    load(made, "a", 40)
    load(made, "b", 40)
    made.release("a", 20.0)
    see(made, 60, 21.0, b=40)
    made.release("b", 21.0)
    see(made, 40, 22.0)
    assert made.room(22.0).returning == 40
    see(made, 10, 23.0)
    assert made.room(23.0).returning == 0


def test_a_fall_that_has_freed_a_model_is_not_found_again_by_one_that_ends_later() -> None:
    """The look back stops at what is accounted for."""
    made = pool()
    load(made, "a", 40)
    load(made, "b", 40)
    made.release("a", 1.0)
    see(made, 40, 2.0, b=40)
    made.release("b", 3.0)
    assert made.room(3.0).returning == 40


def test_a_load_that_failed_early_is_free_when_use_is_as_before() -> None:
    """It may never have taken what was promised, so there may be nothing to fall; what was measured before it ended
    says nothing of that.
    """
    made = pool(20)
    assert made.admit("a", 40, 0.0)
    made.release("a", 2.0)
    assert made.room(2.0).returning == 40
    see(made, 20, 3.0)
    assert made.room(3.0).returning == 0
    assert made.admit("a", 40, 3.0)
    see(made, 55, 4.0)
    made.release("a", 5.0)
    assert made.room(5.0).returning == 40


def test_a_load_between_does_not_hide_that_memory_came_back() -> None:
    """Use rose by as much as that is measured to occupy."""
    made = pool()
    load(made, "a", 40)
    made.release("a", 20.0)
    assert made.admit("b", 30, 20.0)
    see(made, 70, 25.0)
    made.settle("b", 30)
    see(made, 30, 26.0, b=30)
    assert made.room(26.0).returning == 0


def test_a_load_hides_it_no_longer_when_its_size_is_told_later() -> None:
    """A backend says what a model occupies at the first look after its load."""
    made = pool()
    load(made, "a", 40)
    made.release("a", 20.0)
    assert made.admit("b", 30, 20.0)
    made.settle("b", None)
    see(made, 30, 30.0)
    assert made.room(30.0).returning == 40
    made.settle("b", 30)
    see(made, 30, 31.0, b=30)
    assert made.room(31.0).returning == 0


def test_a_model_found_loaded_was_never_foreign_use() -> None:
    """Its memory is not counted twice for the next minute."""
    made = pool(50)
    made.adopt("a", 40, 1.0)
    made.settle("a", 40)
    assert made.room(1.0).foreign == 10
    see(made, 50, 2.0, a=40)
    assert made.room(2.0).free == 50


def test_a_pool_no_longer_measured_forgets_what_was_measured() -> None:
    """Nothing is known of others, and nothing could be seen to come back."""
    made = pool(50)
    load(made, "a", 40)
    made.release("a", 1.0)
    made.read(Reading(TOTAL), {}, 2.0)
    assert made.room(2.0).free == TOTAL


STEP = st.tuples(
    st.sampled_from(["load", "end", "back", "foreign", "read", "wait"]), st.integers(0, 3), st.integers(0, 60)
)


@given(st.lists(STEP, max_size=40))
def test_with_true_needs_nothing_is_promised_twice(steps: list[tuple[str, int, int]]) -> None:
    """Whatever comes back when: true use as of the last reading and the load always fit."""
    made = pool(0)
    there: dict[str, int] = {}
    ghosts: list[int] = []
    foreign = seen = 0
    now = 0.0
    for what, which, size in steps:
        key = str(which)
        if what == "load" and key not in there and made.admit(key, size, now):
            assert sum(there.values()) + sum(ghosts) + min(foreign, seen) + size <= TOTAL
            made.settle(key, size)
            there[key] = size
        elif what == "end" and key in there:
            ghosts.append(there.pop(key))
            made.release(key, now)
        elif what == "back" and ghosts:
            ghosts.pop(0)
        elif what == "foreign":
            foreign = size
        elif what == "wait":
            now += size
        if what in ("read", "wait"):
            seen = foreign
            made.read(Reading(TOTAL, foreign + sum(there.values()) + sum(ghosts)), dict(there), now)


def test_a_pool_of_our_own_is_as_full_as_was_planned() -> None:
    """Marks are for pools that others use too: what only our models fill would be unloaded to be loaded again."""
    made = pool()
    load(made, "a", 92)
    assert made.watermarks.pressure is Pressure.CALM
    see(made, 97, 1.0, a=92)
    assert made.watermarks.pressure is Pressure.CRITICAL


def test_memory_nobody_measures_is_held_for_a_while() -> None:
    """A backend says that a model has gone before its memory is back."""
    made = Pool("box", hold=5.0)
    made.read(Reading(TOTAL), {}, 0.0)
    assert made.admit("a", 60, 0.0)
    made.release("a", 10.0)
    assert made.room(14.9).returning == 60
    assert not made.admit("b", 60, 14.9)
    made.read(Reading(TOTAL), {}, 14.9)
    assert not made.admit("b", 60, 14.9)
    assert made.admit("b", 60, 15.0)
