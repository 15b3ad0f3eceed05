"""Everything that is counted of requests while an engine runs, and how it went over the last day."""

from orchestra_core.clock import Clock, rfc3339
from orchestra_core.domain.series import SeriesView
from orchestra_core.domain.snapshot import Snapshot
from orchestra_core.routing.catalog import Catalog
from orchestra_core.telemetry.ended import Ended
from orchestra_core.telemetry.history import History
from orchestra_core.telemetry.metrics import Metrics, prometheus
from orchestra_core.telemetry.window import Latencies, Series


class Traffic:
    """`ended` is told of every request that ended."""

    def __init__(self, clock: Clock, catalog: Catalog) -> None:
        self._clock = clock
        self._catalog = catalog
        self._history = History(clock.monotonic())
        self.metrics = Metrics()
        self.ended = Ended(self.metrics, Series(), Latencies(), Latencies(), self._history)

    def tick(self) -> None:
        """About once a second."""
        self.ended.count()
        under_way = {
            (one.spec.model, one.spec.backend): (one.inflight, one.waiting)
            for one in self._catalog.all
            if one.inflight or one.waiting
        }
        self._history.tick(self._clock.monotonic(), under_way)

    def series(self, window: str, by: str | None, top: int) -> SeriesView:
        """How it went, `by` model or backend too: the `top` busiest."""
        ahead = self._clock.wall() - self._clock.monotonic()
        return self._history.view(window, lambda moment: rfc3339(moment + ahead), by=by, top=top)

    def prometheus(self, snapshot: Snapshot) -> bytes:
        self.ended.count()
        return prometheus(snapshot, self.metrics)
