"""The one thread that writes. It reads the journal, commits in groups, and tries again for as long as it has to.

listen -> take -> commit --ok--> settled: segments read to their end are removed
                    | row cannot be stored -> commit one by one, leave that row out, count it
                    | file locked, full, read-only, gone, damaged -> report, back off, same batch again
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

import msgspec

from orchestra_core.clock import Clock
from orchestra_core.storage.bell import Bell
from orchestra_core.storage.failures import RowFault, StoreError, StoreUnavailable
from orchestra_core.storage.interrupted import interrupted
from orchestra_core.storage.journal.reading import Batch, Reading
from orchestra_core.storage.journal.writing import Journal
from orchestra_core.storage.store import Connection, Entry, Store

T = TypeVar("T")
_TAKEN = 512


class Policy(msgspec.Struct, frozen=True):
    """Times in seconds, sizes in requests. `commit_rows` bounds one transaction while catching up.

    `upkeep`: how often roll-ups and retention get a turn.
    """

    batch_rows: int = 512
    commit_rows: int = 1024
    window: float = 0.1
    busy_timeout: float = 5.0
    retry_first: float = 0.1
    retry_longest: float = 5.0
    upkeep: float = 5.0


class Tally:
    """Requests by what became of them; each number has one writing thread."""

    __slots__ = (
        "commits",
        "dropped",
        "duplicates",
        "fault",
        "offered",
        "refused",
        "rejected",
        "settled",
        "unread",
        "written",
    )

    def __init__(self) -> None:
        # By the event loop: recorded, not recorded for want of room, and not records at all.
        self.offered = self.dropped = self.refused = 0
        # By the writer; `unread` are lost in a damaged journal.
        self.written = self.duplicates = self.rejected = self.settled = self.commits = 0
        self.unread = 0
        self.fault = ""


class Writer:
    """Owns the store. `on_problem` is called from the writer thread, "" when all is well."""

    def __init__(
        self,
        store: Store,
        journal: Journal,
        bell: Bell,
        tally: Tally,
        *,
        policy: Policy,
        clock: Clock,
        on_problem: Callable[[str], None],
    ) -> None:
        self._store = store
        self._journal = journal
        self.reading = Reading(journal)
        self._bell = bell
        self._tally = tally
        self._policy = policy
        self._clock = clock
        self._on_problem = on_problem
        self._progress = threading.Condition()
        self._stopping = threading.Event()
        self._deadline = float("inf")
        self._resumed = self._caught_up = False
        # Set where the database is to be checked before it is written to.
        self.suspected = False
        self._upkeep_at = 0.0
        self.problem = ""
        # The latest entries taken, for who asks what was used (see Ledger.passed); memory only.
        self.taken: deque[Entry] = deque(maxlen=_TAKEN)
        self._errands: deque[Callable[[], None]] = deque()
        # A daemon: a disk that hangs for ever must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)

    def start(self) -> None:
        # What the engine before this one left has waited long enough.
        self._bell.hurry()
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Stores what is there and ends; what `timeout` seconds do not suffice for stays in the journal."""
        self._deadline = self._clock.monotonic() + timeout
        self._stopping.set()
        self._bell.close()
        if self._thread.ident is None:
            return
        # One last commit may be in the lock wait or in an fsync when the patience ends.
        self._thread.join(timeout + self._policy.busy_timeout + 5.0)
        if self._thread.is_alive():
            self._report(
                f"ledger {self._store.place}: the disk does not answer; the last rows stay in the journal"
            )

    def run(self, work: Callable[[Connection], T]) -> "Future[T]":
        """Does something else with the store, between two groups: there must be no second writer."""
        future: Future[T] = Future()

        def errand() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    self._store.open(self._clock.wall())
                    future.set_result(self._store.run(work))
                except StoreError as error:
                    future.set_exception(error)

        self._errands.append(errand)
        self._bell.hurry()
        return future

    def wait_settled(self, count: int, timeout: float) -> bool:
        """Whether `count` requests in all were stored (or found unstorable) within `timeout` seconds, and before
        them all that an earlier engine had left.
        """
        with self._progress:
            return self._progress.wait_for(lambda: self._caught_up and self._tally.settled >= count, timeout)

    def _run(self) -> None:
        try:
            while self._turn():
                pass
        finally:
            self.reading.close()
            self._store.close()
            if not self._stopping.is_set():
                self._report(
                    "the ledger's writer stopped unexpectedly; requests are recorded in the journal only"
                )

    def _turn(self) -> bool:
        self._bell.listen(self._policy.upkeep)
        self._run_errands()
        if not (self._resume() and self._fold()):
            left = self._bell.count - self._tally.settled - len(self._journal.held)
            self._report(f"{self.problem}; stopped with {left} requests in the journal, for the next start")
            return False
        self._keep_up()
        return not (self._stopping.is_set() and self._bell.count == self._bell.heard)

    def _run_errands(self) -> None:
        while self._errands:
            self._errands.popleft()()

    def _resume(self) -> bool:
        """Before anything is read: how much of the journal is stored, and rows for what was cut off by a crash."""
        if not self._resumed:
            if not self._persist(lambda: self.reading.resume(self._store.mark)):
                return False
            self._resumed = True
        while self._journal.unfinished:
            batch = Batch([interrupted(begin) for begin in tuple(self._journal.unfinished)])
            if not self._persist(lambda: self._write(batch)):  # noqa: B023  called before the loop goes on
                return False
            for _ in batch.entries:
                self._journal.unfinished.popleft()
        return True

    def _fold(self) -> bool:
        """Stores all there is to read; False when the time to stop ran out before."""
        spoiled = self.reading.spoiled
        while (batch := self.reading.take(self._policy.commit_rows)) is not None:
            self.taken.extend(batch.entries[-_TAKEN:])
            if not self._persist(lambda: self._write(batch)):
                return self._give_back(batch)
            self.reading.settle(batch)
            if batch.mark is None or batch.mark.journal == self._journal.name:
                self._settled(len(batch.entries) + len(batch.faults))
            self._run_errands()
        if spoiled or self.reading.spoiled:
            # Everything that was heard of has been read, or never will be.
            missing = max(0, self._bell.heard - self._tally.settled)
            self._tally.unread += missing
            self._settled(missing)
        if not self._caught_up:
            self._caught_up = True
            self._settled(0)
        return True

    def _give_back(self, batch: Batch) -> bool:
        """What was in memory only; the rest is in the journal."""
        if batch.mark is None:
            self._journal.held.extendleft(reversed(batch.entries))
        return False

    def _settled(self, requests: int) -> None:
        with self._progress:
            self._tally.settled += requests
            self._progress.notify_all()

    def _persist(self, step: Callable[[], None]) -> bool:
        """Does it, again and again; False when the time to stop ran out before it could be done."""
        delay = self._policy.retry_first
        while (problem := self._attempt(step)) is not None:
            self._report(problem)
            self.reading.harden()
            if not self._pause(delay):
                return False
            self._run_errands()
            delay = min(2 * delay, self._policy.retry_longest)
        self._report("")
        return True

    def _attempt(self, step: Callable[[], None]) -> str | None:
        """None when it is done, else what is wrong with the database."""
        try:
            if self.suspected:
                self._store.check()
                self.suspected = False
            self._store.open(self._clock.wall())
            step()
        except StoreUnavailable as error:
            return f"{error.message}; records are kept in the journal and tried again"
        except StoreError as error:
            return f"{error.message} Meanwhile records are kept in the journal."
        return None

    def _write(self, batch: Batch) -> None:
        tally, faults = self._tally, list[str]()
        try:
            fresh = self._store.write(batch.entries, batch.mark)
        except RowFault:
            fresh, faults = self._store.write_each(batch.entries, batch.mark)
        faults += batch.faults
        tally.fault = faults[0] if faults else tally.fault
        tally.written += fresh
        tally.rejected += len(faults)
        tally.duplicates += len(batch.entries) + len(batch.faults) - fresh - len(faults)
        tally.commits += 1

    def _keep_up(self) -> None:
        """A little of what can wait, as long as nothing else does."""
        now = self._clock.monotonic()
        if now < self._upkeep_at:
            return
        self._upkeep_at = now + self._policy.upkeep
        while not self._stopping.is_set() and self._upkeep():
            self._run_errands()
            if self._bell.count - self._bell.heard >= self._policy.batch_rows:
                self._upkeep_at = now
                return

    def _upkeep(self) -> bool:
        """Whether there is more to do at once."""
        try:
            self._store.open(self._clock.wall())
            more = self._store.upkeep(self._clock.wall())
        except StoreError as error:
            self._report(error.message)
            return False
        self._report("")
        return more

    def _pause(self, delay: float) -> bool:
        """Waits for the next try; False when stopping and out of time."""
        if not self._stopping.wait(delay):
            return True
        left = self._deadline - self._clock.monotonic()
        if left <= 0:
            return False
        time.sleep(min(self._policy.retry_first, left))
        return True

    def _report(self, problem: str) -> None:
        if problem != self.problem:
            self.problem = problem
            self._on_problem(problem)
