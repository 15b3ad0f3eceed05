"""Requests that ended, counted a few hundred at a time: one by one that took 4 % of a request's CPU (measured).

What reads them counts first, so no number is ever behind; whoever reads `Metrics` directly calls `count`.
"""

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import Final

from orchestra_core.domain.outcome import Verdict
from orchestra_core.domain.snapshot import Throughput, Totals
from orchestra_core.telemetry.buckets import counted
from orchestra_core.telemetry.history import History
from orchestra_core.telemetry.metrics import Labels, Metrics
from orchestra_core.telemetry.window import Latencies, Series

# Labels, the monotonic second it ended in, tokens read and written, cost, seconds the client waited for all of the
# answer and for its first token; None is not known.
Entry = tuple[Labels, int, int, int, float | None, float, float | None]
# Counting so many takes about 0.3 ms, in which nothing else happens.
_TOGETHER: Final = 256
_LIKE: Final = itemgetter(0, 1)


class Ended:
    """Durations are counted of successes only."""

    def __init__(
        self,
        metrics: Metrics,
        series: Series,
        latencies: Latencies,
        first_tokens: Latencies,
        history: History | None = None,
    ) -> None:
        self._metrics = metrics
        self._history = history
        self._series = series
        self._latencies = latencies
        self._first_tokens = first_tokens
        self._waiting: list[Entry] = []

    def add(self, entry: Entry) -> None:
        waiting = self._waiting
        waiting.append(entry)
        if len(waiting) >= _TOGETHER:
            self.count()

    def totals(self, now: float, *, inflight: int, waiting: int) -> Totals:
        """All there was until `now` (monotonic seconds)."""
        self.count()
        return self._metrics.totals(
            now,
            inflight=inflight,
            waiting=waiting,
            series=self._series,
            latencies=self._latencies,
            first_tokens=self._first_tokens,
        )

    def throughput(self, now: float) -> Throughput:
        self.count()
        return self._series.view(int(now))

    def count(self) -> None:
        """Brings what was given up to date with what was added."""
        waiting, self._waiting = self._waiting, []
        # Most are like those before them; who comes back later is added to what was counted.
        for (labels, second), entries in groupby(waiting, _LIKE):
            self._count(labels, second, list(entries))

    def _count(self, labels: Labels, second: int, entries: Sequence[Entry]) -> None:
        _, _, read, written, costs, seconds, firsts = zip(*entries, strict=True)
        success = labels[4] == Verdict.SUCCESS
        failed = not success and labels[4] != Verdict.CANCELLED
        number, tokens, tokens_in = len(entries), sum(written), sum(read)
        cost, unknown = sum(filter(None, costs)), costs.count(None)
        self._series.add(second, requests=number, failures=number if failed else 0, tokens=tokens)
        cell = self._metrics.cell(labels)
        cell.requests += number
        cell.tokens_in += tokens_in
        cell.tokens_out += tokens
        cell.cost += cost
        cell.cost_unknown += unknown
        waited: dict[int, int] = {}
        first: dict[int, int] = {}
        if success:
            known = [one for one in firsts if one is not None]
            cell.seconds.add(*seconds)
            cell.first_tokens.add(*known)
            waited, first = counted(seconds), counted(known)
            self._latencies.take(second, waited, sum(seconds))
            self._first_tokens.take(second, first, sum(known))
        if self._history is not None:
            tally = self._history.at(second, (labels[0], labels[1]))
            tally.add(number, number if failed else 0, tokens_in, tokens, cost, unknown, waited, first)
