"""A sink that keeps what goes through it, for the case that the same is asked again."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from msgspec.structs import replace

from orchestra_core.caching.stored import Stored
from orchestra_core.caching.tape import Tape
from orchestra_core.domain.outcome import Partial
from orchestra_core.domain.reply import Delta, Embeddings
from orchestra_core.domain.sink import Serving, Sink


class Fold(Protocol):
    """Puts the increments of one answer together."""

    def take(self, deltas: Sequence[Delta]) -> None: ...

    def feed(self, data: bytes) -> None:
        """The same from the bytes of a stream."""

    def into(self, stored: Stored) -> Stored | None:
        """With the whole answer; None if it holds what cannot be told again exactly, or nothing."""

    def whole(self, stored: Stored) -> Stored | None:
        """The same of one that came in one piece and stays as it is."""


class Recorder:
    """Passes on everything as it comes and keeps up to `limit` bytes of it; `given_up` is told when it is too large.

    What is relayed is not read while the client waits for it, but once it is known that it will be kept (`parts`).
    """

    __slots__ = (
        "_body",
        "_fold",
        "_given_up",
        "_limit",
        "_new",
        "_sink",
        "_size",
        "_tape",
        "_vectors",
        "committed",
        "continued",
        "relays",
        "serving",
        "streaming",
        "too_large",
    )

    def __init__(
        self, sink: Sink, limit: int, fold: Callable[[], Fold], given_up: Callable[[], None]
    ) -> None:
        self._sink = sink
        self._limit = limit
        self._new = fold
        self._given_up = given_up
        self._size = 0
        self._body = b""
        self._tape: Tape | None = None
        self._fold: Fold | None = None
        self._vectors: tuple[tuple[float, ...], ...] = ()
        self.relays = sink.relays
        self.streaming = sink.streaming
        self.committed = sink.committed
        self.serving: Serving | None = None
        self.continued = False
        self.too_large = False

    def open(self, serving: Serving) -> None:
        self.committed = True
        self.serving = serving
        self._sink.open(replace(serving, cache="miss"))

    def resume(self, serving: Serving, so_far: Partial) -> None:
        self.continued = True
        self._sink.resume(serving, so_far)

    def relay(self, data: bytes) -> None:
        self._sink.relay(data)
        if not self.streaming:
            self._body = data
            if len(data) > self._limit:
                self._give_up()
        elif not self.too_large:
            if self._tape is None:
                # Packed, the chunks of a text take about 1.2 times as much as it (measured).
                self._tape = Tape(self._limit)
            self._tape.add(data)
            if self._tape.spoilt:
                self._give_up()

    def deltas(self, deltas: Sequence[Delta]) -> None:
        self._sink.deltas(deltas)
        if self.too_large:
            return
        self.fold.take(deltas)
        for delta in deltas:
            self._size += len(delta.text) + len(delta.reasoning) + len(delta.tool_calls or b"")
        if self._size > self._limit:
            self._give_up()

    def _give_up(self) -> None:
        self.too_large = True
        self._tape = self._fold = None
        self._body = b""
        self._given_up()

    def embeddings(self, embeddings: Embeddings) -> None:
        self._sink.embeddings(embeddings)
        self._vectors = embeddings.vectors

    def alive(self, note: str) -> None:
        self._sink.alive(note)

    def bind_flow(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self._sink.bind_flow(pause, resume)

    def parts(self) -> Iterator[bytes]:
        """What was relayed of a stream, in parts that take well below a millisecond to read."""
        return iter(()) if self._tape is None else self._tape.parts()

    @property
    def fold(self) -> Fold:
        """Where the parts go."""
        if self._fold is None:
            self._fold = self._new()
        return self._fold

    def answer(self, head: Stored) -> Stored | None:
        """`head` with the answer, once all parts were read; None if it cannot be told again exactly."""
        if self._body:
            return self.fold.whole(replace(head, format=self.relays, body=self._body))
        if self._vectors:
            return replace(head, vectors=self._vectors)
        return self.fold.into(head)
