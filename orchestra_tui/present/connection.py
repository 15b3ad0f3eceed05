"""The history of the connection to the engine that the state of the link is read from."""

from orchestra_tui.present.picture import Link, broken, linked


class Connection:
    """What came and what failed, on one monotonic clock in seconds."""

    def __init__(self) -> None:
        self._received: float | None = None
        self._broke = 0.0
        self._delay = 0.0
        self._reason = ""
        self.attempt = 0
        self.absent = False

    def arrived(self, now: float) -> None:
        """A snapshot came."""
        self._received = now
        self.attempt = 0
        self.absent = False

    def failed(self, now: float, attempt: int, delay: float, reason: str, *, absent: bool) -> None:
        """The stream broke or could not be opened; the next try is `delay` seconds away."""
        self._broke, self._delay, self._reason = now, delay, reason
        self.attempt, self.absent = attempt, absent

    def link(self, now: float, interval: float, *, starting: bool) -> Link:
        """The link at this moment; `starting`: an engine of ours is on its way up."""
        age = None if self._received is None else now - self._received
        if not self.attempt:
            return linked(age, interval)
        return broken(age, self.attempt, self._broke + self._delay - now, self._reason, starting=starting)
