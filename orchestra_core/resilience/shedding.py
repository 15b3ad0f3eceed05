"""What is refused when the machine runs out of memory, so that what runs can finish (reliability.md section 3)."""

from orchestra_core.domain.memory import Pressure

EVERYBODY = -(10**9)
NOBODY = 10**9
_NORMAL = 0
_NO_REQUESTS = 0.95
_NO_CONNECTIONS = 0.98
_HYSTERESIS = 0.03


class Shedding:
    """`least` is the lowest priority that is served; `closed`: no connection from elsewhere is taken either."""

    __slots__ = ("_full", "closed", "least")

    def __init__(self) -> None:
        self._full = False
        self.closed = False
        self.least = EVERYBODY

    def update(self, share: float, pressure: Pressure) -> None:
        """`share` (0 to 1) of the memory is in use."""
        self._full = _over(share, _NO_REQUESTS, self._full)
        self.closed = _over(share, _NO_CONNECTIONS, self.closed)
        if self._full:
            self.least = NOBODY
        else:
            self.least = _NORMAL if pressure is Pressure.CRITICAL else EVERYBODY


def _over(share: float, mark: float, was: bool) -> bool:
    return share >= mark - (_HYSTERESIS if was else 0.0)
