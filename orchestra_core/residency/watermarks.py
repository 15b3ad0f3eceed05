"""How full a pool of memory is, with hysteresis: a mark that is crossed holds until there is clearly more room."""

from orchestra_core.domain.memory import Pressure

# Points below its mark at which each level ends (routing.md 4.8), and how long a pool must stay calm to be called so.
_WARNING_GAP = 0.08
_EVICT_GAP = 0.10
_CRITICAL_GAP = 0.05
CALM_SECONDS = 30.0


class Watermarks:
    """Shares of the total, 0..1, from which on there is a warning, idle models go, and nothing is loaded any more.

    Levels rise at once: memory is gone faster than it can be given back.
    """

    __slots__ = ("_calm_since", "_critical", "_evict", "_levels", "_warning")

    def __init__(self, warning: float = 0.70, evict: float = 0.85, critical: float = 0.90) -> None:
        self._warning = warning
        self._evict = evict
        self._critical = critical
        self._levels = [False, False, False]
        self._calm_since: float | None = None

    def move(self, warning: float, evict: float, critical: float) -> None:
        """New marks, in effect with the next update."""
        self._warning, self._evict, self._critical = warning, evict, critical

    @property
    def shares(self) -> tuple[float, float, float]:
        """Of the total, for warning, evicting and critical."""
        return self._warning, self._evict, self._critical

    @property
    def resume(self) -> float:
        """The share below which idle models are evicted no longer."""
        return self._evict - _EVICT_GAP

    @property
    def pressure(self) -> Pressure:
        warned, full, critical = self._levels
        if critical:
            return Pressure.CRITICAL
        if full:
            return Pressure.FULL
        return Pressure.WARNING if warned else Pressure.CALM

    def update(self, share: float, now: float) -> Pressure:
        warned, full, critical = self._levels
        self._levels = [
            self._warned(share, now, warned),
            share >= (self.resume if full else self._evict),
            share >= self._critical - (_CRITICAL_GAP if critical else 0.0),
        ]
        return self.pressure

    def _warned(self, share: float, now: float, warned: bool) -> bool:
        if not warned or share >= self._warning - _WARNING_GAP:
            self._calm_since = None
            return warned or share >= self._warning
        if self._calm_since is None:
            self._calm_since = now
        return now - self._calm_since < CALM_SECONDS
