"""How full each memory was in the last minutes, for where it is going."""

from collections import deque
from collections.abc import Mapping

from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.present.overview import pools_of
from orchestra_tui.present.pools import share
from orchestra_tui.present.states import fraction
from orchestra_tui.present.trend import Trend, trend

# Of a memory that fills slowly more is not to be learnt by looking more often.
_STEP = 10.0
_SECONDS = 300.0
# Enough to step back for a while.
_KEPT = 90
_NONE: Mapping[str, Trend] = {}

Shares = Mapping[str, float]


class Readings:
    """The share in use of each memory that is measured, by its name, on the clock of the engine's uptime."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, Shares]] = deque(maxlen=_KEPT)
        self._engine = (0, "")
        self._trends: tuple[float, Mapping[str, Trend]] = (-1.0, _NONE)

    def add(self, snapshot: Snapshot) -> None:
        engine, at = (snapshot.pid, snapshot.started), snapshot.uptime
        if engine != self._engine:
            self._engine = engine
            self._seen.clear()
        # A recording that is played again.
        while self._seen and self._seen[-1][0] > at:
            self._seen.pop()
        if not self._seen or at - self._seen[-1][0] >= _STEP:
            self._seen.append((at, _shares(snapshot)))

    def until(self, shown: Snapshot | None) -> Mapping[str, Trend]:
        """Where each memory was going at the moment that is shown; the same object as long as it is the same."""
        if shown is None:
            return _NONE
        seen = [one for one in self._seen if shown.uptime - _SECONDS <= one[0] <= shown.uptime]
        if not seen:
            return _NONE
        if seen[-1][0] != self._trends[0]:
            self._trends = (seen[-1][0], _trends(seen))
        return self._trends[1]


def _trends(seen: list[tuple[float, Shares]]) -> Mapping[str, Trend]:
    return {
        name: trend([(at, shares[name]) for at, shares in seen if name in shares]) for name in seen[-1][1]
    }


def _shares(snapshot: Snapshot) -> Shares:
    """Where nobody measures what is used there is nothing to foretell: it is what was promised."""
    measured = {pool.name: share(pool) for pool in snapshot.pools if pool.used is not None}
    return {name: fraction(memory) for name, memory in pools_of(snapshot)} | measured
