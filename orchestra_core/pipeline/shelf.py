"""Answers kept in this process."""

from orchestra_core.caching.store import Store
from orchestra_core.clock import Clock


class MemoryShelf:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def get(self, name: bytes) -> tuple[bytes, float] | None:
        return self._store.get(name, self._clock.monotonic())

    def put(self, name: bytes, data: bytes) -> None:
        self._store.put(name, data, self._clock.monotonic())
