"""The state machine of one alert: ok, pending, firing, resolving, resolved.

    ok ──raised──► pending ──raised for `hold` s──► firing ──not kept──► resolving ──for `clear` s──► resolved
         ◄─not raised─┘                                ◄──────kept again──────┘

Severities are levels of the same alert: it rises to one when the condition has reached it for `hold` seconds without a
break, and falls from one when it was below it for `clear` seconds without a break.
"""

from enum import StrEnum

from orchestra_core.domain.alerts import Severity

_LEVELS = (Severity.INFO, Severity.WARNING, Severity.CRITICAL)


class State(StrEnum):
    OK = "ok"
    PENDING = "pending"
    FIRING = "firing"
    RESOLVING = "resolving"
    RESOLVED = "resolved"


class Machine:
    """Tell it with `step` what is so at each moment; `now` never goes back. `level` is the severity that fires."""

    __slots__ = ("_above", "_below", "level")

    def __init__(self, level: Severity = Severity.NONE) -> None:
        self.level = level
        # By severity: since when the condition has reached it, and since when it is no longer kept at it.
        self._above: list[float | None] = [None] * len(Severity)
        self._below: list[float | None] = [None] * len(Severity)

    def step(self, raised: Severity, kept: Severity, now: float, hold: float, clear: float) -> None:
        kept = max(raised, kept)
        reached = Severity.NONE
        for each in _LEVELS:
            above = self._above[each] = _since(self._above[each], each <= raised, now)
            self._below[each] = _since(self._below[each], each > kept, now)
            if above is not None and now - above >= hold:
                reached = each
        if reached > self.level:
            self.level = reached
        else:
            self._fall(now, clear)

    def _fall(self, now: float, clear: float) -> None:
        while self.level:
            below = self._below[self.level]
            if below is None or now - below < clear:
                return
            self.level = Severity(self.level - 1)

    @property
    def state(self) -> State:
        """OK also after it was resolved: that it once fired is not this machine's to remember."""
        if self.level:
            return State.FIRING if self._below[Severity.INFO] is None else State.RESOLVING
        return State.OK if self._above[Severity.INFO] is None else State.PENDING


def _since(since: float | None, so: bool, now: float) -> float | None:
    if not so:
        return None
    return now if since is None else since
