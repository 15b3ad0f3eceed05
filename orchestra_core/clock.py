"""The only reader of real time; everything else is handed `now`."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """`monotonic` in seconds for durations, `wall` in Unix seconds for what people read."""

    def monotonic(self) -> float: ...

    def wall(self) -> float: ...


class SystemClock:
    __slots__ = ()

    monotonic = staticmethod(time.monotonic)
    wall = staticmethod(time.time)


def rfc3339(wall: float) -> str:
    """Unix seconds as RFC 3339 UTC with milliseconds and `Z`, the form api.md promises."""
    return datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
