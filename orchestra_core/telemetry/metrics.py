"""What has been counted since the start.

One cell for each combination of labels (`Ended` adds to them). Labels are names of models and backends we know and
members of enumerations; should the names grow without end all the same, those beyond a limit are counted together
under `other`.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import repeat

from orchestra_core.domain.caching import CacheView
from orchestra_core.domain.memory import Pressure
from orchestra_core.domain.outcome import Verdict
from orchestra_core.domain.snapshot import Snapshot, Totals
from orchestra_core.telemetry.exposition import Page
from orchestra_core.telemetry.window import Latencies, Series

# Model, backend, task, surface, verdict.
Labels = tuple[str, str, str, str, str]

_MOST_CELLS = 5000
# Upper bounds in seconds: from a cached first token to the longest stream allowed.
BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)


class Histogram:
    """Counts by `BOUNDS`, the last for what is above all of them; `total` in seconds."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0

    def add(self, *durations: float) -> None:
        counts = self.counts
        for place in map(bisect_left, repeat(BOUNDS), durations):
            counts[place] += 1
        self.total += sum(durations)

    def merge(self, other: "Histogram") -> None:
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        self.total += other.total


class Cell:
    """Everything counted under one combination of labels."""

    __slots__ = ("cost", "cost_unknown", "first_tokens", "requests", "seconds", "tokens_in", "tokens_out")

    def __init__(self) -> None:
        self.requests = 0
        self.tokens_in = 0
        self.tokens_out = 0
        self.cost = 0.0
        self.cost_unknown = 0
        self.seconds = Histogram()
        self.first_tokens = Histogram()


class Metrics:
    """A cell for each combination of labels; `failed_over` is told each time an attempt moved on to another."""

    def __init__(self) -> None:
        self._cells: dict[Labels, Cell] = {}
        self.failovers = 0

    def cell(self, labels: Labels) -> Cell:
        """Where a request with these labels is counted."""
        return self._cells.get(labels) or self._new_cell(labels)

    def failed_over(self) -> None:
        self.failovers += 1

    def cells(self) -> Iterator[tuple[Labels, Cell]]:
        return iter(self._cells.items())

    def calls_by_model(self) -> Counter[str]:
        counts: Counter[str] = Counter()
        for key, cell in self._cells.items():
            if key[0]:
                counts[key[0]] += cell.requests
        return counts

    def totals(
        self,
        now: float,
        *,
        inflight: int,
        waiting: int,
        series: Series,
        latencies: Latencies,
        first_tokens: Latencies,
    ) -> Totals:
        """Everything in one view; `now` is monotonic seconds, as the windows were filled with."""
        verdicts: Counter[str] = Counter()
        for key, cell in self._cells.items():
            verdicts[key[4]] += cell.requests
        cells = self._cells.values()
        ok, gone = verdicts[Verdict.SUCCESS], verdicts[Verdict.CANCELLED]
        calls = self.calls_by_model()
        p50, p95, p99 = latencies.quantiles(now, (0.50, 0.95, 0.99))
        ttft_p50, ttft_p95 = first_tokens.quantiles(now, (0.50, 0.95))
        return Totals(
            requests=verdicts.total(),
            successful=ok,
            failed=verdicts.total() - ok - gone,
            cancelled=gone,
            inflight=inflight,
            waiting=waiting,
            tokens_in=sum(cell.tokens_in for cell in cells),
            tokens_out=sum(cell.tokens_out for cell in cells),
            cost=sum(cell.cost for cell in cells),
            cost_unknown=sum(cell.cost_unknown for cell in cells),
            failovers=self.failovers,
            requests_per_minute=series.rate_per_minute(int(now)),
            average_seconds=latencies.average(now),
            p50=p50,
            p95=p95,
            p99=p99,
            ttft_p50=ttft_p50,
            ttft_p95=ttft_p95,
            most_used=max(calls, key=lambda name: (calls[name], name)) if calls else None,
        )

    def _new_cell(self, key: Labels) -> Cell:
        if len(self._cells) >= _MOST_CELLS:
            key = ("other", "other", *key[2:])
        return self._cells.setdefault(key, Cell())


def prometheus(snapshot: Snapshot, metrics: Metrics) -> bytes:
    """All metrics in Prometheus' text format 0.0.4: base units, counters end in `_total`."""
    page = Page()
    _engine(page, snapshot, metrics)
    _requests(page, metrics)
    _endpoints(page, snapshot)
    _backends(page, snapshot)
    _pools(page, snapshot)
    _cache(page, snapshot.cache)
    return page.render()


def _engine(page: Page, snapshot: Snapshot, metrics: Metrics) -> None:
    page.gauge("orchestra_info", "Always 1; says the version.", [({"version": snapshot.version}, 1)])
    page.gauge("orchestra_uptime_seconds", "Since the engine started.", [({}, snapshot.uptime)])
    page.gauge(
        "orchestra_engine_memory_bytes", "Resident memory of the engine.", [({}, snapshot.engine_memory)]
    )
    page.gauge(
        "orchestra_event_loop_lag_seconds",
        "Longest the event loop was blocked in the last half minute or more.",
        [({}, snapshot.loop_lag)],
    )
    help_text = "Times the event loop was blocked for more than 250 ms."
    page.counter("orchestra_event_loop_stalls_total", help_text, [({}, snapshot.loop_stalls)])
    page.counter("orchestra_failovers_total", "Attempts that moved on.", [({}, metrics.failovers)])
    firing = Counter(view.severity for view in snapshot.alerts if view.firing and not view.silenced)
    page.gauge(
        "orchestra_alerts_firing",
        "Alerts that fire and are not silenced.",
        [({"severity": word}, firing[word]) for word in ("info", "warning", "critical")],
    )
    pools = [("host", snapshot.host)]
    pools += [(view.name, view.memory) for view in snapshot.backends if view.memory is not None]
    page.gauge("orchestra_memory_bytes", "Size of a memory pool.", [({"pool": n}, m.total) for n, m in pools])
    page.gauge("orchestra_memory_used_bytes", "Used by anyone.", [({"pool": n}, m.used) for n, m in pools])


def _requests(page: Page, metrics: Metrics) -> None:
    names = ("model", "backend", "task", "surface", "verdict")
    cells = sorted(metrics.cells(), key=lambda pair: pair[0])
    labelled = [(dict(zip(names, key, strict=True)), cell) for key, cell in cells]
    page.counter(
        "orchestra_requests_total", "Requests ended.", [(names, c.requests) for names, c in labelled]
    )
    tokens = [({**names, "direction": "in"}, cell.tokens_in) for names, cell in labelled]
    tokens += [({**names, "direction": "out"}, cell.tokens_out) for names, cell in labelled]
    page.counter("orchestra_tokens_total", "Tokens read and written.", tokens)
    help_text = "Cost in the configured currency, of requests whose cost is known."
    known = [(names, cell.cost) for names, cell in labelled if cell.requests > cell.cost_unknown]
    page.counter("orchestra_cost_total", help_text, known)
    unknown = [(names, cell.cost_unknown) for names, cell in labelled]
    page.counter("orchestra_cost_unknown_requests_total", "Requests of unknown cost.", unknown)
    waited = _by_endpoint(cells, lambda cell: cell.seconds)
    page.histogram("orchestra_request_duration_seconds", "Until clients had whole answers.", BOUNDS, waited)
    first = _by_endpoint(cells, lambda cell: cell.first_tokens)
    page.histogram("orchestra_first_token_seconds", "Until clients had the first token.", BOUNDS, first)


def _by_endpoint(
    cells: Sequence[tuple[Labels, Cell]], pick: Callable[[Cell], Histogram]
) -> list[tuple[dict[str, str], list[int], float]]:
    """Durations by model and backend only: thirteen buckets for each task and surface would be a flood."""
    merged: dict[tuple[str, str], Histogram] = {}
    for key, cell in cells:
        merged.setdefault(key[:2], Histogram()).merge(pick(cell))
    return [
        ({"model": model, "backend": backend}, histogram.counts, histogram.total)
        for (model, backend), histogram in merged.items()
        if any(histogram.counts)
    ]


def _endpoints(page: Page, snapshot: Snapshot) -> None:
    rows = [({"model": view.model, "backend": view.backend}, view) for view in snapshot.models]
    page.gauge("orchestra_inflight_requests", "In service.", [(n, v.inflight) for n, v in rows])
    page.gauge("orchestra_waiting_requests", "Waiting for a slot.", [(n, v.waiting) for n, v in rows])
    page.gauge("orchestra_slots", "Requests served at a time.", [(n, v.slots) for n, v in rows])
    page.gauge("orchestra_model_ready", "1 when loaded.", [(n, v.residency == "ready") for n, v in rows])
    page.gauge("orchestra_circuit_open", "1 while refused.", [(n, v.circuit == "open") for n, v in rows])
    known = [(names, view.memory_bytes) for names, view in rows if view.memory_bytes is not None]
    page.gauge("orchestra_model_memory_bytes", "Occupied by a loaded model.", known)
    trips = [({"endpoint": view.endpoint}, view.opened) for view in snapshot.breakers]
    page.counter("orchestra_breaker_opened_total", "Times a breaker opened.", trips)


def _backends(page: Page, snapshot: Snapshot) -> None:
    rows = [({"backend": view.name, "kind": view.kind}, view) for view in snapshot.backends]
    page.gauge("orchestra_backend_up", "1 when it answers.", [(n, v.health == "up") for n, v in rows])
    page.gauge(
        "orchestra_backend_draining", "1 while it gets nothing new.", [(n, v.draining) for n, v in rows]
    )
    known = [(names, view.latency) for names, view in rows if view.latency is not None]
    page.gauge("orchestra_backend_probe_seconds", "Duration of the last probe.", known)


def _pools(page: Page, snapshot: Snapshot) -> None:
    """What memory is promised, and how well the loads ahead of need were foreseen."""
    rows = [({"pool": view.name}, view) for view in snapshot.pools]
    page.gauge("orchestra_pool_reserved_bytes", "Promised to models.", [(n, v.reserved) for n, v in rows])
    page.gauge("orchestra_pool_free_bytes", "What a load may reserve.", [(n, v.free) for n, v in rows])
    help_text = "0 calm, 1 warning, 2 full, 3 critical."
    levels = [(n, Pressure[v.pressure.upper()].value) for n, v in rows]
    page.gauge("orchestra_pool_pressure", help_text, levels)
    foreseen = [({"model": view.model}, view) for view in snapshot.foresight]
    page.counter("orchestra_preloads_total", "Loads ahead of need.", [(n, v.preloads) for n, v in foreseen])
    help_text = "Of those, used in time."
    page.counter("orchestra_preload_hits_total", help_text, [(n, v.hits) for n, v in foreseen])


def _cache(page: Page, cache: CacheView) -> None:
    """Of requests that may be answered from the cache."""
    results = {
        "hit": cache.hits,
        "shared": cache.shared,
        "miss": cache.misses,
        "kept": cache.kept,
        "lost": cache.lost,
    }
    help_text = "Looks into the cache of answers by what came of them, and answers kept or lost."
    page.counter(
        "orchestra_cache_total", help_text, [({"result": name}, count) for name, count in results.items()]
    )
    help_text = "Known cost of what was answered from the cache."
    page.counter("orchestra_cache_saved_total", help_text, [({}, cache.saved)])
    gone = [({"reason": "room"}, cache.dropped), ({"reason": "age"}, cache.expired)]
    page.counter("orchestra_cache_dropped_total", "Answers dropped from memory.", gone)
    if cache.bytes is not None:
        page.gauge("orchestra_cache_bytes", "Answers in memory.", [({}, cache.bytes)])
