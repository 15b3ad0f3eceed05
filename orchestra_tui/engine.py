"""What the console needs of an engine, wherever it is: over HTTP, in a recording, or in a test."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Protocol, TypeVar

import msgspec

from orchestra_core.domain.events import Event
from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.pieces import Piece
from orchestra_tui.present.connection import Lost

T = TypeVar("T")


# The code of an error where the question went out and no answer came: nobody knows what became of it.
UNANSWERED = "unanswered"


class EngineError(Exception):
    """What the engine answered instead, or why it could not be asked; the message is for people."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class Foreign(EngineError):
    """The engine tells of itself in a way this console cannot read; `version` is the engine's, if that can be."""

    def __init__(self, message: str, version: str) -> None:
        super().__init__(message, "foreign")
        self.version = version


class Nothing(msgspec.Struct, frozen=True):
    """An answer of which nothing is needed."""


Update = Snapshot | Event | Lost


class Engine(Protocol):
    """Paths are those of the HTTP API, with their query. `asking` has what is asked by subject."""

    target: str

    def watch(self, interval: float) -> AsyncIterator[Update]:
        """Snapshots and events until it is closed; a `Lost` for each failure, after which it goes on by itself."""
        ...

    async def fetch(self) -> Snapshot:
        """The state at this moment. Raises EngineError."""
        ...

    async def get(self, path: str, answer: type[T]) -> T:
        """Reads. Raises EngineError."""
        ...

    async def post(self, path: str, wish: Mapping[str, object], answer: type[T]) -> T:
        """Asks for a change. Raises EngineError."""
        ...

    def route(self, wish: Mapping[str, object]) -> AsyncGenerator[Piece, None]:
        """The streamed answer to a body of /api/v1/route; ends after Done or Failed. Closing it cancels the request."""
        ...

    def retry_now(self) -> None:
        """Ends the present waiting time."""
        ...

    async def close(self) -> None: ...
