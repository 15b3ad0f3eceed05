"""A fault drill as the attempts at its endpoint meet it: what should have come from the backend is done here instead.

latency   the request is sent later
errors    the answer is a status, and nothing is sent
silence   nothing is sent while the drill runs; then the request goes on its way, as at a server that was frozen
cut       what the backend sends arrives up to a place, and then its connection ends

So limits of time, retries, breaker, continuation and accounting see what they would see of a real fault. An attempt
that is struck takes a connection of its own. Nothing outlasts the drill but what a cut connection has lost.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

import msgspec

from orchestra_core.domain.call import Call
from orchestra_core.domain.drills import DrillFault
from orchestra_core.domain.outcome import Outcome
from orchestra_core.resilience.drill import Strike
from orchestra_core.upstream.attempt import Attempt
from orchestra_core.upstream.transport import Connection, Pool

_JSON = [(b"content-type", b"application/json")]
_STREAMS = (b"text/event-stream", b"ndjson")


class Injection(Protocol):
    """What runs at one endpoint. `over` is done when it ends."""

    over: asyncio.Future[None]

    def strike(self, call: Call) -> Strike | None:
        """What is to be done to the attempt of a call that begins now; None: nothing."""

    def ended(self, outcome: Outcome) -> None:
        """So has an attempt that was struck."""


async def play(
    strike: Strike, over: asyncio.Future[None], attempt: Attempt, pool: Pool, head: bytes, body: bytes
) -> Outcome:
    """One attempt that is struck; raises what `Pool.connect` does. Whoever calls it watches the attempt's time."""
    sent = False
    try:
        if strike.fault is DrillFault.ERRORS:
            message = {"error": {"message": f"HTTP {strike.status} {strike.mark}", "type": "drill"}}
            attempt.on_answer(strike.status, _JSON, msgspec.json.encode(message))
        elif strike.delay != 0:
            await asyncio.wait(
                (attempt.done, over), timeout=strike.delay, return_when=asyncio.FIRST_COMPLETED
            )
        if not attempt.done.done():
            connection = await pool.connect()
            sent = True
            _send(strike, attempt, pool, connection, head, body)
        outcome = await attempt.done
    except asyncio.CancelledError as gone:
        gone.args = (msgspec.structs.replace(attempt.left(), unsent=not sent),)
        raise
    return outcome if sent else msgspec.structs.replace(outcome, unsent=True)


def _send(
    strike: Strike, attempt: Attempt, pool: Pool, connection: Connection, head: bytes, body: bytes
) -> None:
    attempt.bind(connection)
    cut = strike.fault is DrillFault.CUT
    connection.send(head, body, Cutting(attempt, pool, connection, strike.after_tokens) if cut else attempt)


def marked(strike: Strike, outcome: Outcome) -> Outcome:
    """So that nobody takes it for real, in the ledger as in what the client is told."""
    if strike.mark in outcome.message:
        return outcome
    delayed = strike.delay is None or strike.delay > 0
    mark = strike.mark if not outcome.ok else f"delay {strike.mark}" if delayed else ""
    if not mark:
        return outcome
    return msgspec.structs.replace(
        outcome, message=f"{outcome.message} ({mark})" if outcome.message else mark
    )


class Cutting:
    """Lets an answer through up to so many events, then ends its connection; of one in a single piece, half of it.

    An event is a line of data: about a token. An answer that has no more of them is not cut.
    """

    def __init__(self, attempt: Attempt, pool: Pool, connection: Connection, after: int) -> None:
        self._attempt = attempt
        self._pool = pool
        self._connection = connection
        self._left = after
        self._line = b""
        self._streams = False
        self._cut = False

    def on_head(self, status: int, headers: Sequence[tuple[bytes, bytes]]) -> None:
        kind = next((value for name, value in headers if name.lower() == b"content-type"), b"")
        self._streams = status == 200 and any(known in kind for known in _STREAMS)
        self._attempt.on_head(status, headers)

    def on_body(self, data: bytes) -> None:
        if not self._streams:
            self._pass(data[: len(data) // 2])
            self._end()
            return
        for piece in data.splitlines(keepends=True):
            if self._cut or not self._lets(piece):
                return
            self._pass(piece)

    def _lets(self, piece: bytes) -> bool:
        """Whether the next piece of a line may pass; the beginning of an event too many ends it all."""
        if self._left <= 0 and not self._line and piece.strip():
            self._end()
            return False
        self._line += piece
        if piece.endswith(b"\n"):
            self._left -= self._line.startswith((b"data:", b"{"))
            self._line = b""
        return True

    def _pass(self, data: bytes) -> None:
        if data and not self._attempt.done.done():
            self._attempt.on_body(data)

    def _end(self) -> None:
        if self._cut:
            return
        self._cut = True
        if not self._attempt.done.done():
            # Its answer may have come in one piece, and its connection be kept for others already.
            self._pool.forget(self._connection)
            self._connection.abort()
            self._attempt.on_lost("the connection was cut")

    def on_answer(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> None:
        self.on_head(status, headers)
        self.on_body(body)
        self.on_complete()

    def on_complete(self) -> None:
        if not self._cut and not self._attempt.done.done():
            self._attempt.on_complete()

    def on_lost(self, reason: str) -> None:
        if not self._cut:
            self._attempt.on_lost(reason)
