"""A database of the ledger in memory: rows by id, and how far which journal was folded in."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from orchestra_core.storage.store import Connection, Entry, Mark, Row

T = TypeVar("T")


class MemoryStore:
    """`times` counts how often each id was given to it; `refuse` may raise before anything is written."""

    place = "memory"

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.times: dict[str, int] = {}
        self.marks: dict[str, Mark] = {}
        self.refuse: Callable[[], None] = lambda: None

    def open(self, now: float) -> None:
        del now

    def write(self, entries: Sequence[Entry], mark: Mark | None = None) -> int:
        self.refuse()
        before = len(self.rows)
        for entry in entries:
            name = str(entry.request[0])
            self.rows.setdefault(name, entry.request)
            self.times[name] = self.times.get(name, 0) + 1
        if mark is not None:
            self.marks[mark.journal] = mark
        return len(self.rows) - before

    def write_each(self, entries: Sequence[Entry], mark: Mark | None = None) -> tuple[int, list[str]]:
        return self.write(entries, mark), []

    def mark(self, journal: str) -> Mark | None:
        return self.marks.get(journal)

    def upkeep(self, now: float) -> bool:
        del now
        return False

    def run(self, work: Callable[[Connection], T]) -> T:
        raise AssertionError("no statements are said to it")

    def close(self) -> None:
        self.refuse = lambda: None
