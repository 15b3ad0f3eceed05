"""What will be needed soon: a forecast for each model from what was asked so far.

Three things tell, and the highest of them counts (routing.md 4.7): how often it is used, whether its silences have
a usual length, and whether somebody uses a model now that it usually follows. Nothing here is on the way of a
request: counts are handed over once a second.
"""

from collections.abc import Iterable
from math import exp, log

from orchestra_core.residency.followups import FollowUps
from orchestra_core.residency.gaps import Gaps

# Two memories in equal parts: what counts is what is popular now, yet a coffee break does not empty the machine.
_QUICK_SECONDS = 300.0
_SLOW_SECONDS = 3600.0
_BUSY_SECONDS = 60.0
_SECOND = 1.0 - exp(-1.0 / _BUSY_SECONDS)
# The planner weighs victims by the minute that follows (residency.planner).
_AHEAD_SECONDS = 60.0
MODELS = 2000
_SURE = 0.999


class _Model:
    __slots__ = ("arrived", "at", "busy", "busy_at", "gaps", "quick", "slow")

    def __init__(self, now: float) -> None:
        self.quick = self.slow = self.busy = 0.0
        self.at = self.busy_at = now
        self.arrived: float | None = None
        self.gaps = Gaps()

    def decay(self, now: float) -> None:
        silent = self.at - now
        if silent < 0.0:
            self.quick *= exp(silent / _QUICK_SECONDS)
            self.slow *= exp(silent / _SLOW_SECONDS)
            self.at = now


class Demand:
    """Times are monotonic seconds, rates requests per second. At most `MODELS` are known, those used last."""

    def __init__(self) -> None:
        self._models: dict[str, _Model] = {}  # what was used last is last
        self._follow_ups = FollowUps()

    def arrived(self, model: str, requests: int, now: float) -> None:
        """So many requests came for a model since they were last counted."""
        known = self._models.pop(model, None) or _Model(now)
        known.decay(now)
        known.quick += requests / _QUICK_SECONDS
        known.slow += requests / _SLOW_SECONDS
        if known.arrived is not None:
            known.gaps.add(now - known.arrived)
        known.arrived = now
        self._keep(model, known)

    def seed(self, model: str, rate: float, now: float) -> None:
        """Takes a rate for granted until there is something to count."""
        known = self._models.pop(model, None) or _Model(now)
        known.decay(now)
        known.quick = max(known.quick, rate)
        known.slow = max(known.slow, rate)
        self._keep(model, known)

    def _keep(self, model: str, known: _Model) -> None:
        self._models[model] = known
        if len(self._models) > MODELS:
            oldest = next(iter(self._models))
            del self._models[oldest]
            self._follow_ups.forget(oldest)

    def used(self, passed: Iterable[tuple[str, str]], now: float) -> None:
        """Who (key or address) used which model, in the order in which the answers ended."""
        for session, model in passed:
            if model in self._models:
                self._follow_ups.used(session, model, now)
        self._follow_ups.expire(now)

    def busy(self, model: str, calls: int, now: float) -> None:
        """So many calls are served or wait in this second; none is not worth telling."""
        known = self._models.get(model)
        if known is not None:
            known.busy = known.busy * exp((known.busy_at - now) / _BUSY_SECONDS) + calls * _SECOND
            known.busy_at = now

    def load(self, model: str, now: float) -> float:
        """Calls at once, the mean of the last minute or so."""
        known = self._models.get(model)
        return 0.0 if known is None else known.busy * exp((known.busy_at - now) / _BUSY_SECONDS)

    def arrived_at(self, model: str) -> float | None:
        """When the last request came."""
        known = self._models.get(model)
        return None if known is None else known.arrived

    def rate(self, model: str, now: float) -> float:
        """How often it is used, fading with silence."""
        known = self._models.get(model)
        return 0.0 if known is None else _rate(known, now)

    def probability(self, model: str, horizon: float, now: float) -> float:
        """That it is asked for within `horizon` seconds, 0..1."""
        return self._chance(model, self.rate(model, now), horizon, now)

    def _chance(self, model: str, rate: float, horizon: float, now: float) -> float:
        chance = max(1.0 - exp(-rate * horizon), self._follow_ups.chance(model, horizon, now))
        known = self._models.get(model)
        if known is None or known.arrived is None or not known.gaps:
            return chance
        return max(chance, known.gaps.chance(now - known.arrived, horizon))

    def expected(self, model: str, now: float) -> float:
        """The rate at which the next minute brings a request as probably as all the signs together say."""
        rate = self.rate(model, now)
        chance = self._chance(model, rate, _AHEAD_SECONDS, now)
        return max(rate, -log(1.0 - min(chance, _SURE)) / _AHEAD_SECONDS)

    def absorb(self, other: "Demand", now: float) -> None:
        """Adds what was learned elsewhere, from earlier requests; what is known here is the later."""
        self._follow_ups.absorb(other._follow_ups)
        for model, theirs in other._models.items():
            mine = self._models.pop(model, None) or _Model(now)
            mine.decay(now)
            theirs.decay(now)
            mine.quick += theirs.quick
            mine.slow += theirs.slow
            mine.gaps.absorb(theirs.gaps)
            mine.arrived = theirs.arrived if mine.arrived is None else mine.arrived
            self._keep(model, mine)


def _rate(known: _Model, now: float) -> float:
    silent = known.at - now
    if silent >= 0.0:
        return (known.quick + known.slow) / 2
    return (known.quick * exp(silent / _QUICK_SECONDS) + known.slow * exp(silent / _SLOW_SECONDS)) / 2
