"""How slow the line to the terminal is, by how long it takes to answer a question."""

SLOW = 0.6
QUICK = 0.3
SILENT = 2.0
# So many in a row make the line slow, or quick again.
SLOW_IN_A_ROW = 2
QUICK_IN_A_ROW = 5
LONGEST_IN_A_ROW = 60
# So many writes that wait for the terminal; Textual holds everything up at 30.
QUEUED = 10


class Pace:
    """Round trips on a monotonic clock in seconds. A terminal that never answered is not called slow."""

    def __init__(self) -> None:
        self.slow = False
        self.trip: float | None = None
        self._sent: float | None = None
        self._needed = QUICK_IN_A_ROW
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
        if self._slow >= SLOW_IN_A_ROW or self.trip > SILENT:
            self._call_slow()
        elif self.slow and self._quick >= self._needed:
            # What is quick only while it is spared would go to and fro: each time it must be quick for longer.
            self.slow, self._needed = False, min(2 * self._needed, LONGEST_IN_A_ROW)

    def look(self, now: float, queued: int = 0) -> None:
        """An answer that does not come is slow, too, unless none ever came; and so is what cannot be written."""
        late = self.trip is not None and self._sent is not None and now - self._sent > SILENT
        if late or queued >= QUEUED:
            self._call_slow()

    def _call_slow(self) -> None:
        self.slow, self._quick = True, 0
