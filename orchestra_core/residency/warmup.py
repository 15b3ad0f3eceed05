"""What earlier requests say at the start of the engine, before it has seen any itself."""

from collections import Counter

from orchestra_core.domain.history import History
from orchestra_core.residency.demand import Demand

_HOUR = 3600.0
_DAY_HOURS = 24


def remember(history: History, wall: float, now: float) -> Demand:
    """The demand as if all of that had been seen; `wall` (Unix seconds) and `now` (monotonic) are the same moment.

    Silence while the engine was down is no lack of interest: each model starts with the rate it had whenever
    there was anything to do, or the one it has at this hour of the day, whichever is higher.
    """
    demand = Demand()
    for use in history.uses:
        at = now - max(wall - use.at, 0.0)
        demand.arrived(use.model, 1, at)
        demand.used(((use.session, use.model),), at)
    for model, rate in _usual(history, int(wall // _HOUR)).items():
        demand.seed(model, rate, now)
    return demand


def _usual(history: History, hour: int) -> dict[str, float]:
    """Requests per second of each model."""
    active = {one.hour for one in history.hours}
    days = (hour - min(active, default=hour)) // _DAY_HOURS + 1
    whole, same = Counter[str](), Counter[str]()
    for one in history.hours:
        whole[one.model] += one.requests
        if (hour - one.hour) % _DAY_HOURS == 0:
            same[one.model] += one.requests
    return {
        model: max(requests / len(active), same[model] / days) / _HOUR for model, requests in whole.items()
    }
