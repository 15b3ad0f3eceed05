"""Which drills run: one on each endpoint, a few at once, and the reports of the last ones."""

from collections import deque
from collections.abc import Iterator, Sequence

from orchestra_core.domain.drills import MOST, DrillReport
from orchestra_core.domain.errors import OperationFailed
from orchestra_core.resilience.drill import Drill

KEPT = 20


class Board:
    """`drills` are those that are not done, by endpoint; `reports` of those that are, newest first, with the ones of
    before at the end.
    """

    def __init__(self, before: Sequence[DrillReport] = ()) -> None:
        self.drills: dict[str, Drill] = {}
        self.reports: deque[DrillReport] = deque(before[:KEPT], maxlen=KEPT)

    def check(self, endpoint: str) -> None:
        """Raises OperationFailed where none may be begun."""
        running = [drill for drill in self.drills.values() if drill.ended_at is None]
        for drill in running:
            if drill.wish.endpoint == endpoint:
                raise OperationFailed(f"drill {drill.id} already runs on {endpoint}", code="drill_running")
        if len(running) >= MOST:
            raise OperationFailed(
                f"{MOST} drills run already; wait for one, or stop it", code="too_many_drills"
            )

    def begin(self, drill: Drill) -> Drill | None:
        """Adds one; gives the one before it that was still watching its endpoint recover, which is done by that."""
        self.check(drill.wish.endpoint)
        before = self.drills.get(drill.wish.endpoint)
        if before is not None:
            before.finish()
        self.drills[drill.wish.endpoint] = drill
        return before

    def keep(self, drill: Drill, report: DrillReport) -> None:
        """It is done, and this is what came of it."""
        if self.drills.get(drill.wish.endpoint) is drill:
            del self.drills[drill.wish.endpoint]
        self.reports.appendleft(report)

    def overdue(self, now: float) -> Iterator[Drill]:
        """Those whose time is over and whom nobody has ended."""
        return (one for one in tuple(self.drills.values()) if one.ended_at is None and now >= one.until)

    def find(self, id: str) -> Drill | None:
        return next((drill for drill in self.drills.values() if drill.id == id), None)
