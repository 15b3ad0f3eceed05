"""A scheduler with one pool, for tests of single rules. Sizes are GiB."""

from orchestra_core.domain.catalog import Endpoint
from orchestra_core.domain.memory import Reading
from orchestra_core.residency.scheduler import Load, Policy, Scheduler
from tests.fakes.residency_world import GIB

POOL = "host"


def scheduler(*endpoints: Endpoint, total: float = 10, used: float | None = None) -> Scheduler:
    """One pool; GiB. Where `used` is None it is only configured, and all of it is for models."""
    made = Scheduler(Policy(swap_seconds=10.0))
    for found in endpoints:
        made.join(found, POOL)
    see(made, 0.0, used, total)
    return made


def see(made: Scheduler, now: float, used: float | None = None, total: float = 10) -> None:
    made.read(POOL, Reading(int(total * GIB), None if used is None else int(used * GIB)), now)


def bring(made: Scheduler, found: Endpoint, now: float) -> None:
    """Loads it for a request that has ended."""
    made.want(found, now)
    assert made.actions(now) == [Load(found)]
    made.loaded(found, None, now)
    found.took = 5.0
    made.unwant(found, now)
