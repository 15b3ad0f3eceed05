"""Facts for rules, made from the simulated fleet of the console's tests."""

from typing import Any

import msgspec

from orchestra_core.alerting.facts import Facts
from orchestra_core.domain.snapshot import MemoryView, Snapshot, Throughput
from tests.fakes.world import World

GIB = 1024**3


def snapshot(**changes: Any) -> Snapshot:
    """The fleet with nothing wrong, but for the `changes`."""
    seen = World().snapshot()
    well: dict[str, Any] = {
        "host": MemoryView(total=16 * GIB, used=4 * GIB),
        "backends": tuple(msgspec.structs.replace(view, health="up", error="") for view in seen.backends),
        "breakers": (),
        "throughput": Throughput(),
        "status": "healthy",
        "notices": (),
    }
    return msgspec.structs.replace(seen, **(well | changes))


def facts(*, disks: Any = (), backlog: Any = None, **changes: Any) -> Facts:
    return Facts(snapshot(**changes), disks=disks, backlog=backlog)
