"""One client connection: starts the handler for what arrives, writes what it answers, ends what takes too long.

Theory of operation. One request is served at a time; the next waits in `_queue`, as HTTP/1.1 answers must go
out in order. Handlers run in a task of the connection that is cancelled when the client leaves: that cancellation
is what reaches the backend. It serves one request after the other, since a new one for each would cost more, and
ends with a request that was cancelled, or where none came for a while. Answers go to the transport at the end
of the turn (http1/outgoing.py); a slow client pauses whoever produces (`Exchange.bind_flow`), and no further request
is begun while it is slow. A refusal is the last answer: it follows those of the requests that arrived before it.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from orchestra_core.http1.checks import Limits, Refusal
from orchestra_core.http1.heads import CONTINUE
from orchestra_core.http1.known import Known
from orchestra_core.http1.outgoing import Outbox, Outgoing
from orchestra_core.server.exchange import Exchange, Request, reset
from orchestra_core.server.intake import Head, Intake
from orchestra_core.server.peer import peer_of
from orchestra_core.server.room import Room

log = logging.getLogger(__name__)
Handler = Callable[[Request, Exchange], Awaitable[None]]
Refuse = Callable[[Refusal, Exchange], None]
# Whether the body of a request may come that is announced by its head.
Invites = Callable[[Request], bool]
_HIGH_WATER: Final = 65536
_LOW_WATER: Final = 16384
# A connection that is idle for longer keeps no task: that is 0.8 KiB (measured).
_REST_SECONDS: Final = 1.0


class Http1Protocol(Intake):
    """The server side of one HTTP/1.1 connection over TCP or a Unix socket."""

    __slots__ = (
        "_exchange",
        "_handler",
        "_invites",
        "_linger_left",
        "_outbox",
        "_queue",
        "_reading",
        "_refusal",
        "_refuse",
        "_slow",
        "_slow_since",
        "_unsent",
        "_unstarted",
        "_wake",
        "_worker",
    )

    def __init__(
        self,
        handler: Handler,
        loop: asyncio.AbstractEventLoop,
        limits: Limits,
        room: Room,
        refuse: Refuse,
        known: Known[Head] | None = None,
        invites: Invites | None = None,
        outbox: Outbox | None = None,
    ) -> None:
        """`invites` is asked of a client that waits for 100 Continue; without it every body may come."""
        super().__init__(loop, limits, room, Known() if known is None else known)
        self._handler = handler
        self._invites = invites
        self._outbox = outbox
        self._refuse = refuse
        self._queue: deque[tuple[Request, Exchange]] = deque()
        self._exchange: Exchange | None = None
        self._unstarted: Request | None = None
        # The task, also while it waits for the next request; what it waits for.
        self._worker: asyncio.Task[None] | None = None
        self._wake: asyncio.Future[None] | None = None
        self._refusal: Refusal | None = None
        self._linger_left = limits.linger_bytes
        self._reading = True
        self._slow = False
        self._slow_since = 0.0
        self._unsent = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = Outgoing(transport, self._outbox)  # type: ignore[arg-type]  # asyncio types it wider
        self.transport.set_write_buffer_limits(_HIGH_WATER, _LOW_WATER)
        self.peer = peer_of(transport)
        refusal = self._room.enter(self, self.peer)
        if refusal is not None:
            self.phase = "closing"
            self._send_refusal(refusal)
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio names the argument
        self._room.leave(self, self.peer)
        self.phase = "lost"
        self._release()
        for request, _ in self._queue:
            self.released(request)
        self._queue.clear()
        if self._unstarted is not None:
            # A task that is cancelled before it begins to serve it runs nothing of that, not even `finally`.
            self.released(self._unstarted)
            self._unstarted = None
        if self._exchange is not None:
            self._exchange.lost()
        self._dismiss()

    def eof_received(self) -> bool:
        """A client that half-closes is taken as gone, as the common servers do; closing cancels its request."""
        return False

    @property
    def serving(self) -> bool:
        """Whether a request is being answered."""
        return self._task is not None

    def cancel(self) -> None:
        """Cancels the request that is being answered, if any; its handler may still answer."""
        if self._task is not None:
            self._task.cancel()

    def hang_up(self) -> None:
        """Closes when what was written has gone out."""
        self.transport.close()

    def abort(self) -> None:
        self.transport.abort()

    def reset(self) -> None:
        """Ends it with a TCP reset, as a machine that died does; simulated backends do."""
        reset(self.transport)

    # -- serving ---------------------------------------------------------------------------------------

    def _arrived(self, head: Head, body: bytes) -> None:
        method, path, query, headers, keep_alive, chunked = head
        request = Request(method, path, query, headers, body, self.peer)
        exchange = Exchange(self.transport, keep_alive, chunked, method == "HEAD")
        if self._task is None and not self._slow:
            self._begin(request, exchange)
            return
        self._queue.append((request, exchange))
        self._full = len(self._queue) >= self._limits.pipelined
        if len(self._queue) >= self._limits.pipelined_pause and self._reading:
            self._reading = False
            self.transport.pause_reading()

    def _begin(self, request: Request, exchange: Exchange) -> None:
        self._exchange = exchange
        self._unstarted = request
        wake = self._wake
        if self._worker is None:
            # Owned here: `connection_lost` cancels it.
            self._worker = self._loop.create_task(self._work())
        elif wake is not None:
            wake.set_result(None)
            self._wake = None
        # `_served` clears it.
        self._task = exchange.task = self._worker

    async def _work(self) -> None:
        """Serves what was begun, and waits for the next; ends where none can come, or another has taken over."""
        worker = self._worker
        while (request := self._unstarted) is not None and (exchange := self._exchange) is not None:
            self._unstarted = None
            try:
                await self._handler(request, exchange)
            except Exception:  # whatever a handler raises, its client is told and the others go on
                log.exception("unhandled error while answering %s %s", request.method, request.path[:128])
                exchange.crash(request.id)
            finally:
                more = self._served(request, exchange)
            if self._worker is not worker:
                return
            # Not while it waits: a body may be large.
            del request, exchange
            if not more and self.phase != "closing":
                self._wake = self._loop.create_future()
                await self._wake
        self._worker = None

    def _served(self, request: Request, exchange: Exchange) -> bool:
        """Whether the next one was begun already."""
        worker = self._worker
        if worker is not None and worker.cancelling():
            # What is left of a cancellation is not for the next request.
            self._worker = None
        self._task = self._exchange = None
        if len(request.body) > self._limits.small_body:
            self.released(request)
        if self.phase == "lost":
            return False
        if not exchange.finished:
            exchange.crash(request.id)
        if not exchange.keep_alive:
            self._linger()
        elif not self._slow:
            self._go_on()
        return self._unstarted is not None

    def _dismiss(self) -> None:
        worker, self._worker = self._worker, None
        self._wake = None
        if worker is not None:
            worker.cancel()

    def _go_on(self) -> None:
        """The next request in turn, or the refusal that ends the connection, or rest."""
        if self._queue:
            self._begin(*self._queue.popleft())
            self._full = False
            self._resume_reading()
        elif self._refusal is not None:
            self._send_refusal(self._refusal)
            self._linger()
        elif self.phase == "idle":
            self.since = self._loop.time()
        elif self.phase == "body" and not self._body_size and b"expect" in self._headers:
            self._invite_body()

    def _resume_reading(self) -> None:
        if not self._reading and len(self._queue) < self._limits.pipelined_pause:
            self._reading = True
            # The client could not send while it was not read from.
            self.since = self._last = self._loop.time()
            self.transport.resume_reading()

    def _invite_body(self) -> bool:
        """In its turn. A request that would be refused is handled without its body, as the last one."""
        if self._task is not None or self._queue:
            return True
        path, _, query = self._url.decode("latin-1").partition("?")
        announced = Request(self._method, path, query, self._headers, b"", self.peer)
        if self._invites is None or self._invites(announced):
            self.transport.write(CONTINUE)
            return True
        self._end()
        # It may have sent its body all the same, and would not see the answer if we stopped reading.
        self._linger_left = self._limits.body
        self._arrived(Head(self._method, path, query, self._headers, keep_alive=False, chunked=True), b"")
        return False

    # -- ending ----------------------------------------------------------------------------------------

    def _reject(self, refusal: Refusal) -> None:
        """Answers once and closes; what arrived before is answered first, nothing after is parsed."""
        head_only = self.phase == "body" and self._method == "HEAD"
        self._end()
        self._release()
        self._body = None
        if refusal.status in (413, 503):
            # An honest client that is still sending would not see the answer if we stopped reading.
            self._linger_left = self._limits.body
        if self._task is not None or self._queue:
            self._refusal = refusal
        else:
            self._send_refusal(refusal, head_only=head_only)
            self._linger()

    def _drain(self, size: int) -> None:
        """Thrown away; beyond the limit, and once everything is answered, it is not even read."""
        if self._task is None and self._linger_left >= 0:
            self._linger_left -= size
            if self._linger_left < 0 and self.phase != "lost":
                self.transport.pause_reading()

    def _last_of_connection(self) -> None:
        last = self._queue[-1][1] if self._queue else self._exchange
        if last is not None:
            last.keep_alive = False
        self._end()

    def _end(self) -> None:
        self.phase, self.since = "closing", self._loop.time()

    def _send_refusal(self, refusal: Refusal, *, head_only: bool = False) -> None:
        exchange = Exchange(self.transport, False, False, head_only)
        self._refuse(refusal, exchange)

    def _linger(self) -> None:
        """Half-close and read on for a moment, so that the client sees the answer (RFC 9112 section 9.6)."""
        self._end()
        self._unsent = self.transport.get_write_buffer_size()
        for request, _ in self._queue:
            self.released(request)
        self._queue.clear()
        self._refusal = None
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()
        if not self._reading:
            self._reading = True
            self.transport.resume_reading()

    def close_idle(self) -> None:
        """Closes the connection unless it is in the middle of a request (used while draining)."""
        if self._exchange is not None:
            self._exchange.keep_alive = False
        elif self.phase in ("fresh", "idle"):
            self._close()

    def _close(self) -> None:
        self._end()
        self._unsent = self.transport.get_write_buffer_size()
        self.transport.close()

    # -- flow control and time -------------------------------------------------------------------------

    def pause_writing(self) -> None:
        self._slow, self._slow_since = True, self._loop.time()
        self._unsent = self.transport.get_write_buffer_size()
        if self._exchange is not None:
            self._exchange.pause()

    def resume_writing(self) -> None:
        self._slow = False
        if self._exchange is not None:
            self._exchange.resume()
        elif self._task is None and self.phase != "lost":
            self._go_on()

    def expire(self, now: float) -> None:
        """Called about once a second: ends what has taken too long."""
        if self._slow:
            self._expire_slow(now)
        elif self.phase == "closing":
            if self._task is None:
                self._expire_closing(now)
        elif self.phase == "idle":
            self._expire_idle(now)
        elif self.phase == "fresh":
            if now - self.since > self._limits.head_seconds:
                self._close()
        elif self._reading:
            refusal = self._late(now)
            if refusal is not None:
                self._reject(refusal)

    def _expire_slow(self, now: float) -> None:
        """A client may read slowly, but it has to read."""
        unsent = self.transport.get_write_buffer_size()
        if unsent < self._unsent:
            self._slow_since = now
        self._unsent = unsent
        if now - self._slow_since > self._limits.stalled_seconds:
            self.transport.abort()

    def _expire_closing(self, now: float) -> None:
        unsent = self.transport.get_write_buffer_size()
        if unsent < self._unsent:
            self.since = now
        self._unsent = unsent
        patience = self._limits.stalled_seconds if unsent else self._limits.linger_seconds
        if now - self.since > patience:
            self.transport.abort()

    def _expire_idle(self, now: float) -> None:
        limits = self._limits
        if self._task is not None:
            return
        if self._wake is not None and now - self.since > _REST_SECONDS:
            self._dismiss()
        patience = max(limits.least_idle_seconds, limits.idle_seconds * self._room.idle_factor)
        if now - self.since > patience:
            self._close()

    def _late(self, now: float) -> Refusal | None:
        limits, age = self._limits, now - self.since
        if self.phase == "head":
            if age <= limits.head_seconds:
                return None
            return Refusal(
                408, "head_timeout", f"no complete request head within {limits.head_seconds:.0f} s"
            )
        if age > limits.body_seconds:
            why = f"no complete request body within {limits.body_seconds:.0f} s"
        elif now - self._last > limits.body_idle_seconds:
            why = f"nothing of the request body came for {limits.body_idle_seconds:.0f} s"
        elif age > limits.body_grace_seconds and self._body_size < limits.body_rate * age:
            why = f"the request body came at less than {limits.body_rate:.0f} bytes a second"
        else:
            return None
        return Refusal(408, "body_timeout", why)
