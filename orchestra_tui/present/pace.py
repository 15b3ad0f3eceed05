"""How slow the line to the terminal is, by how long it takes to answer a question."""

SLOW = 0.6
QUICK = 0.3
SILENT = 2.0
# So many in a row make the line slow, or quick again.
SLOW_IN_A_ROW = 2
QUICK_IN_A_ROW = 5


class Pace:
    """Round trips on a monotonic clock in seconds. A terminal that never answered is not called slow."""

    def __init__(self) -> None:
        self.slow = False
        self.trip: float | None = None
        self._sent: float | None = None
        self._slow = 0
        self._quick = 0

    @property
    def waiting(self) -> bool:
        """Whether there is a question without an answer."""
        return self._sent is not None

    def asked(self, now: float) -> None:
        self._sent = now

    def answered(self, now: float) -> None:
        """An answer came; one that was not asked for says nothing."""
        if self._sent is None:
            return
        self.trip, self._sent = now - self._sent, None
        self._slow = self._slow + 1 if self.trip > SLOW else 0
        self._quick = self._quick + 1 if self.trip < QUICK else 0
        if self._slow >= SLOW_IN_A_ROW:
            self.slow = True
        elif self._quick >= QUICK_IN_A_ROW:
            self.slow = False

    def look(self, now: float) -> None:
        """An answer that does not come is slow, too; unless none ever came."""
        if self.trip is not None and self._sent is not None and now - self._sent > SILENT:
            self.slow = True
