"""What each backend had to do in the last seconds, for a small picture of it in its row."""

from collections import deque
from collections.abc import Mapping

from orchestra_core.domain.snapshot import Snapshot

SECONDS = 20
# Enough to step back for a while.
_KEPT = 600
_TO_THE_SECOND = len("2026-11-23T10:00:00")

Busy = Mapping[str, int]


class Activity:
    """Requests in flight by backend, once a second at most."""

    def __init__(self) -> None:
        self._seen: deque[tuple[str, Busy]] = deque(maxlen=_KEPT)

    def add(self, snapshot: Snapshot) -> None:
        second = snapshot.now[:_TO_THE_SECOND]
        busy = {view.name: view.inflight - view.awaiting for view in snapshot.backends}
        # Once more in the same second; or a clock that was set back, a recording that is played again.
        while self._seen and self._seen[-1][0] >= second:
            self._seen.pop()
        # What has not changed is the same object, which is quicker to find out than to compare.
        same = bool(self._seen) and self._seen[-1][1] == busy
        self._seen.append((second, self._seen[-1][1] if same else busy))

    def until(self, shown: Snapshot | None) -> tuple[Busy, ...]:
        """The last ones before and at the moment that is shown, oldest first."""
        if shown is None or not self._seen:
            return ()
        second = shown.now[:_TO_THE_SECOND]
        if self._seen[-1][0] <= second:
            return tuple(busy for _, busy in list(self._seen)[-SECONDS:])
        return tuple(busy for at, busy in self._seen if at <= second)[-SECONDS:]
