"""One try of a call at one endpoint: what the backend sends goes to the client as it arrives.

Theory of operation. Bytes are pushed: the connection calls `on_head` and `on_body` from the event loop and this
object writes to the sink at once, without a task switch per chunk (that is most of the budget of 12 µs).
Until the first token everything is held, so that a failure can still move to another endpoint; `Sink.open`
commits. For a client that did not ask for a stream the whole answer is held, and a cut stream can still be
tried again.
The end is a single future, `done`, resolved with the one Outcome; whoever awaits it and is cancelled calls
`abort`, which closes the connection, and that is how a backend learns that its client left.
"""

import asyncio
from collections.abc import Sequence

from orchestra_core.domain.call import Call, Kind
from orchestra_core.domain.fault import Fault, WireError
from orchestra_core.domain.outcome import Outcome, Verdict
from orchestra_core.domain.reply import Delta, Usage
from orchestra_core.domain.sink import Serving, Sink
from orchestra_core.upstream.codec import Codec, Reader
from orchestra_core.upstream.transport import Connection
from orchestra_core.wire.openai.answers import tally
from orchestra_core.wire.openai.streams import Relay

_ERROR_LIMIT = 65536
_BODY_LIMIT = 64 * 1024 * 1024


class Attempt:
    """Consumer of one exchange. Times are loop seconds."""

    __slots__ = (
        "_call",
        "_codec",
        "_collected",
        "_connection",
        "_endpoint_id",
        "_first_at",
        "_headers",
        "_held",
        "_held_size",
        "_loop",
        "_reader",
        "_relay",
        "_serving",
        "_sink",
        "_status",
        "_tokens",
        "committed",
        "done",
        "heard_at",
        "started_at",
    )

    def __init__(
        self,
        call: Call,
        endpoint_id: str,
        codec: Codec,
        sink: Sink,
        serving: Serving,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._call = call
        self._endpoint_id = endpoint_id
        self._codec = codec
        self._sink = sink
        self._serving = serving
        self._loop = loop
        self._held: list[bytes] = []
        self._held_size = 0
        self._collected: list[Delta] = []
        self._relay: Relay | None = None
        self._reader: Reader | None = None
        self._status = 0
        self._headers: Sequence[tuple[bytes, bytes]] = ()
        self._tokens = 0
        self._first_at: float | None = None
        self._connection: Connection | None = None
        self.committed = False
        self.started_at = self.heard_at = loop.time()
        self.done: asyncio.Future[Outcome] = loop.create_future()

    def bind(self, connection: Connection) -> None:
        self._connection = connection
        self._sink.bind_flow(connection.pause, connection.resume)

    def abort(self) -> None:
        """The client left or time is up: the backend sees the connection close at once."""
        if self._connection is not None:
            self._connection.abort()
            self._connection = None

    # -- what the connection says ----------------------------------------------------------------------

    def on_head(self, status: int, headers: Sequence[tuple[bytes, bytes]]) -> None:
        self.heard_at = self._loop.time()
        self._status = status
        self._headers = headers
        if status != 200 or not self._codec.streams(self._call):
            return
        content_type = next((value for name, value in headers if name == b"content-type"), b"")
        if b"text/event-stream" not in content_type and b"ndjson" not in content_type:
            self._fail(
                Fault(Verdict.FAILED, 200, f"expected a stream, got {content_type[:80].decode('latin-1')!r}")
            )
        elif self._sink.relays == self._codec.format and self._sink.streaming:
            self._relay = Relay(keep_usage=self._call.wants_usage)
        else:
            self._reader = self._codec.reader(self._call.kind)

    def on_body(self, data: bytes) -> None:
        relay = self._relay
        try:
            if relay is not None:
                self.heard_at = self._loop.time()
                passed = relay.feed(data)
                if self.committed:
                    self._sink.relay(passed)
                else:
                    self._hold(passed)
                    if relay.started:
                        self._first_at = self.heard_at
                        self._commit()
                        self._sink.relay(b"".join(self._held))
            elif self._reader is not None:
                self._decode(self._reader, data)
            else:
                self._hold(data)
        except WireError as error:
            self._fail(error.fault)

    def on_complete(self) -> None:
        self._connection = None
        try:
            self._finish()
        except WireError as error:
            self._fail(error.fault)

    def on_lost(self, reason: str) -> None:
        heard = self._connection is not None and self._connection.answered
        self._connection = None
        if self._relay is not None or self._reader is not None:
            try:
                self._finish_stream(reason)
            except WireError as error:
                self._fail(error.fault)
        elif self._status:
            self._fail(Fault(Verdict.FAILED, self._status, f"{reason} before the whole answer had arrived"))
        else:
            self._fail(Fault(Verdict.FAILED if heard else Verdict.DROPPED, 0, reason))

    def expire(self, verdict: Verdict, message: str) -> None:
        self._fail(Fault(verdict, 0, message))

    # -- what follows ----------------------------------------------------------------------------------

    def _hold(self, data: bytes) -> None:
        self._held.append(data)
        self._held_size += len(data)
        if self._held_size > (_BODY_LIMIT if self._status == 200 else _ERROR_LIMIT):
            raise WireError(Fault(Verdict.FAILED, self._status, "the backend's answer is too large"))

    def _decode(self, reader: Reader, data: bytes) -> None:
        deltas = reader.feed(data)
        if not deltas:
            return
        self.heard_at = self._loop.time()
        self._tokens += len(deltas)
        if self._first_at is None:
            self._first_at = self.heard_at
        if self._sink.streaming:
            if not self.committed:
                self._commit()
            self._sink.deltas(deltas)
        else:
            self._collected += deltas

    def _commit(self) -> None:
        self.committed = True
        self._sink.open(self._serving)

    def _finish(self) -> None:
        if self._relay is not None or self._reader is not None:
            self._finish_stream("the stream ended without its end marker")
            return
        body = self._held[0] if len(self._held) == 1 else b"".join(self._held)
        if self._status != 200:
            names = {name.decode("latin-1"): value.decode("latin-1") for name, value in self._headers}
            self._fail(self._codec.read_error(self._status, names, body))
        elif self._call.kind is Kind.EMBEDDING:
            self._finish_embeddings(body)
        else:
            self._finish_body(body)

    def _finish_stream(self, reason: str) -> None:
        source = self._relay or self._reader
        assert source is not None
        if not source.done:
            self._fail(Fault(Verdict.INTERRUPTED if self.committed else Verdict.FAILED, 200, reason))
            return
        if not self.committed:
            self._commit()
            if self._relay is not None:
                self._sink.relay(b"".join(self._held))
            else:
                self._sink.deltas(self._collected)
        count = self._relay.events if self._relay is not None else self._tokens
        self._succeed(source.usage or Usage(completion=count, estimated=True), source.finish)

    def _finish_body(self, body: bytes) -> None:
        if self._sink.relays == self._codec.format and not self._sink.streaming:
            usage, finish = tally(body)
            self._commit()
            self._sink.relay(body)
            self._succeed(usage or Usage(estimated=True), finish)
            return
        deltas, usage = self._codec.read_answer(self._call.kind, body)
        self._commit()
        self._sink.deltas(deltas)
        self._succeed(usage, deltas[-1].finish if deltas else None)

    def _finish_embeddings(self, body: bytes) -> None:
        if self._sink.relays == self._codec.format:
            usage, _ = tally(body)
            self._commit()
            self._sink.relay(body)
            self._succeed(usage or Usage(estimated=True), None)
            return
        embeddings = self._codec.read_embeddings(body)
        self._commit()
        self._sink.embeddings(embeddings)
        self._succeed(embeddings.usage, None)

    def _succeed(self, usage: Usage, finish: str | None) -> None:
        self._resolve(Verdict.SUCCESS, 200, "", usage, finish, None)

    def _fail(self, fault: Fault) -> None:
        verdict = fault.verdict
        if self.committed and verdict is not Verdict.CANCELLED:
            verdict = Verdict.INTERRUPTED
        seen = self._relay.events if self._relay is not None else self._tokens
        usage = Usage(completion=seen, estimated=True)
        self.abort()
        self._resolve(verdict, fault.status, fault.message, usage, None, fault.retry_after)

    def _resolve(
        self,
        verdict: Verdict,
        status: int,
        message: str,
        usage: Usage,
        finish: str | None,
        retry_after: float | None,
    ) -> None:
        if self.done.done():
            return
        first = self._first_at
        self.done.set_result(
            Outcome(
                verdict,
                self._endpoint_id,
                status,
                message,
                usage,
                None if first is None else first - self.started_at,
                self._loop.time() - self.started_at,
                retry_after,
                finish,
                self.committed,
            )
        )
