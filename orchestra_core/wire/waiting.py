"""When a backend wants to be asked again."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

# The most that client libraries wait, and the most we pass on (reliability.md section 3).
LONGEST_SECONDS = 120.0


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from `retry-after-ms` or `retry-after` (seconds, fractions or a date), clamped to 0..120.

    A date is taken relative to the answer's own `date`, so that no clocks need to agree; without one, and for
    what cannot be read, None. `headers` has lower-case names.
    """
    seconds = _number(headers.get("retry-after-ms"), 0.001)
    if seconds is None:
        value = headers.get("retry-after")
        seconds = _number(value, 1.0)
        if seconds is None:
            seconds = _until(value, headers.get("date"))
    return None if seconds is None else min(LONGEST_SECONDS, max(0.0, seconds))


def _number(value: str | None, scale: float) -> float | None:
    try:
        seconds = float(value or "")
    except ValueError:
        return None
    return None if seconds != seconds else seconds * scale  # noqa: PLR0124  NaN is the only number unlike itself


def _until(value: str | None, date: str | None) -> float | None:
    if value is None or date is None:
        return None
    try:
        return (parsedate_to_datetime(value) - parsedate_to_datetime(date)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
