"""Gauges and sparklines on a fixed scale."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.domain.snapshot import MemoryView
from orchestra_tui.present.gauge import bar, buckets, gauge, spark
from orchestra_tui.present.glyphs import ASCII, UNICODE
from orchestra_tui.present.spans import plain, width


@pytest.mark.parametrize(
    ("used", "word"),
    [(10, "ok"), (69, "ok"), (70, "high"), (89, "high"), (90, "critical"), (120, "critical")],
)
def test_a_gauge_says_its_state_in_a_word(used: int, word: str) -> None:
    """The word follows the pool's own thresholds."""
    row = plain(gauge("host", MemoryView(total=100, used=used), 78, UNICODE))
    assert word in row
    assert f"{used}%" in row


@given(st.integers(0, 200), st.integers(0, 200), st.integers(10, 90))
def test_a_bar_has_its_width_and_both_marks(used: int, ours: int, cells: int) -> None:
    """Whatever the numbers, the bar is exactly as wide as asked, and the thresholds stand in it."""
    drawn = bar(MemoryView(total=100, used=used, ours=ours), cells, UNICODE)
    assert width(drawn) == cells
    assert plain(drawn).count(UNICODE.mark) == 2


def test_models_and_other_use_look_different() -> None:
    """What our models take is told from what others take."""
    drawn = plain(bar(MemoryView(total=100, used=60, ours=30), 50, UNICODE))
    assert drawn.count(UNICODE.bar) == 15
    assert drawn.count(UNICODE.other) == 15


def test_a_small_model_is_seen() -> None:
    """The first cell is a model's as soon as there is one, so that loading and unloading show."""
    assert plain(bar(MemoryView(total=1000, used=50, ours=1), 20, UNICODE)).count(UNICODE.bar) == 1
    assert UNICODE.bar not in plain(bar(MemoryView(total=1000, used=50), 20, UNICODE))


def test_an_unknown_use_is_not_zero() -> None:
    """Of a pool whose use nobody reports only the size is told."""
    row = plain(gauge("rack", MemoryView(total=4 * 1024**3, used=0), 60, UNICODE, known=False))
    assert "of 4.0G" in row
    assert "unknown" in row
    assert "0%" not in row


def test_a_pool_of_no_size_is_not_an_error() -> None:
    """A backend that reports zero bytes gives an empty bar."""
    assert width(gauge("x", MemoryView(total=0, used=0), 60, UNICODE)) <= 60


def test_sparklines_start_at_zero() -> None:
    """A flat load is drawn flat and high, not stretched to its own range."""
    assert spark([5, 5, 5, 5], 4, UNICODE) == "████"
    assert spark([0, 0, 0, 0], 4, UNICODE) == "▁▁▁▁"
    assert spark([], 4, UNICODE) == "    "
    assert spark([1, 4, 2, 8], 4, ASCII).isascii()


def test_buckets_average_and_leave_out_the_odd_beginning() -> None:
    """Old seconds that do not fill a bucket are left out, never the newest."""
    assert buckets([9, 1, 3, 5, 7], 2) == [5.0]
    assert buckets(list(range(300)), 60)[-1] == 297.0
