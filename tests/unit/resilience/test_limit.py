"""The adaptive limit of an endpoint: down by a tenth when it pushes back, up by one for a window of successes."""

from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.resilience.limit import Limit


def test_it_falls_by_a_tenth_and_rises_by_one_per_window() -> None:
    """Ten slots: pushed back once, nine; nine successes later, ten again, and no further."""
    limit = Limit(10)
    limit.pushed_back(1.0, 0.5)
    assert limit.value == 9.0
    assert [limit.succeeded() for _ in range(9)] == [False] * 8 + [True]
    assert limit.value == 10.0
    assert not limit.succeeded()


def test_calls_sent_before_a_cut_do_not_cut_again() -> None:
    """A hundred refusals of one moment are one sign, not a hundred."""
    limit = Limit(10)
    for _ in range(100):
        limit.pushed_back(1.0, 0.5)
    assert limit.value == 9.0
    limit.pushed_back(2.0, 1.5)
    assert limit.value == 8.1


def test_other_slots_keep_what_was_learned() -> None:
    """An uncut limit follows the slots, a cut one only downwards."""
    limit = Limit(4)
    limit.resize(8)
    assert limit.value == 8.0
    limit.pushed_back(1.0, 1.0)
    limit.resize(16)
    assert limit.value == 7.2
    limit.resize(2)
    assert limit.value == 2.0


@given(st.lists(st.sampled_from(["success", "push", "resize"])), st.integers(1, 64))
def test_it_stays_between_one_and_the_slots(what: list[str], slots: int) -> None:
    """Whatever happens in whatever order."""
    limit = Limit(slots)
    for second, one in enumerate(what):
        if one == "success":
            limit.succeeded()
        elif one == "push":
            limit.pushed_back(float(second), float(second))
        else:
            limit.resize(max(1, slots - second))
        assert 1.0 <= limit.value <= limit.slots
