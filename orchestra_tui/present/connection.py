"""The history of the connection to the engine that the state of the link is read from."""

import msgspec

from orchestra_tui.present.picture import Link, LinkState


class Lost(msgspec.Struct, frozen=True):
    """The stream is down; the next try is in `delay` seconds. `absent`: nothing listens at the address. `foreign`: the
    version of an engine that talks to us, but cannot be understood."""

    attempt: int
    delay: float
    reason: str
    absent: bool = False
    foreign: str = ""


class Connection:
    """What came and what failed, on one monotonic clock in seconds."""

    def __init__(self) -> None:
        self._received: float | None = None
        self._lost: Lost | None = None
        self._broke = 0.0

    @property
    def absent(self) -> bool:
        return self._lost is not None and self._lost.absent

    def arrived(self, now: float) -> None:
        """A snapshot came."""
        self._received, self._lost = now, None

    def failed(self, now: float, lost: Lost) -> None:
        self._broke, self._lost = now, lost

    def link(self, now: float, interval: float, *, starting: bool) -> Link:
        """The link at this moment; `starting`: an engine of ours is on its way up."""
        age = None if self._received is None else now - self._received
        if self._lost is None:
            return _linked(age, interval)
        return _broken(age, self._lost, self._broke + self._lost.delay - now, starting=starting)


def _linked(seconds: float | None, interval: float) -> Link:
    """The link while the stream is open; `seconds` since the last snapshot, None: no snapshot yet. Two missed intervals
    make it stale."""
    if seconds is None:
        return Link(LinkState.CONNECTING)
    return Link(LinkState.STALE if seconds > 2 * interval + 1.0 else LinkState.LIVE, seconds)


def _broken(seconds: float | None, lost: Lost, retry_in: float, *, starting: bool) -> Link:
    """The link while the stream is down."""
    state = LinkState.LOST
    if seconds is None and starting:
        state = LinkState.STARTING
    elif seconds is None and lost.attempt == 1:
        state = LinkState.CONNECTING
    return Link(state, seconds or 0.0, lost.attempt, max(retry_in, 0.0), lost.reason, lost.foreign)
