"""When a local day, week or month begins and ends; a day with a change of the clocks has 23 or 25 hours."""

from datetime import date, datetime, time, timedelta, tzinfo

import msgspec

from orchestra_core.domain.budgets import Period


class Span(msgspec.Struct, frozen=True):
    """From `start` to before `end`, Unix seconds; `first_day` is the ordinal of the local day it begins with."""

    start: float
    end: float
    first_day: int

    def elapsed(self, now: float) -> float:
        """The share of it that is over, 0..1."""
        return min(1.0, max(0.0, (now - self.start) / (self.end - self.start)))


def span(period: Period, now: float, zone: tzinfo) -> Span:
    """The period that holds `now` (Unix seconds)."""
    today = datetime.fromtimestamp(now, zone).date()
    if period is Period.DAY:
        first, after = today, today + timedelta(days=1)
    elif period is Period.WEEK:
        first = today - timedelta(days=today.weekday())
        after = first + timedelta(days=7)
    else:
        first = today.replace(day=1)
        after = (first + timedelta(days=31)).replace(day=1)
    return Span(_midnight(first, zone), _midnight(after, zone), first.toordinal())


def _midnight(day: date, zone: tzinfo) -> float:
    """The first moment of a local day. Where the clocks skip midnight it is the moment they do (PEP 495, fold 0)."""
    return datetime.combine(day, time(), zone).timestamp()
