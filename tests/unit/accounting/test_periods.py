"""Days, weeks and months of a place, also where the clocks change."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import hypothesis.strategies as st
import pytest
from hypothesis import given

from orchestra_core.accounting.periods import span
from orchestra_core.domain.budgets import Period

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3600.0


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("period", "starts", "ends"),
    [
        (Period.DAY, "2026-11-18T00:00+01:00", "2026-11-19T00:00+01:00"),
        (Period.WEEK, "2026-11-16T00:00+01:00", "2026-11-23T00:00+01:00"),
        (Period.MONTH, "2026-11-01T00:00+01:00", "2026-12-01T00:00+01:00"),
    ],
)
def test_a_period_begins_at_local_midnight(period: Period, starts: str, ends: str) -> None:
    """Of the day, of Monday, of the first of the month, in the zone and not in UTC."""
    found = span(period, at("2026-11-18T00:30+01:00"), BERLIN)
    assert (found.start, found.end) == (at(starts), at(ends))
    assert found.first_day == date.fromisoformat(starts[:10]).toordinal()


@pytest.mark.parametrize(
    ("period", "inside", "hours"),
    [
        (Period.DAY, "2026-03-29T12:00+02:00", 23),
        (Period.DAY, "2026-10-25T12:00+01:00", 25),
        (Period.WEEK, "2026-10-25T12:00+01:00", 7 * 24 + 1),
        (Period.MONTH, "2026-03-29T12:00+02:00", 31 * 24 - 1),
    ],
)
def test_a_change_of_the_clocks_makes_a_period_longer_or_shorter(
    period: Period, inside: str, hours: int
) -> None:
    """A budget of a day lasts 23 hours in spring and 25 in autumn."""
    found = span(period, at(inside), BERLIN)
    assert found.end - found.start == hours * HOUR


def test_a_day_whose_midnight_is_skipped_begins_when_the_clocks_do() -> None:
    """In Beirut 28 March 2027 begins at one o'clock: the day before ends at that very moment."""
    beirut = ZoneInfo("Asia/Beirut")
    found = span(Period.DAY, at("2027-03-28T12:00+03:00"), beirut)
    before = span(Period.DAY, found.start - 1, beirut)
    assert before.end == found.start
    assert found.end - found.start == 23 * HOUR


@given(
    moment=st.floats(0, 4e9),
    period=st.sampled_from(Period),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/Sao_Paulo", "Pacific/Apia", "Asia/Beirut"]),
)
def test_every_moment_is_in_its_period_and_the_next_begins_where_it_ends(
    moment: float, period: Period, zone: str
) -> None:
    """No gap and no overlap, whatever a zone has done to its clocks, the day that Samoa left out included."""
    place = ZoneInfo(zone)
    found = span(period, moment, place)
    assert found.start <= moment < found.end
    assert span(period, found.end, place).start == found.end
    assert span(period, found.start, place) == found
    assert 0.0 <= found.elapsed(moment) <= 1.0


def test_what_is_over_is_a_share() -> None:
    """Half of a day has passed at noon; before it none, after it all."""
    day = span(Period.DAY, at("2026-11-18T06:00+00:00"), UTC)
    assert day.elapsed(day.start + 12 * HOUR) == 0.5
    assert (day.elapsed(day.start - 1), day.elapsed(day.end + 1)) == (0.0, 1.0)
