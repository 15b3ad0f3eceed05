"""Which local day a moment belongs to, for rows that are summed by day."""

from datetime import date, datetime, time, timedelta, tzinfo


class Days:
    """Remembers the bounds of the day it was last asked about: nearly every moment is on the same one."""

    __slots__ = ("_begin", "_end", "_ordinal", "_zone")

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._begin = self._end = 0.0
        self._ordinal = 0

    def of(self, at: float) -> int:
        """The proleptic ordinal of the day of `at` (Unix seconds)."""
        if not self._begin <= at < self._end:
            day = datetime.fromtimestamp(at, self._zone).date()
            self._ordinal = day.toordinal()
            self._begin = self._midnight(day)
            self._end = self._midnight(day + timedelta(days=1))
        return self._ordinal

    def _midnight(self, day: date) -> float:
        return datetime.combine(day, time(), self._zone).timestamp()
