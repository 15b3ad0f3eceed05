"""Rate limits: what is admitted, what is told, and that forgetting helps nobody."""

from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.trust.limits import Buckets


def test_a_minutes_worth_at_once_then_as_it_comes_back() -> None:
    """Three a minute: three now, the fourth twenty seconds later."""
    buckets = Buckets()
    assert [buckets.take("a", 3, 100.0).remaining for _ in range(3)] == [2, 1, 0]
    refused = buckets.take("a", 3, 100.0)
    assert (refused.remaining, round(refused.wait, 6)) == (0, 20.0)
    assert buckets.take("a", 3, 119.9).wait > 0
    assert buckets.take("a", 3, 120.0).wait == 0


def test_names_do_not_share() -> None:
    """What one spends nobody else misses."""
    buckets = Buckets()
    assert buckets.take("a", 1, 0.0).wait == 0
    assert buckets.take("a", 1, 0.0).wait > 0
    assert buckets.take("b", 1, 0.0).wait == 0


def test_tokens_are_paid_afterwards() -> None:
    """The last request may overdraw; then nothing more until the balance is positive again."""
    buckets = Buckets()
    assert buckets.look("a", 600, 0.0).wait == 0
    buckets.spend("a", 600, 1200, 0.0)
    overdrawn = buckets.look("a", 600, 0.0)
    assert (overdrawn.remaining, overdrawn.wait, overdrawn.reset) == (0, 60.0, 120.0)
    assert buckets.look("a", 600, 60.1).wait == 0


def test_a_refusal_costs_nothing() -> None:
    """Who asks too often is not refused for longer because of it."""
    buckets = Buckets()
    buckets.take("a", 1, 0.0)
    for _ in range(1000):
        buckets.take("a", 1, 1.0)
    assert buckets.take("a", 1, 60.0).wait == 0


@given(
    st.integers(1, 600),
    st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 5)), max_size=200),
    st.integers(2, 8),
)
def test_never_more_than_burst_and_rate(
    per_minute: int, steps: list[tuple[str, float]], capacity: int
) -> None:
    """In any time t, for any name and however few names are remembered: a minute's worth plus rate times t."""
    buckets = Buckets(capacity)
    now = 1000.0
    admitted: dict[str, list[float]] = {}
    for number, (name, pause) in enumerate(steps):
        now += pause
        buckets.take(f"stranger {number}", per_minute, now)
        if buckets.take(name, per_minute, now).wait == 0:
            admitted.setdefault(name, []).append(now)
        assert len(buckets) <= capacity
    for times in admitted.values():
        for first in range(len(times)):
            for last in range(first, len(times)):
                allowed = per_minute + per_minute * (times[last] - times[first] + 0.001) / 60
                assert last - first + 1 <= allowed + 1e-6


def test_who_overdrew_gains_nothing_by_being_forgotten() -> None:
    """With a flood of new names the overdrawn one stays refused, remembered or not."""
    buckets = Buckets(4)
    buckets.spend("greedy", 60, 600, 0.0)
    for number in range(50):
        buckets.spend(f"flood {number}", 60, 900, 0.0)
    assert len(buckets) <= 4
    assert buckets.look("greedy", 60, 0.0).wait > 0
