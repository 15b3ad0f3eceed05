"""The one thread that writes. It gathers, commits in groups, and tries again for as long as it has to.

gather -> take -> commit --ok--> settled
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
from orchestra_core.storage.backlog import Backlog
from orchestra_core.storage.failures import RowFault, StoreError, StoreUnavailable
from orchestra_core.storage.store import Connection, Entry, Store

T = TypeVar("T")
_TAKEN = 512


class Policy(msgspec.Struct, frozen=True):
    """Times in seconds, sizes in requests. `commit_rows` bounds one transaction while catching up."""

    capacity: int = 10_000
    batch_rows: int = 512
    commit_rows: int = 1024
    window: float = 0.1
    busy_timeout: float = 5.0
    retry_first: float = 0.1
    retry_longest: float = 5.0


class Tally:
    """Requests by what became of them; each number has one writing thread."""

    __slots__ = ("commits", "dropped", "duplicates", "fault", "offered", "rejected", "settled", "written")

    def __init__(self) -> None:
        self.offered = self.dropped = 0
        self.written = self.duplicates = self.rejected = self.settled = self.commits = 0
        self.fault = ""


class Writer:
    """Owns the store. `on_problem` is called from the writer thread, "" when all is well."""

    def __init__(
        self,
        store: Store,
        backlog: Backlog[Entry],
        tally: Tally,
        *,
        policy: Policy,
        clock: Clock,
        on_problem: Callable[[str], None],
    ) -> None:
        self._store = store
        self._backlog = backlog
        self._tally = tally
        self._policy = policy
        self._clock = clock
        self._on_problem = on_problem
        self._progress = threading.Condition()
        self._stopping = threading.Event()
        self._deadline = float("inf")
        self.problem = ""
        # The latest entries taken, for who asks what was used (see Ledger.passed); memory only.
        self.taken: deque[Entry] = deque(maxlen=_TAKEN)
        self._errands: deque[Callable[[], None]] = deque()
        # A daemon: a disk that hangs for ever must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Writes what is there and ends; what `timeout` seconds do not suffice for counts as dropped."""
        self._deadline = self._clock.monotonic() + timeout
        self._stopping.set()
        self._backlog.close()
        if self._thread.ident is None:
            return
        # One last commit may be in the lock wait or in an fsync when the patience ends.
        self._thread.join(timeout + self._policy.busy_timeout + 5.0)
        if self._thread.is_alive():
            self._report(f"ledger {self._store.place}: the disk does not answer; the last rows may be lost")

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
        self._backlog.hurry()
        return future

    def wait_settled(self, count: int, timeout: float) -> bool:
        """Whether `count` requests in all were written (or found unstorable) within `timeout` seconds."""
        with self._progress:
            return self._progress.wait_for(lambda: self._tally.settled >= count, timeout)

    def _run(self) -> None:
        try:
            while self._turn():
                pass
        finally:
            self._tally.dropped += self._backlog.refuse()
            self._store.close()
            if not self._stopping.is_set():
                self._report("the ledger's writer stopped unexpectedly; nothing is recorded any more")

    def _turn(self) -> bool:
        self._backlog.gather()
        while self._errands:
            self._errands.popleft()()
        batch = self._backlog.take(self._policy.commit_rows)
        if not batch:
            return not self._stopping.is_set()
        self.taken.extend(batch[-_TAKEN:])
        if not self._settle(batch):
            self._give_up(len(batch))
            return False
        return True

    def _settle(self, batch: list[Entry]) -> bool:
        """False when the time to stop ran out before the batch could be written."""
        delay = self._policy.retry_first
        while (problem := self._attempt(batch)) is not None:
            self._report(problem)
            if not self._pause(delay):
                return False
            delay = min(2 * delay, self._policy.retry_longest)
        self._report("")
        with self._progress:
            self._backlog.held = 0
            self._tally.settled += len(batch)
            self._tally.commits += 1
            self._progress.notify_all()
        return True

    def _attempt(self, batch: list[Entry]) -> str | None:
        """None when committed, else what is wrong with the file."""
        try:
            self._store.open(self._clock.wall())
            self._write(batch)
        except StoreUnavailable as error:
            return f"{error.message}; rows are kept in memory and tried again"
        except StoreError as error:
            return error.message
        return None

    def _write(self, batch: list[Entry]) -> None:
        faults = list[str]()
        try:
            fresh = self._store.write(batch)
        except RowFault:
            fresh, faults = self._store.write_each(batch)
            self._tally.fault = faults[0] if faults else self._tally.fault
        self._tally.written += fresh
        self._tally.rejected += len(faults)
        self._tally.duplicates += len(batch) - fresh - len(faults)

    def _pause(self, delay: float) -> bool:
        """Waits for the next try; False when stopping and out of time."""
        if not self._stopping.wait(delay):
            return True
        left = self._deadline - self._clock.monotonic()
        if left <= 0:
            return False
        time.sleep(min(self._policy.retry_first, left))
        return True

    def _give_up(self, taken: int) -> None:
        lost = taken + len(self._backlog.take(self._policy.capacity))
        self._tally.dropped += lost
        self._backlog.held = 0
        self._report(f"{self.problem}; stopped before {lost} requests could be written")

    def _report(self, problem: str) -> None:
        if problem != self.problem:
            self.problem = problem
            self._on_problem(problem)
