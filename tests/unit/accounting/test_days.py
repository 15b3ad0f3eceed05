"""Which local day a moment belongs to, at midnights and where clocks are changed."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.accounting.days import Days

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (datetime(2026, 3, 28, 22, 59, 59, tzinfo=UTC), date(2026, 3, 28)),
        (datetime(2026, 3, 28, 23, 0, 0, tzinfo=UTC), date(2026, 3, 29)),
        (datetime(2026, 3, 29, 21, 59, 59, tzinfo=UTC), date(2026, 3, 29)),
        (datetime(2026, 3, 29, 22, 0, 0, tzinfo=UTC), date(2026, 3, 30)),
        (datetime(2026, 10, 25, 22, 59, 59, tzinfo=UTC), date(2026, 10, 25)),
        (datetime(2026, 10, 25, 23, 0, 0, tzinfo=UTC), date(2026, 10, 26)),
    ],
)
def test_days_of_23_and_25_hours_end_at_their_midnight(moment: datetime, expected: date) -> None:
    """The days on which the clocks change begin and end with the local midnight."""
    assert Days(BERLIN).of(moment.timestamp()) == expected.toordinal()


@given(st.lists(st.floats(1.5e9, 2e9), min_size=1))
def test_what_was_asked_before_makes_no_difference(moments: list[float]) -> None:
    """The remembered day answers exactly as a fresh look at the calendar does."""
    days = Days(BERLIN)
    found = [days.of(moment) for moment in moments]
    assert found == [datetime.fromtimestamp(moment, BERLIN).date().toordinal() for moment in moments]
