"""The record of every request: taken in O(1) on the event loop, written in groups by one thread.

Between `record` and the commit lie at most 50 ms of gathering and the commit itself; a killed process loses
what is younger than that. The append-only journal that closes this gap belongs to a later version.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TypeVar

import msgspec

from orchestra_core.clock import Clock, SystemClock
from orchestra_core.domain.history import History
from orchestra_core.storage.backlog import Backlog
from orchestra_core.storage.opening import store_at
from orchestra_core.storage.queries import ModelTotals, Queries
from orchestra_core.storage.store import Connection, Entry, Row
from orchestra_core.storage.tables import AttemptRow, RequestRow
from orchestra_core.storage.writer import Policy, Tally, Writer

DEFAULT_POLICY = Policy()
T = TypeVar("T")
_FIELDS = tuple(RequestRow.model_fields)
_KEY, _MODEL = _FIELDS.index("key"), _FIELDS.index("model_served")
_REMEMBERED_SECONDS = 7 * 86_400.0


class LedgerStats(msgspec.Struct, frozen=True):
    """Requests since the engine started. `problem` is "" while all is well, else one line for people."""

    offered: int
    written: int
    pending: int
    duplicates: int
    rejected: int
    dropped: int
    commits: int
    problem: str


def _ignore(_problem: str) -> None:
    """The default listener; `stats()` still tells."""


class Ledger:
    """`on_problem(text)` is called when the state changes, "" when all is well again, mostly from the writer
    thread: hand over with `loop.call_soon_threadsafe`.
    """

    def __init__(
        self,
        url: str,
        clock: Clock | None = None,
        on_problem: Callable[[str], None] = _ignore,
        policy: Policy = DEFAULT_POLICY,
    ) -> None:
        self.url = url
        self._store, reader = store_at(url, busy_timeout=policy.busy_timeout)
        self._on_problem = on_problem
        self._clock = clock or SystemClock()
        self._overflowing = False
        self._tally = Tally()
        self._backlog: Backlog[Entry] = Backlog(policy.capacity, policy.batch_rows, policy.window)
        self._writer = Writer(
            self._store,
            self._backlog,
            self._tally,
            policy=policy,
            clock=self._clock,
            on_problem=self._changed,
        )
        self.queries = Queries(reader)

    def open(self) -> None:
        """Creates the file if there is none and starts writing; StoreError if the file must not be written.

        A file that is merely locked, full or read-only now is no error: rows wait and `stats()` says why.
        """
        self._store.check()
        self._writer.start()

    def record(self, request: Row, attempts: Sequence[Row] = ()) -> None:
        """Takes one finished request, in the field order of RequestRow and AttemptRow. Never waits or raises.

        Plain str, int, float, bool and None are cheapest; a StrEnum works and costs the writer more.
        """
        self._tally.offered += 1
        if not self._backlog.put(Entry(request, attempts)):
            self._overflow()

    def _changed(self, problem: str) -> None:
        if not problem:
            self._overflowing = False
        self._on_problem(problem)

    def _overflow(self) -> None:
        self._tally.dropped += 1
        if not self._overflowing:
            self._overflowing = True
            self._on_problem(self._problem())

    def _problem(self) -> str:
        tally = self._tally
        parts = [
            self._writer.problem,
            f"{tally.dropped} requests were not recorded" if tally.dropped else "",
            f"{tally.rejected} malformed rows were left out ({tally.fault})" if tally.rejected else "",
        ]
        return "; ".join(part for part in parts if part)

    def stats(self) -> LedgerStats:
        tally = self._tally
        return LedgerStats(
            offered=tally.offered,
            written=tally.written,
            pending=len(self._backlog),
            duplicates=tally.duplicates,
            rejected=tally.rejected,
            dropped=tally.dropped,
            commits=tally.commits,
            problem=self._problem(),
        )

    def flush(self, timeout: float = 10.0) -> bool:
        """Blocking: whether everything recorded so far was committed within `timeout` seconds."""
        self._backlog.hurry()
        return self.wait_settled(self._tally.offered - self._tally.dropped, timeout)

    def wait_settled(self, count: int, timeout: float) -> bool:
        """Blocking, without haste: whether `count` requests in all are settled within `timeout` seconds."""
        return self._writer.wait_settled(count, timeout)

    def run(self, work: Callable[[Connection], T]) -> "Future[T]":
        """What `work` returns, done by the writing thread in one transaction; StoreError if it fails."""
        return self._writer.run(work)

    async def close(self, patience: float = 10.0) -> None:
        """Writes all that waits, ends the thread; `stats()` tells what `patience` seconds left over."""
        await asyncio.to_thread(self._writer.stop, patience)
        self.queries.close()

    def passed(self) -> list[tuple[str, str]]:
        """Key and model of the requests that ended since this was last asked, in order; the last 512 at most.

        A tenth of a second behind, and from memory, so that it tells also while the file cannot be written.
        """
        taken, found = self._writer.taken, []
        while taken:
            row = taken.popleft().request
            # What cannot be stored may not be a row at all.
            if row and len(row) == len(_FIELDS) and row[_MODEL]:
                found.append((str(row[_KEY]), str(row[_MODEL])))
        return found

    def history(self) -> History:
        """Blocking. What was used in the last week; StoreError where that cannot be read."""
        return self.queries.history(self._clock.wall() - _REMEMBERED_SECONDS)

    def recent(
        self,
        limit: int = 100,
        *,
        before: float | None = None,
        model: str | None = None,
        verdict: str | None = None,
    ) -> list[RequestRow]:
        """Blocking. Newest first; `before` (Unix seconds, exclusive) asks for the next page."""
        return self.queries.recent(limit, before=before, model=model, verdict=verdict)

    def request(self, request_id: str) -> tuple[RequestRow, list[AttemptRow]] | None:
        """Blocking. One request with its attempts; None if it is not in the file (see `flush`)."""
        return self.queries.request(request_id)

    def totals_by_model(self) -> list[ModelTotals]:
        """Blocking. Sums over the whole ledger, most used model first."""
        return self.queries.totals_by_model()
