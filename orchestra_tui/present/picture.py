"""What the console knows at one moment: the last snapshot, and how fresh the link behind it is."""

from enum import StrEnum

import msgspec

from orchestra_core.domain.snapshot import BackendView, BreakerView, ModelView, Snapshot
from orchestra_tui.present.glyphs import UNICODE, Glyphs


class LinkState(StrEnum):
    CONNECTING = "connecting"
    STARTING = "starting"
    LIVE = "live"
    STALE = "stale"
    LOST = "lost"


class Link(msgspec.Struct, frozen=True):
    """The connection. `age` is seconds since the last snapshot, `retry_in` seconds until the next try."""

    state: LinkState = LinkState.CONNECTING
    age: float = 0.0
    attempt: int = 0
    retry_in: float = 0.0
    reason: str = ""

    @property
    def live(self) -> bool:
        return self.state is LinkState.LIVE


class Launch(msgspec.Struct, frozen=True):
    """An engine this console started: how long ago (seconds), what it logged last, how it ended if it did."""

    pid: int
    seconds: float
    log: str
    tail: tuple[str, ...] = ()
    code: int | None = None


class Picture(msgspec.Struct, frozen=True):
    """All that a view may show. `interval` is seconds between snapshots as asked of the engine; `position` where in
    the last minutes a paused display stands.

    `read_only` says why nothing may be changed from here, empty where it may. `replay` says where a recording that is
    shown in place of an engine stands.
    """

    snapshot: Snapshot | None = None
    link: Link = Link()
    launch: Launch | None = None
    glyphs: Glyphs = UNICODE
    paused: bool = False
    position: str = ""
    interval: float = 1.0
    target: str = ""
    can_start: bool = False
    read_only: str = ""
    replay: str = ""

    @property
    def stale(self) -> bool:
        return not self.link.live


def linked(age: float | None, interval: float) -> Link:
    """The link while the stream is open; `age` None: no snapshot yet. Two missed intervals make it stale."""
    if age is None:
        return Link(LinkState.CONNECTING)
    return Link(LinkState.STALE if age > 2 * interval + 1.0 else LinkState.LIVE, age)


def broken(age: float | None, attempt: int, retry_in: float, reason: str, *, starting: bool) -> Link:
    """The link while the stream is down; `starting`: an engine of ours is on its way up."""
    state = LinkState.LOST
    if age is None and starting:
        state = LinkState.STARTING
    elif age is None and attempt == 1:
        state = LinkState.CONNECTING
    return Link(state, age or 0.0, attempt, max(retry_in, 0.0), reason)


def model(snapshot: Snapshot | None, identity: str | None) -> ModelView | None:
    if snapshot is None or identity is None:
        return None
    return next((view for view in snapshot.models if view.id == identity), None)


def backend(snapshot: Snapshot | None, name: str | None) -> BackendView | None:
    if snapshot is None or name is None:
        return None
    return next((view for view in snapshot.backends if view.name == name), None)


def breaker(snapshot: Snapshot | None, endpoint: str) -> BreakerView | None:
    if snapshot is None:
        return None
    return next((view for view in snapshot.breakers if view.endpoint == endpoint), None)
