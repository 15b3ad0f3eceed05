"""Removing the oldest requests with all that belongs to them. Sums are kept: they are what people ask years later."""

from collections.abc import Callable

import msgspec

from orchestra_core.storage.rollups import watermark
from orchestra_core.storage.store import Connection

# Rows of one step: some milliseconds.
STEP_ROWS = 500
_SECONDS_PER_DAY = 86_400.0
_BELONGING = ("attempts", "decisions", "texts")


class Retention(msgspec.Struct, frozen=True):
    """Requests are kept for `days`, and as many as fit into `max_bytes`; None: without that limit."""

    days: float | None = None
    max_bytes: int | None = None


FOREVER = Retention()


def prune(connection: Connection, retention: Retention, now: float, used: Callable[[], int]) -> bool:
    """Removes some requests that are too old or too many; whether there may be more. `used` counts their bytes."""
    if retention.days is not None:
        removed = _remove(connection, "at < ?", now - retention.days * _SECONDS_PER_DAY)
        if removed:
            return removed == STEP_ROWS
    if retention.max_bytes is not None and used() > retention.max_bytes:
        return _remove(connection, "at <= ?", now) > 0
    return False


def _remove(connection: Connection, condition: str, at: float) -> int:
    """The oldest that meet the condition and are in the sums already; how many."""
    oldest = f"FROM requests WHERE {condition} AND seq <= ? ORDER BY at, seq LIMIT {STEP_ROWS}"
    values = (at, watermark(connection))
    for table in _BELONGING:
        connection.execute(f"DELETE FROM {table} WHERE request_id IN (SELECT id {oldest})", values)
    return connection.execute(f"DELETE FROM requests WHERE seq IN (SELECT seq {oldest})", values).rowcount
