"""What the console knows at one moment: the last snapshot, and how fresh the link behind it is."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from orchestra_core.domain.snapshot import BackendView, BreakerView, ModelView, Snapshot
from orchestra_tui.present.glyphs import UNICODE, Glyphs
from orchestra_tui.present.numbers import age
from orchestra_tui.present.trend import Trend


class LinkState(StrEnum):
    CONNECTING = "connecting"
    STARTING = "starting"
    LIVE = "live"
    STALE = "stale"
    LOST = "lost"


class Link(msgspec.Struct, frozen=True):
    """The connection. `age` is seconds since the last snapshot, `retry_in` seconds until the next try; `foreign` the
    version of an engine that answers what cannot be read."""

    state: LinkState = LinkState.CONNECTING
    age: float = 0.0
    attempt: int = 0
    retry_in: float = 0.0
    reason: str = ""
    foreign: str = ""

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
    the last minutes a paused display stands. `activity` are requests in flight by backend in the seconds before,
    `trends` where each memory is going, by its name.

    `read_only` says why nothing may be changed from here, empty where it may. `replay` says where a recording that is
    shown in place of an engine stands.
    """

    snapshot: Snapshot | None = None
    activity: Sequence[Mapping[str, int]] = ()
    trends: Mapping[str, Trend] = {}
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

    slow_link: bool = False
    plots: bool = True

    @property
    def stale(self) -> bool:
        return not self.link.live

    @property
    def aged(self) -> str:
        """What to say of data that is not fresh; empty where it is, or there is none."""
        if self.snapshot is None or self.link.live:
            return ""
        old = age(self.link.age)
        return f"stale {old}" if self.link.state is LinkState.STALE else f"{old} old"


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
