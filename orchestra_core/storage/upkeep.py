"""What the writer does when nothing waits, in steps of some tens of milliseconds: sums first, then what is too old."""

from collections.abc import Callable

from orchestra_core.storage.retention import Retention, prune
from orchestra_core.storage.rollups import STEP_ROWS, add_block, fold
from orchestra_core.storage.store import Connection


def upkeep(connection: Connection, retention: Retention, now: float, used: Callable[[], int]) -> bool:
    """One step, in the caller's transaction; whether there is more to do at once.

    `used` counts the bytes that the ledger takes, `now` is Unix seconds.
    """
    if fold(connection) == STEP_ROWS:
        return True
    return add_block(connection) or prune(connection, retention, now, used)
