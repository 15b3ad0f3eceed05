"""Reading PostgreSQL: connections that cannot write, a few of them kept; any thread may ask."""

import contextlib
import threading
from collections.abc import Iterator

from orchestra_core.storage.postgres.link import Address, Link, Raw, alive
from orchestra_core.storage.postgres.size import on_disk
from orchestra_core.storage.store import Connection

_READERS = 4


class PostgresReader:
    def __init__(self, url: str) -> None:
        self._address = Address(url)
        self.place = self._address.place
        self._idle: list[Raw] = []
        self._lock = threading.Lock()
        self._closed = False

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Everything read within is of one moment."""
        raw = self._take()
        try:
            with self._address.failing(), raw.transaction():
                yield Link(raw)
        finally:
            self._give_back(raw)

    def size(self) -> int:
        with self.reading() as connection:
            return on_disk(connection)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for raw in idle:
            raw.close()

    def _take(self) -> Raw:
        with self._lock:
            raw = self._idle.pop() if self._idle else None
        if raw is not None:
            if alive(raw):
                return raw
            raw.close()
        return self._address.connect(reading=True)

    def _give_back(self, raw: Raw) -> None:
        with self._lock:
            keep = not (raw.closed or self._closed or len(self._idle) >= _READERS)
            if keep:
                self._idle.append(raw)
        if not keep:
            raw.close()
