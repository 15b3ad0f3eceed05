"""What ended is counted together, and the sums are those of counting one by one."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.domain.outcome import Verdict
from orchestra_core.telemetry.ended import Ended, Entry
from orchestra_core.telemetry.metrics import Metrics
from orchestra_core.telemetry.window import Latencies, Series

ENTRIES = st.lists(
    st.tuples(
        st.tuples(
            st.sampled_from(["m", "n"]),
            st.just("box"),
            st.just("analysis"),
            st.just("openai"),
            st.sampled_from(["success", "failed", "cancelled"]),
        ),
        st.integers(100, 102),
        st.integers(0, 9),
        st.integers(0, 9),
        st.none() | st.floats(0, 1),
        st.floats(0.001, 100),
        st.none() | st.floats(0.001, 1),
    ),
    max_size=600,
)


class Page:
    """Everything that is told of what ended."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.series, self.latencies, self.first_tokens = Series(), Latencies(), Latencies()
        self.ended = Ended(self.metrics, self.series, self.latencies, self.first_tokens)


@given(ENTRIES)
def test_nothing_is_lost_by_counting_together(entries: list[Entry]) -> None:
    """Requests, tokens, costs and durations by label and by second, of successes and of all."""
    page = Page()
    for entry in entries:
        page.ended.add(entry)
    assert page.ended.totals(102.0, inflight=0, waiting=0).requests == len(entries)

    cells = dict(page.metrics.cells())
    assert {labels: cell.requests for labels, cell in cells.items()} == Counter(entry[0] for entry in entries)
    assert sum(cell.tokens_in for cell in cells.values()) == sum(entry[2] for entry in entries)
    assert sum(cell.tokens_out for cell in cells.values()) == sum(entry[3] for entry in entries)
    assert sum(cell.cost for cell in cells.values()) == pytest.approx(
        sum(entry[4] or 0.0 for entry in entries)
    )
    good = [entry for entry in entries if entry[0][4] == Verdict.SUCCESS]
    assert sum(sum(cell.seconds.counts) for cell in cells.values()) == len(good)
    assert sum(cell.seconds.total for cell in cells.values()) == pytest.approx(
        sum(entry[5] for entry in good)
    )
    seen = page.ended.throughput(102.0)
    assert sum(seen.requests) == len(entries)
    assert sum(seen.failures) == sum(entry[0][4] == "failed" for entry in entries)
    assert sum(seen.tokens) == sum(entry[3] for entry in entries)
    told = page.latencies.average(102.0)
    assert told == (pytest.approx(sum(entry[5] for entry in good) / len(good)) if good else None)
    first = [entry[6] for entry in good if entry[6] is not None]
    assert page.first_tokens.average(102.0) == (pytest.approx(sum(first) / len(first)) if first else None)


def test_what_waits_to_be_counted_is_bounded() -> None:
    """Also when nobody ever reads."""
    page = Page()
    for _ in range(10_000):
        page.ended.add((("m", "box", "analysis", "openai", "success"), 100, 1, 1, None, 0.1, None))

    assert sum(cell.requests for _, cell in page.metrics.cells()) > 9_500
