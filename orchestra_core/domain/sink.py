"""The seam between what produces an answer and the client it goes to."""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from orchestra_core.domain.call import Call
from orchestra_core.domain.catalog import Endpoint
from orchestra_core.domain.decision import Decision
from orchestra_core.domain.outcome import Outcome, Partial
from orchestra_core.domain.reply import Delta, Embeddings


class Serving(msgspec.Struct, frozen=True, gc=False):
    """Who answers: known at the first token, told to the client in headers.

    Of a degraded answer `asked` is what the client had asked for (a model, or a quality) and `reason` a sentence
    that says why it did not get it. `cache` is empty where the cache had no part in it, else hit, shared or miss;
    `age` the seconds since a stored answer was made.
    """

    model: str
    backend: str
    decision_id: str
    attempt: int
    degraded: bool
    decision: Decision | None = None
    asked: str = ""
    reason: str = ""
    cache: str = ""
    age: int | None = None


class Sink(Protocol):
    """Where one answer goes. Nothing reaches the client before `open`; after it no other endpoint may answer.

    `relays` names the wire format whose bytes the client understands unchanged, or is empty.
    """

    relays: str
    streaming: bool
    committed: bool

    def alive(self, note: str) -> None:
        """Tells a client that waits for a stream that it is not forgotten, by a comment; `note` may be empty.

        Before `open` this sends the head of the answer, and still any endpoint may answer.
        """

    def open(self, serving: Serving) -> None:
        """The first token is here: the answer comes from this endpoint."""

    def resume(self, serving: Serving, so_far: Partial) -> None:
        """An answer that was interrupted after `so_far` goes on here; `deltas` follow, never `relay`."""

    def relay(self, data: bytes) -> None:
        """Whole events of a stream, or a whole non-streamed body, in the relayed format."""

    def deltas(self, deltas: Sequence[Delta]) -> None:
        """Increments of an answer whose format has to be translated."""

    def embeddings(self, embeddings: Embeddings) -> None: ...

    def bind_flow(self, pause: Callable[[], None], resume: Callable[[], None]) -> None: ...


class Execute(Protocol):
    """One attempt of a call at one endpoint; returns when its stream has closed, however it closed.

    Cancelling it closes the connection to the backend at once. `first_token_limit`: seconds after which the
    attempt is given up if no token has come, where that is less than what is configured; `answer_limit` is the same
    for an answer that the backend sends in one piece.
    """

    async def __call__(
        self,
        call: Call,
        endpoint: Endpoint,
        sink: Sink,
        serving: Serving,
        first_token_limit: float | None = None,
        answer_limit: float | None = None,
    ) -> Outcome: ...
