"""The record of every request: in the journal before the client has its last byte, in the database soon after.

`begin` and `record` append to the journal on the event loop; one thread reads it from there and stores it in groups.
What an engine that was killed left is stored by the next one, and what it had begun is marked as interrupted.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from threading import Lock
from typing import Final, TypeVar

from orchestra_core.clock import Clock, SystemClock
from orchestra_core.domain.history import History
from orchestra_core.storage.bell import Bell
from orchestra_core.storage.failures import StoreDamaged, StoreUnavailable
from orchestra_core.storage.journal.bounds import Bounds
from orchestra_core.storage.journal.files import DISK, Files
from orchestra_core.storage.journal.frames import UNSTORABLE
from orchestra_core.storage.journal.replay import Replay
from orchestra_core.storage.journal.writing import Journal
from orchestra_core.storage.location import locate
from orchestra_core.storage.opening import store_at
from orchestra_core.storage.queries import ModelTotals, Queries
from orchestra_core.storage.retention import FOREVER, Retention
from orchestra_core.storage.stats import LedgerStats
from orchestra_core.storage.store import Connection, Entry, Row
from orchestra_core.storage.tables import AttemptRow, RequestRow
from orchestra_core.storage.writer import Policy, Tally, Writer

DEFAULT_POLICY: Final = Policy()
T = TypeVar("T")
_FIELDS: Final = tuple(RequestRow.model_fields)
_KEY, _MODEL = _FIELDS.index("key"), _FIELDS.index("model_served")
_REMEMBERED_SECONDS: Final = 7 * 86_400.0


def _ignore(_problem: str) -> None:
    """The default listener; `stats()` still tells."""


class Ledger:
    """`on_problem(text)` is called when the state changes, "" when all is well again, mostly from the writer
    thread: hand over with `loop.call_soon_threadsafe`. `on_flaw(text)` tells once of journal files that could not
    be read to their end, also from there.

    `state` is asked, inside `begin` and `record`, for what the records before that one amount to, and is given back
    by `open`: who counts along counts a record after it was recorded. `journal` is the directory of the journal, by
    default beside the file of the database.
    """

    def __init__(
        self,
        url: str,
        clock: Clock | None = None,
        on_problem: Callable[[str], None] = _ignore,
        policy: Policy = DEFAULT_POLICY,
        *,
        journal: Path | None = None,
        bounds: Bounds | None = None,
        state: Callable[[], bytes] = bytes,
        on_flaw: Callable[[str], None] = _ignore,
        files: Files = DISK,
        retention: Retention = FOREVER,
    ) -> None:
        self.url = url
        self._store, reader = store_at(url, busy_timeout=policy.busy_timeout, retention=retention)
        self._on_problem = on_problem
        self._clock = clock or SystemClock()
        self._told = ""
        self._telling = Lock()
        self._tally = Tally()
        self._bell = Bell(policy.batch_rows, policy.window)
        self._journal = Journal(
            journal or locate(url).parent / "journal",
            self._clock,
            changed=self._changed,
            found=on_flaw,
            files=files,
            bounds=bounds,
            state=state,
        )
        self._writer = Writer(
            self._store,
            self._journal,
            self._bell,
            self._tally,
            policy=policy,
            clock=self._clock,
            on_problem=lambda _: self._changed(),
        )
        self.queries = Queries(reader)

    def open(self) -> Replay:
        """Starts writing, and returns what the engine before this one left.

        Creates the database if there is none; StoreError if it is not ours, or another engine uses the journal. One
        that is locked, full, read-only or damaged is no error: rows wait in the journal and `stats()` says why.
        """
        try:
            self._store.check()
        except (StoreUnavailable, StoreDamaged):
            # Requests go on without it; the writer tells why, and looks again before it writes.
            self._writer.suspected = True
        left = self._journal.open()
        self._writer.start()
        return left

    def begin(self, begin: Row) -> None:
        """A request is about to be sent; `begin` in the field order of journal.records.Begin. Never waits or raises."""
        self._journal.begin(begin)

    def record(
        self,
        request: Row,
        attempts: Sequence[Row] = (),
        decision: bytes | None = None,
        prompt: str | None = None,
        answer: str | None = None,
    ) -> None:
        """Takes one finished request, in the field order of RequestRow and AttemptRow. Never waits or raises.

        Plain str, int, float, bool and None are cheapest; a StrEnum works and costs the writer more.
        """
        tally = self._tally
        tally.offered += 1
        try:
            taken = self._journal.end(Entry(request, attempts, decision, prompt, answer))
        except UNSTORABLE as error:
            tally.refused += 1
            tally.fault = str(error)
            return
        if taken:
            self._bell.ring()
        else:
            tally.dropped += 1
            if tally.dropped == 1:
                self._changed()

    def tick(self) -> None:
        """To be called about once a second: a disk that refused may take records again."""
        self._journal.tick()

    def _changed(self) -> None:
        """One line for both the journal and the database; counts are in `stats()`, or each would be news."""
        with self._telling:
            now = "; ".join(part for part in (self._writer.problem, self._journal.trouble) if part)
            if now != self._told:
                self._told = now
                self._on_problem(self._problem() if now else "")

    def _problem(self) -> str:
        tally = self._tally
        rejected = tally.rejected + tally.refused
        parts = [
            self._writer.problem,
            self._journal.trouble,
            f"{tally.dropped} requests were not recorded" if tally.dropped else "",
            f"{tally.unread} requests could not be read back from the journal" if tally.unread else "",
            f"{rejected} malformed rows were left out ({tally.fault})" if rejected else "",
        ]
        return "; ".join(part for part in parts if part)

    def stats(self) -> LedgerStats:
        tally, journal = self._tally, self._journal
        return LedgerStats(
            offered=tally.offered,
            written=tally.written,
            pending=self._bell.count - tally.settled,
            duplicates=tally.duplicates,
            rejected=tally.rejected + tally.refused,
            dropped=tally.dropped + tally.unread,
            commits=tally.commits,
            problem=self._problem(),
            behind=self._writer.reading.behind,
            journal_bytes=journal.occupied,
            journal_limit=journal.bounds.total,
        )

    def flush(self, timeout: float = 10.0) -> bool:
        """Blocking: whether everything recorded so far was committed within `timeout` seconds."""
        self._bell.hurry()
        return self._writer.wait_settled(self._bell.count, timeout)

    def wait_settled(self, count: int, timeout: float) -> bool:
        """Blocking, without haste: whether `count` requests in all are settled within `timeout` seconds."""
        return self._writer.wait_settled(count, timeout)

    def run(self, work: Callable[[Connection], T]) -> "Future[T]":
        """What `work` returns, done by the writing thread in one transaction; StoreError if it fails."""
        return self._writer.run(work)

    async def close(self, patience: float = 10.0) -> None:
        """Stores all that waits, ends the thread; what `patience` seconds leave over stays in the journal."""
        await asyncio.to_thread(self._writer.stop, patience)
        self._tally.dropped += self._journal.close()
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
