"""Where a display that was stopped stands: how long before the newest state, and at what time of day."""

from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.present.numbers import clock, since


def position(held: Snapshot, newest: Snapshot | None) -> str:
    """`-1:42, 12:03:11`."""
    behind = since(newest.now, held.now) if newest is not None else None
    return f"-{span_of(max(behind or 0.0, 0.0))}, {clock(held.now)}"


def span_of(seconds: float) -> str:
    """A short span with its units said by place: `0:05`, `12:03`, `1:02:03`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
