"""Prices of a running engine, written down when they change; nobody waits for it, and a database that is away is
tried again a second later.
"""

import contextlib
from concurrent.futures import Future

from orchestra_core.accounting.changes import Change, PriceChanges
from orchestra_core.clock import Clock
from orchestra_core.domain.price import Price
from orchestra_core.storage import prices as table
from orchestra_core.storage.failures import StoreError
from orchestra_core.storage.ledger import Ledger
from orchestra_core.storage.store import Connection


class PriceHistory:
    """One step at a time, each done by the ledger's writer and looked after by `tick`."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._changes = PriceChanges()
        self._reading: Future[dict[str, Price | None]] | None = None
        self._writing: Future[list[Change]] | None = None

    def note(self, endpoint: str, price: Price | None) -> None:
        """The price of an endpoint as of now."""
        self._changes.note(endpoint, price, self._clock.wall())

    def tick(self) -> None:
        """To be called about once a second, from when the ledger is open."""
        if self._reading is not None and self._reading.done():
            with contextlib.suppress(StoreError):  # the ledger tells of it; the next tick tries again
                self._changes.known(self._reading.result())
            self._reading = None
        if self._writing is not None and self._writing.done():
            with contextlib.suppress(StoreError):
                self._changes.wrote(self._writing.result())
            self._writing = None
        if self._reading is None and self._writing is None:
            self._next()

    def _next(self) -> None:
        if not self._changes.informed:
            self._reading = self._ledger.run(table.latest)
        elif changes := self._changes.waiting():
            self._writing = self._ledger.run(lambda connection: _write(connection, changes))


def _write(connection: Connection, changes: list[Change]) -> list[Change]:
    table.insert(connection, changes)
    return changes
