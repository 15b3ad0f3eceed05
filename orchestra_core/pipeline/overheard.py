"""Texts of requests and answers, kept with the ledger only where `[storage] keep_texts` says so.

Where it does not, nothing of this is in the way of a request. What looks like a secret is made useless first.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from orchestra_core.domain.call import Call
from orchestra_core.domain.reply import Delta
from orchestra_core.domain.result import Result
from orchestra_core.domain.sink import Serving, Sink
from orchestra_core.trust.redaction import redact

Answer = Callable[[Call, Sink], Awaitable[Result]]
Row = tuple[object, ...]
# More than a secret is long: one that the limit cuts in two is still seen as one.
_SLACK = 256


class Heard(Protocol):
    """One answer, put together while it goes to the client (upstream/hearing.py)."""

    def take(self, deltas: Sequence[Delta]) -> None: ...

    def feed(self, data: bytes) -> None: ...

    def whole(self, body: bytes) -> None: ...

    @property
    def text(self) -> str: ...


class Hear(Protocol):
    """How texts are read, for whoever must not know of wire formats."""

    def __call__(self, call: Call, enough: Callable[[int], bool], /) -> Heard: ...


class Record(Protocol):
    """The ledger's."""

    def __call__(
        self,
        request: Row,
        attempts: Sequence[Row],
        decision: bytes | None,
        prompt: str | None = None,
        answer: str | None = None,
        /,
    ) -> None: ...


class Overheard:
    """A sink that passes everything on, and listens."""

    def __init__(self, sink: Sink, heard: Heard) -> None:
        self._sink = sink
        self._heard = heard
        self.relays = sink.relays
        self.streaming = sink.streaming
        self.committed = sink.committed
        self.alive = sink.alive
        self.resume = sink.resume
        self.embeddings = sink.embeddings
        self.bind_flow = sink.bind_flow

    def open(self, serving: Serving) -> None:
        self.committed = True
        self._sink.open(serving)

    def relay(self, data: bytes) -> None:
        self._sink.relay(data)
        if self.streaming:
            self._heard.feed(data)
        else:
            self._heard.whole(data)

    def deltas(self, deltas: Sequence[Delta]) -> None:
        self._sink.deltas(deltas)
        self._heard.take(deltas)


class Texts:
    """`limit`: bytes of each text that are kept. `asked` gives the words of a call."""

    def __init__(self, record: Record, hear: Hear, asked: Callable[[Call], str], limit: int) -> None:
        self._record = record
        self._hear = hear
        self._asked = asked
        self._limit = limit
        self._open: dict[object, tuple[Call, Heard]] = {}

    def over(self, answer: Answer) -> Answer:
        """The same, and heard."""

        async def heard(call: Call, sink: Sink) -> Result:
            listening = self._hear(call, self._enough)
            self._open[call.id] = call, listening
            try:
                return await answer(call, Overheard(sink, listening))
            finally:
                del self._open[call.id]

        return heard

    def record(self, request: Row, attempts: Sequence[Row] = (), decision: bytes | None = None) -> None:
        """In place of the ledger's."""
        found = self._open.get(request[0])
        if found is None:
            self._record(request, attempts, decision)
        else:
            call, heard = found
            prompt, text = self._kept(self._asked(call)), self._kept(heard.text)
            self._record(request, attempts, decision, prompt or None, text or None)

    def _enough(self, characters: int) -> bool:
        return characters > self._limit + _SLACK

    def _kept(self, text: str) -> str:
        """Whole characters within the limit; what cannot be said in UTF-8 is left out."""
        clean = redact(text[: self._limit + _SLACK])
        return clean.encode("utf-8", "ignore")[: self._limit].decode("utf-8", "ignore")
