"""The client of an engine, imported once there is something to look at: HTTP takes longer to import than to speak."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, TypeVar

from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.engine import Update
from orchestra_tui.pieces import Piece

if TYPE_CHECKING:
    from orchestra_tui.client import EngineClient

T = TypeVar("T")


class LateClient:
    """An `EngineClient` from its first use on; it is imported beside the event loop."""

    def __init__(self, socket: str, url: str | None, *, api_key: str | None, read_only: bool) -> None:
        self.target = url or socket
        self._socket = socket
        self._url = url
        self._api_key = api_key
        self._read_only = read_only
        self._made: EngineClient | None = None
        self._closed = False

    async def watch(self, interval: float) -> AsyncIterator[Update]:
        client = await self._client()
        async for update in client.watch(interval):
            yield update

    async def fetch(self) -> Snapshot:
        return await (await self._client()).fetch()

    async def get(self, path: str, answer: type[T]) -> T:
        return await (await self._client()).get(path, answer)

    async def post(self, path: str, wish: Mapping[str, object], answer: type[T]) -> T:
        return await (await self._client()).post(path, wish, answer)

    async def route(self, wish: Mapping[str, object]) -> AsyncGenerator[Piece, None]:
        client = await self._client()
        pieces = client.route(wish)
        try:
            async for piece in pieces:
                yield piece
        finally:
            # Whoever closes this one means the request behind it.
            await pieces.aclose()

    def retry_now(self) -> None:
        if self._made is not None:
            self._made.retry_now()

    async def close(self) -> None:
        self._closed = True
        if self._made is not None:
            await self._made.close()

    async def _client(self) -> "EngineClient":
        if self._made is None:
            found = await asyncio.to_thread(import_module, "orchestra_tui.client")
            if self._made is not None:
                # Somebody else waited for the same.
                return self._made
            self._made = found.EngineClient(
                self._socket, self._url, api_key=self._api_key, read_only=self._read_only
            )
            if self._closed:
                await self._made.close()
        return self._made
