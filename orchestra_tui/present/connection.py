"""The history of the connection to the engine that the state of the link is read from."""

from typing import Protocol

import msgspec

from orchestra_tui.present.picture import Link, broken, linked


class Failure(Protocol):
    """The next try is `delay` seconds away. `foreign`: the version of an engine that cannot be understood."""

    attempt: int
    delay: float
    reason: str
    absent: bool
    foreign: str


class Connection:
    """What came and what failed, on one monotonic clock in seconds."""

    def __init__(self) -> None:
        self._received: float | None = None
        self._broke = 0.0
        self._delay = 0.0
        self._reason = ""
        self._foreign = ""
        self.attempt = 0
        self.absent = False

    def arrived(self, now: float) -> None:
        """A snapshot came."""
        self._received = now
        self.attempt = 0
        self.absent = False

    def failed(self, now: float, failure: Failure) -> None:
        """The stream broke or could not be opened, or cannot be understood."""
        self._broke, self._delay, self._reason = now, failure.delay, failure.reason
        self._foreign = failure.foreign
        self.attempt, self.absent = failure.attempt, failure.absent

    def link(self, now: float, interval: float, *, starting: bool) -> Link:
        """The link at this moment; `starting`: an engine of ours is on its way up."""
        age = None if self._received is None else now - self._received
        if not self.attempt:
            return linked(age, interval)
        link = broken(age, self.attempt, self._broke + self._delay - now, self._reason, starting=starting)
        return msgspec.structs.replace(link, foreign=self._foreign)
