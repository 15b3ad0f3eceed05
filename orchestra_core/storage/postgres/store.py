"""PostgreSQL: the one writing connection of an engine, made again whenever it was lost.

Several engines may share a database. Whoever writes holds an advisory lock until it has committed, so the numbers of
rows rise in the order of commits and sums can be made of everything up to a number. Rows travel as one JSON text per
group: taking it apart is the server's work, and costs the engine a tenth of binding every value.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from orchestra_core.storage.failures import RowFault, StoreUnavailable
from orchestra_core.storage.postgres.link import Address, Link
from orchestra_core.storage.postgres.migrations import WRITING, migrate, version
from orchestra_core.storage.postgres.rows import Rows, without_zeros
from orchestra_core.storage.postgres.size import used
from orchestra_core.storage.retention import FOREVER, Retention
from orchestra_core.storage.store import Connection, Entry, Mark, get_mark, set_mark
from orchestra_core.storage.upkeep import upkeep

T = TypeVar("T")


class PostgresStore:
    """Used by one thread only."""

    def __init__(self, url: str, retention: Retention = FOREVER) -> None:
        self._address = Address(url)
        self.place = self._address.place
        self._retention = retention
        self._link: Link | None = None

    def check(self) -> None:
        try:
            with contextlib.closing(self._address.connect()) as raw, self._address.failing():
                version(Link(raw), self.place)
        except StoreUnavailable:
            # Not there just now: the writer meets it again, reports it and keeps trying.
            return

    def open(self, now: float) -> None:
        if self._link is not None:
            return
        self._link = Link(self._address.connect())
        with self._transaction() as link:
            migrate(link, self.place, now)

    def close(self) -> None:
        if self._link is not None:
            self._link.raw.close()
        self._link = None

    def write(self, entries: Sequence[Entry], mark: Mark | None = None) -> int:
        try:
            rows = Rows(entries)
        except (ValueError, TypeError) as error:
            raise RowFault(str(error)) from error
        with self._writing() as link:
            fresh = rows.insert(link)
            set_mark(link, mark)
        return fresh

    def write_each(self, entries: Sequence[Entry], mark: Mark | None = None) -> tuple[int, list[str]]:
        fresh, faults = 0, list[str]()
        with self._writing() as link:
            for entry in entries:
                try:
                    fresh += self._write_one(link, entry)
                except RowFault as error:
                    faults.append(error.message)
                except (ValueError, TypeError) as error:
                    faults.append(str(error))
            set_mark(link, mark)
        return fresh, faults

    def _write_one(self, link: Link, entry: Entry) -> int:
        try:
            with self._address.failing(), link.raw.transaction():
                return Rows((entry,)).insert(link)
        except RowFault:
            with self._address.failing(), link.raw.transaction():
                return Rows((without_zeros(entry),)).insert(link)

    def mark(self, journal: str) -> Mark | None:
        with self._transaction() as link:
            return get_mark(link, journal)

    def upkeep(self, now: float) -> bool:
        with self._transaction() as link:
            more = upkeep(link, self._retention, now, lambda: used(link))
            # Deleted rows of a temporary table keep their room: nothing vacuums it.
            link.execute("DROP TABLE IF EXISTS pg_temp.fresh")
        return more

    def run(self, work: Callable[[Connection], T]) -> T:
        with self._transaction() as link:
            return work(link)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Link]:
        with self._transaction() as link:
            link.execute("SELECT pg_advisory_xact_lock(?)", (WRITING,))
            yield link

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Link]:
        link = self._link
        if link is None:
            raise StoreUnavailable(f"ledger {self.place}: not connected")
        try:
            with self._address.failing(), link.raw.transaction():
                yield link
        except StoreUnavailable:
            self.close()
            raise
