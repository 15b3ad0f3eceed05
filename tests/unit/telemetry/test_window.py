"""Sliding windows agree with keeping every sample."""

from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.domain.snapshot import Throughput
from orchestra_core.telemetry.window import Latencies, Series

START = 10_000


def test_nothing_counted_shows_nothing() -> None:
    """No invented zeros before the first request."""
    assert Series().view(START) == Throughput()
    assert Series().rate_per_minute(START) == 0.0


def test_seconds_without_requests_are_zero() -> None:
    """One entry a second from the first to the present."""
    series = Series()
    series.add(START, requests=2, tokens=7)
    series.add(START + 3, requests=1, failures=1)
    assert series.view(START + 4) == Throughput((2, 0, 0, 1, 0), (0, 0, 0, 1, 0), (7, 0, 0, 0, 0))


def test_the_view_changes_nothing() -> None:
    """Looking far ahead and then at the present gives the present."""
    series = Series(10)
    series.add(START, requests=1)
    assert sum(series.view(START + 100).requests) == 0
    assert series.view(START).requests == (1,)


def test_the_rate_is_of_the_last_minute() -> None:
    """Sixty seconds, the present one included."""
    series = Series()
    for second in range(120):
        series.add(START + second, requests=2)
    assert series.rate_per_minute(START + 119) == 120.0
    assert series.rate_per_minute(START + 149) == 60.0


@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.integers(0, 3), st.integers(0, 3), st.integers(0, 9)), max_size=40
    ),
    st.integers(0, 12),
)
def test_a_series_agrees_with_all_events(events: list[tuple[int, int, int, int]], later: int) -> None:
    """Any order of additions within the window, late ones included, gives the counts of each second."""
    size = 8
    series = Series(size)
    kept: list[tuple[int, int, int, int]] = []
    newest = -1
    for event in events:
        series.add(START + event[0], requests=event[1], failures=event[2], tokens=event[3])
        newest = max(newest, event[0])
        if event[0] > newest - size:
            kept.append(event)
    now = newest + later
    view = series.view(START + now)
    start = max(min((second for second, *_ in kept), default=0), now - size + 1)
    span = range(start, now + 1) if events else range(0)
    for column, counts in enumerate((view.requests, view.failures, view.tokens), 1):
        assert list(counts) == [sum(event[column] for event in kept if event[0] == second) for second in span]


def test_no_samples_no_figures() -> None:
    """None is "not known", never zero."""
    latencies = Latencies()
    assert latencies.quantiles(0.0, (0.5,))[0] is None
    assert latencies.average(0.0) is None
    assert latencies.quantiles(0.0, (0.5, 0.95, 0.99)) == (None, None, None)


@given(st.lists(st.floats(2e-4, 4000.0), min_size=1, max_size=200), st.floats(0.01, 1.0))
def test_quantiles_are_within_three_percent(samples: list[float], q: float) -> None:
    """Buckets of 5 % give the sample of that rank to half of it, and the mean exactly."""
    latencies = Latencies()
    for sample in samples:
        latencies.add(50.0, sample)
    rank = next(n for n in range(1, len(samples) + 1) if n >= q * len(samples))
    assert latencies.quantiles(50.0, (q,))[0] == pytest.approx(sorted(samples)[rank - 1], rel=0.03)
    assert latencies.average(50.0) == pytest.approx(mean(samples))


def test_old_samples_leave_the_window() -> None:
    """After five minutes they are gone, whether or not new ones came."""
    latencies = Latencies()
    latencies.add(0.0, 100.0)
    for second in range(10, 600, 10):
        latencies.add(float(second), 1.0)
    assert latencies.quantiles(600.0, (1.0,))[0] == pytest.approx(1.0, rel=0.03)
    assert latencies.average(600.0) == 1.0
    assert latencies.average(2000.0) is None


def test_samples_stay_for_at_least_285_seconds() -> None:
    """The window slides in steps of fifteen seconds."""
    latencies = Latencies()
    latencies.add(14.9, 3.0)
    assert latencies.average(14.9 + 285.0) == 3.0
    latencies.add(290.0, 1.0)
    assert latencies.average(299.0) == 2.0


def test_tiny_durations_are_counted() -> None:
    """Zero is a duration too."""
    latencies = Latencies()
    latencies.add(0.0, 0.0)
    assert latencies.quantiles(0.0, (0.5,))[0] == pytest.approx(1e-4)
