"""Sums of the ledger as values: which can be asked for, what quantiles can be read from them, adding them up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.accounting.usage import (
    BOUNDS,
    By,
    Compared,
    UsageQuery,
    UsageRow,
    bucket,
    quantile,
    summed,
)


@pytest.mark.parametrize(
    ("query", "cube"),
    [
        (UsageQuery(), frozenset()),
        (UsageQuery((By.DAY,)), frozenset()),
        (UsageQuery((By.MODEL, By.DAY)), {By.MODEL}),
        (UsageQuery((By.MODEL,), where={By.KEY: "k"}), {By.MODEL, By.KEY}),
        (UsageQuery((By.TIER_ASKED, By.MODEL)), {By.TIER_ASKED, By.TIER_SERVED, By.MODEL, By.TASK}),
        (UsageQuery((By.BACKEND, By.KEY)), None),
    ],
)
def test_a_question_is_answered_from_the_smallest_sums_that_hold_it(
    query: UsageQuery, cube: frozenset[By] | None
) -> None:
    """Grouping and filters need their columns; the day is everywhere; what was not summed has no cube."""
    assert query.cube == cube


@given(st.lists(st.floats(0.01, 2e6), min_size=1), st.sampled_from([0.5, 0.95, 0.99, 1.0]))
def test_a_quantile_lies_within_the_bounds_that_are_named(durations: list[float], q: float) -> None:
    """The duration at that rank is above the lower and at most at the upper bound."""
    counts: dict[int, int] = {}
    for each in durations:
        counts[bucket(each)] = counts.get(bucket(each), 0) + 1
    rank = next(i for i in range(len(durations)) if i + 1 >= q * len(durations) - 1e-9)
    exact = sorted(durations)[rank] / 1000

    found = quantile(counts, q)

    assert found is not None
    assert found.low < exact
    assert found.high is None or exact <= found.high
    assert found.high is not None or exact > BOUNDS[-1] / 1000


def test_nothing_counted_has_no_quantile() -> None:
    """Unknown is None, not zero."""
    assert quantile({}, 0.5) is None


def test_adding_rows_keeps_every_sum() -> None:
    """Counts by name or bucket are joined, comparisons keep the number of requests they are over."""
    one = UsageRow(("a",), 3, 2, {"timeout": 1}, cost=0.5, best=Compared(2, 0.5, 0.7), total={4: 3})
    two = UsageRow(
        ("b",),
        5,
        3,
        {"timeout": 1, "backend": 1},
        cost_unknown=5,
        best=Compared(1, 0, 0.1),
        total={4: 1, 9: 4},
    )

    assert summed([one, two]) == UsageRow(
        (),
        8,
        5,
        {"timeout": 2, "backend": 1},
        cost=0.5,
        cost_unknown=5,
        best=Compared(3, 0.5, 0.7 + 0.1),
        total={4: 4, 9: 4},
    )
