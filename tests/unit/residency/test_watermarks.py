"""How full a pool is, and when it is no longer."""

import pytest

from orchestra_core.domain.memory import Pressure
from orchestra_core.residency.watermarks import Watermarks

CALM, WARNING, FULL, CRITICAL = Pressure


@pytest.mark.parametrize(
    ("share", "pressure"),
    [(0.0, CALM), (0.69, CALM), (0.70, WARNING), (0.85, FULL), (0.90, CRITICAL), (1.5, CRITICAL)],
)
def test_a_mark_counts_from_the_moment_it_is_reached(share: float, pressure: Pressure) -> None:
    """70 % warns, 85 % evicts, 90 % is critical."""
    assert Watermarks().update(share, 0.0) is pressure


def test_a_warning_ends_after_half_a_minute_well_below_its_mark() -> None:
    """Below 62 % for 30 s without a break."""
    marks = Watermarks()
    marks.update(0.71, 0.0)
    assert marks.update(0.63, 100.0) is WARNING
    assert marks.update(0.61, 101.0) is WARNING
    assert marks.update(0.63, 120.0) is WARNING
    assert marks.update(0.61, 121.0) is WARNING
    assert marks.update(0.61, 150.0) is WARNING
    assert marks.update(0.61, 151.0) is CALM


def test_idle_models_go_until_there_is_clearly_more_room() -> None:
    """From 85 % until below 75 %."""
    marks = Watermarks()
    marks.update(0.86, 0.0)
    assert marks.update(0.76, 1.0) is FULL
    assert marks.update(0.74, 2.0) is WARNING
    assert marks.update(0.84, 3.0) is WARNING


def test_critical_ends_five_points_below_its_mark() -> None:
    """From 90 % until below 85 %; then it is still full."""
    marks = Watermarks()
    marks.update(0.91, 0.0)
    assert marks.update(0.86, 1.0) is CRITICAL
    assert marks.update(0.84, 2.0) is FULL
    assert marks.update(0.89, 3.0) is FULL


def test_the_marks_can_be_set() -> None:
    """Shares of one's own."""
    marks = Watermarks(0.5, 0.6, 0.95)
    assert [marks.update(share, 0.0) for share in (0.5, 0.6, 0.94, 0.95)] == [WARNING, FULL, FULL, CRITICAL]
    assert marks.resume == pytest.approx(0.5)
