"""One try of a call at one endpoint: what the backend sends goes to the client as it arrives.

Theory of operation. Bytes are pushed: the connection calls `on_head` and `on_body` from the event loop and this
object writes to the sink at once, without a task switch per chunk (that is most of the budget of 12 µs).
Until the first token everything is held, so that a failure can still move to another endpoint; `Sink.open`
commits. For a client that did not ask for a stream the whole answer is held, and a cut stream can still be
tried again.
The end is a single future, `done`, resolved with the one Outcome; whoever awaits it and is cancelled calls
`abort`, which closes the connection, and that is how a backend learns that its client left.
A call that goes on with an interrupted answer (`Call.so_far`) finds its sink committed: its increments are then
rendered after what the client has, and its failures never lead to a second beginning.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from orchestra_core.domain.call import Call, Kind
from orchestra_core.domain.fault import Fault, WireError
from orchestra_core.domain.outcome import Outcome, Partial, Verdict
from orchestra_core.domain.reply import Delta, Usage
from orchestra_core.domain.sink import Serving, Sink
from orchestra_core.resilience.continuation import continuable
from orchestra_core.upstream.codec import Codec, Reader
from orchestra_core.upstream.kept import Kept
from orchestra_core.upstream.oddities import COMPRESSED, no_stream, refusal, unexpected
from orchestra_core.upstream.pace import Pace
from orchestra_core.upstream.timeouts import Timeouts
from orchestra_core.upstream.transport import Connection
from orchestra_core.wire.openai.answers import tally
from orchestra_core.wire.openai.streams import Relay

_ERROR_LIMIT: Final = 65536
_BODY_LIMIT: Final = 64 * 1024 * 1024
# Before the first token a stream has only its opening; what is more than this is no answer.
_OPENING_LIMIT: Final = 128 * 1024
# After the end of an answer, for the end of its HTTP message: without it the connection cannot be kept.
_LAST_CHUNK_SECONDS: Final = 2.0
_UNKNOWN: Final = Usage(estimated=True)
_SUCCESS: Final = Verdict.SUCCESS
_LEFT: Final = "ended before its answer was complete"


class Attempt:
    """Consumer of one exchange. Times are loop seconds."""

    # Defaults of the class: most are never set for an answer that comes in one piece.
    _collected: list[Delta] | None = None
    _connection: Connection | None = None
    _final = False
    _headers: Sequence[tuple[bytes, bytes]] = ()
    _held_size = 0
    _kept: Kept | None = None
    _opened = False
    _reader: Reader | None = None
    _relay: Relay | None = None
    _status = 0
    _tokens = 0
    first_at: float | None = None
    pace: Pace | None = None

    def __init__(
        self,
        call: Call,
        endpoint_id: str,
        codec: Codec,
        sink: Sink,
        serving: Serving,
        loop: asyncio.AbstractEventLoop,
        now: Callable[[], float] | None = None,
        own_limit: float | None = None,
        keep: bool = True,
        streams: bool | None = None,
    ) -> None:
        """`now` is the loop's time unless given. `own_limit`: of its first token, or of an answer in one piece.

        `keep`: what a stream brings is kept to be continued from. `streams`: as the codec said, if it was asked.
        """
        self.call = call
        self.endpoint_id = endpoint_id
        self._codec = codec
        self._sink = sink
        self.serving = serving
        self._streams = codec.streams(call) if streams is None else streams
        self._now = now or loop.time
        self._held: list[bytes] = []
        self._own_limit = own_limit
        self._keep = keep
        self.committed = sink.committed
        self.started_at = self.heard_at = self._told_at = self._now()
        self.done: asyncio.Future[Outcome] = loop.create_future()

    def bind(self, connection: Connection) -> None:
        self._connection = connection
        if self._sink.streaming:
            # A client that did not ask for a stream has nothing to be slow with before its answer is whole.
            self._sink.bind_flow(self.pause, self.resume)

    def pause(self) -> None:
        """The client is slow. A connection that has been given back is another request's by then."""
        if self._connection is not None:
            self._connection.pause()

    def resume(self) -> None:
        if self._connection is not None:
            self._connection.resume()

    def abort(self) -> None:
        """The client left or time is up: the backend sees the connection close at once."""
        if self._connection is not None:
            self._connection.abort()
            self._connection = None

    # -- what the connection says ----------------------------------------------------------------------

    def on_head(self, status: int, headers: Sequence[tuple[bytes, bytes]]) -> None:
        self.heard_at = self._now()
        self._status = status
        self._headers = headers
        if self._connection is not None and self._connection.encoded and status == 200:
            self._fail(COMPRESSED)
        elif status == 200 and self._streams:
            self._begin_stream(headers)

    def _begin_stream(self, headers: Sequence[tuple[bytes, bytes]]) -> None:
        fault = no_stream(headers)
        if fault is not None:
            self._fail(fault)
            return
        keep = self._keep and continuable(self.call)
        if self._sink.relays == self._codec.format and self._sink.streaming and not self.committed:
            self._relay = Relay(keep_usage=self.call.wants_usage)
            self._kept = Kept(self._codec.reader(self.call.kind).feed) if keep else None
        else:
            self._reader = self._codec.reader(self.call.kind)
            self._kept = Kept() if keep else None

    def on_body(self, data: bytes) -> None:
        relay = self._relay
        try:
            if relay is not None:
                events = relay.events
                passed = relay.feed(data)
                if not self._opened:
                    self._before_first(relay, data, passed)
                elif passed:
                    if relay.events != events:
                        self.heard_at = self._now()
                    if self._kept is not None:
                        self._kept.add(passed)
                    self._sink.relay(passed)
            elif self._reader is not None:
                self._decode(self._reader, data)
            else:
                self._hold(data, _BODY_LIMIT if self._status == 200 else _ERROR_LIMIT)
        except WireError as error:
            self._fail(error.fault)

    def on_answer(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> None:
        """All of an answer at once; its connection may be another request's by now."""
        connection, self._connection = self._connection, None
        if connection is not None and connection.paused:
            connection.resume()
        sink = self._sink
        try:
            if status == 200 and not (self._streams or sink.streaming or sink.relays != self._codec.format):
                self._status = 200
                self._relay_body(body)
                return
            self.on_head(status, headers)
            if not self.done.done():
                self.on_body(body)
            if not self.done.done():
                self._finish()
        except Exception as error:  # noqa: BLE001  as in `_safely`
            self._break(error)

    def on_complete(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and connection.paused:
            connection.resume()
        self._safely(self._finish)

    def on_lost(self, reason: str) -> None:
        heard = self._connection is not None and self._connection.answered
        self._connection = None
        if self._relay is not None or self._reader is not None:
            self._safely(self._finish_stream, reason)
        elif self._status:
            self._fail(Fault(Verdict.FAILED, self._status, f"{reason} before the whole answer had arrived"))
        else:
            self._fail(Fault(Verdict.FAILED if heard else Verdict.DROPPED, 0, reason))

    def _safely(self, step: Callable[..., None], *args: object) -> None:
        """The boundary: whoever calls will not call again, and other attempts hang on the same caller."""
        try:
            step(*args)
        except Exception as error:  # noqa: BLE001  logged, and the attempt ends by it
            self._break(error)

    # -- time ------------------------------------------------------------------------------------------

    def watch(self, now: float, limits: Timeouts) -> None:
        """Called a few times a second: ends what takes too long, and tells a waiting client it is not forgotten."""
        self._safely(self._watch, now, limits)

    def _watch(self, now: float, limits: Timeouts) -> None:
        """While the client is slow the backend is not heard by our own will: that time does not count."""
        if self._connection is not None and self._connection.paused:
            self.heard_at = self._told_at = now
        source = self._relay or self._reader
        if source is not None and source.done:
            if now - self.heard_at > _LAST_CHUNK_SECONDS:
                self._finish_late()
            return
        age, begun = now - self.started_at, self.first_at is not None
        overdue = limits.passed(age, now - self.heard_at, begun, self._streams, self._own_limit)
        if overdue and age > limits.whole(self._streams):
            self._final = True
        overdue = overdue or (self._crawls(now) if self.pace is not None else "")
        if overdue:
            self._fail(Fault(Verdict.TIMEOUT, 0, overdue))
        elif self._sink.streaming:
            told = max(self._told_at, self.heard_at) if self._opened else self._told_at
            if now - told >= limits.keep_alive:
                self._told_at = now
                self._sink.alive("")

    def interrupt(self, why: str) -> None:
        """Ends it from outside, as an answer that was cut and is not to be continued."""
        self._final = True
        self._fail(Fault(Verdict.INTERRUPTED, 0, why))

    def _crawls(self, now: float) -> str:
        """Why it will miss its deadline; an answer that the client has begun to read must be one that can move."""
        if self.pace is None or self.first_at is None or (self.committed and self._kept is None):
            return ""
        return self.pace.lost(self.tokens, self.first_at, now)

    def _finish_late(self) -> None:
        """The answer is complete and its HTTP message is not: it counts, the connection cannot be used again."""
        self.abort()
        self._finish_stream("")

    # -- what follows ----------------------------------------------------------------------------------

    def _hold(self, data: bytes, limit: int) -> None:
        self._held.append(data)
        self._count(data, limit)

    def _count(self, data: bytes, limit: int) -> None:
        self._held_size += len(data)
        if self._held_size > limit:
            raise WireError(Fault(Verdict.FAILED, self._status, "the backend's answer is too large"))

    def _before_first(self, relay: Relay, data: bytes, passed: bytes) -> None:
        """Until the first token comments and openings are signs of life too; half an event is none."""
        if b"\n" in data:
            self.heard_at = self._now()
        if passed:
            self._hold(passed, _OPENING_LIMIT)
        if relay.started:
            self.first_at = self.heard_at
            self._commit()
            self._relay_held()

    def _relay_held(self) -> None:
        opening = b"".join(self._held)
        self._held.clear()
        if self._kept is not None:
            self._kept.add(opening)
        self._sink.relay(opening)

    def _decode(self, reader: Reader, data: bytes) -> None:
        self._count(data, _BODY_LIMIT)
        deltas = reader.feed(data)
        if not deltas:
            if self.first_at is None and b"\n" in data:
                self.heard_at = self._now()
            return
        self.heard_at = self._now()
        self._tokens += len(deltas)
        if self.first_at is None:
            self.first_at = self.heard_at
        if not self._sink.streaming:
            self._collected = [] if self._collected is None else self._collected
            self._collected += deltas
            return
        if not self._opened:
            self._commit()
        if self._kept is not None:
            self._kept.take(deltas)
        self._sink.deltas(deltas)

    def _commit(self) -> None:
        """The answer comes from here; where the client has its beginning already, it goes on from here."""
        self._opened = self.committed = True
        if self.call.so_far is None:
            self._sink.open(self.serving)
        else:
            self._sink.resume(self.serving, self.call.so_far)

    def _finish(self) -> None:
        if self._relay is not None or self._reader is not None:
            self._finish_stream("the stream ended without its end marker")
            return
        body = self._held[0] if len(self._held) == 1 else b"".join(self._held)
        if self._status != 200:
            self._fail(refusal(self._codec, self._status, self._headers, body))
        else:
            self._finish_body(body)

    def _finish_stream(self, reason: str) -> None:
        source = self._relay or self._reader
        assert source is not None
        if not source.done:
            self._fail(Fault(Verdict.FAILED, 200, reason))
            return
        if not self._opened:
            self._commit()
            if self._relay is not None:
                self._relay_held()
            else:
                self._sink.deltas(self._collected or ())
        self._succeed(source.usage or Usage(completion=self.tokens, estimated=True), source.finish)

    def _finish_body(self, body: bytes) -> None:
        if self._sink.relays == self._codec.format and not self._sink.streaming:
            self._relay_body(body)
        elif self.call.kind is Kind.EMBEDDING:
            embeddings = self._codec.read_embeddings(body)
            self._commit()
            self._sink.embeddings(embeddings)
            self._succeed(embeddings.usage, None)
        else:
            deltas, usage = self._codec.read_answer(self.call.kind, body)
            self._commit()
            self._sink.deltas(deltas)
            self._succeed(usage, deltas[-1].finish if deltas else None)

    def _relay_body(self, body: bytes) -> None:
        """In the client's own format: passed on as it came."""
        usage, finish = tally(body)
        self._commit()
        self._sink.relay(body)
        self._succeed(_UNKNOWN if usage is None else usage, finish)

    def _succeed(self, usage: Usage, finish: str | None) -> None:
        if not self.done.done():
            first = None if self.first_at is None else self.first_at - self.started_at
            spent = self._now() - self.started_at
            who, told = self.endpoint_id, self.committed
            self.done.set_result(Outcome(_SUCCESS, who, 200, "", usage, first, spent, None, finish, told))

    def _fail(self, fault: Fault) -> None:
        if self.done.done():
            return
        verdict = Verdict.INTERRUPTED if self._opened else fault.verdict
        self.abort()
        first = None if self.first_at is None else self.first_at - self.started_at
        usage, spent, wait = self._usage_so_far(), self._now() - self.started_at, fault.retry_after
        who, told, partial = self.endpoint_id, self.committed, self._partial()
        self.done.set_result(
            Outcome(verdict, who, fault.status, fault.message, usage, first, spent, wait, None, told, partial)
        )

    def _break(self, error: Exception) -> None:
        """What ended while its answer was read ends here: nobody will call again, so it must not stay open."""
        if isinstance(error, WireError):
            self._fail(error.fault)
        else:
            self._final = True
            self._fail(unexpected(error, self.endpoint_id))

    def _usage_so_far(self) -> Usage:
        source = self._relay or self._reader
        if source is not None and source.usage is not None:
            return source.usage
        return Usage(completion=self.tokens, estimated=True)

    @property
    def tokens(self) -> int:
        """How many have come; of an answer in one piece none is seen."""
        return self._relay.events if self._relay is not None else self._tokens

    def left(self) -> Outcome:
        """What there was of it when whoever waited for it left."""
        first = None if self.first_at is None else self.first_at - self.started_at
        usage, spent = self._usage_so_far(), self._now() - self.started_at
        return Outcome(
            Verdict.CANCELLED, self.endpoint_id, 499, _LEFT, usage, first, spent, committed=self.committed
        )

    def _partial(self) -> Partial | None:
        """What the client has, if another endpoint may go on from there."""
        if self._final or not self._keep:
            return None
        if not self._opened:
            return self.call.so_far
        return self._kept.partial(self.call.so_far) if self._kept is not None else None
