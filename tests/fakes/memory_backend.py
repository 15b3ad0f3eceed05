"""A backend in memory: the data plane's connections end here, and the test says what comes back over them."""

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from orchestra_core.domain.call import Call, Kind, Level
from orchestra_core.domain.catalog import BackendKind, Endpoint, EndpointSpec
from orchestra_core.domain.outcome import Outcome
from orchestra_core.domain.sink import Serving, Sink
from orchestra_core.upstream.address import Address
from orchestra_core.upstream.dialing import Dialer, P
from orchestra_core.upstream.execution import Execution
from orchestra_core.upstream.timeouts import Timeouts
from tests.fakes.clock import ManualClock
from tests.fakes.transport import FakeTransport
from tests.fakes.turns import settle

SERVING = Serving("m", "b", "dec", 1, False)
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n%b\r\n"
NDJSON_HEAD = STREAM_HEAD.replace(b"text/event-stream", b"application/x-ndjson")


def endpoint(
    kind: BackendKind = BackendKind.LLAMACPP, backend: str = "b", *, prefill: bool = True
) -> Endpoint:
    """One model on one backend."""
    spec = EndpointSpec(
        backend, "m", kind, frozenset({"chat"}), frozenset(), 4096, 0.5, Level.MEDIUM, prefill=prefill
    )
    return Endpoint(spec)


def question(kind: Kind = Kind.CHAT, *, stream: bool = True, **more: object) -> Call:
    """A call as the facades make them."""
    fields: dict[str, object] = {"messages": msgspec.Raw(b'[{"role":"user","content":"Hi"}]')}
    if kind is Kind.COMPLETION:
        fields = {"prompt": msgspec.Raw(b'"Once"')}
    fields |= more
    return Call(
        id="req-1", kind=kind, fields=fields, received=0.0, surface="openai", stream=stream, wants_usage=True
    )


def token(text: str) -> bytes:
    """An event of a stream as llama.cpp sends it."""
    content = msgspec.json.encode(text)
    return (
        b'data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":%b}}],"created":1700000000,'
        b'"id":"chatcmpl-abc","model":"gemma","system_fingerprint":"b1","object":"chat.completion.chunk"}\n\n'
        % content
    )


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Line:
    """One connection, as the backend has it."""

    def __init__(self, protocol: asyncio.Protocol, loop: asyncio.AbstractEventLoop) -> None:
        self.protocol = protocol
        self.transport = Hearing(protocol, loop)
        protocol.connection_made(self.transport)

    @property
    def asked(self) -> bytes:
        """Everything that was sent over it."""
        return self.transport.written

    @property
    def body(self) -> dict[str, object]:
        found: dict[str, object] = msgspec.json.decode(self.asked.rpartition(b"\r\n\r\n")[2])
        return found

    def says(self, *data: bytes) -> None:
        for piece in data:
            if not self.transport.aborted:
                self.protocol.data_received(piece)

    def begins(self, head: bytes = STREAM_HEAD % b"") -> None:
        self.says(head)

    def sends(self, *events: bytes) -> None:
        self.says(*map(chunked, events))

    def ends(self) -> None:
        self.says(b"0\r\n\r\n")

    def breaks(self, error: Exception | None = None) -> None:
        """The connection is closed, or reset when there is an error."""
        if not self.transport.aborted:
            self.protocol.connection_lost(error)


class Hearing(FakeTransport):
    """Tells its protocol, in the next turn, that it was aborted, as transports do."""

    def __init__(self, protocol: asyncio.Protocol, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._protocol = protocol
        self._loop = loop

    def abort(self) -> None:
        if not self.aborted:
            self._loop.call_soon(self._protocol.connection_lost, None)
        super().abort()


class MemoryDialer(Dialer):
    """Connects to nothing. `gate` holds every connection until it is set; `refuse` makes them fail."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.loop = loop
        self.lines: list[Line] = []
        self.gate: asyncio.Event | None = None
        self.refuse: OSError | None = None
        self.limits: list[float] = []
        self.waiting = 0

    async def dial(self, make: Callable[[], P], address: Address, limit: float | None = None) -> P:
        self.limits.append(self.seconds(address, limit))
        self.waiting += 1
        try:
            if self.gate is not None:
                await self.gate.wait()
        finally:
            self.waiting -= 1
        if self.refuse is not None:
            raise self.refuse
        protocol = make()
        assert isinstance(protocol, asyncio.Protocol)
        self.lines.append(Line(protocol, self.loop))
        return protocol


class Bench:
    """The data plane over backends in memory, with time moved by hand."""

    def __init__(self, timeouts: Timeouts | None = None, **options: bool) -> None:
        self.clock = ManualClock()
        self.loop = asyncio.get_running_loop()
        self.dialer = MemoryDialer(self.loop)
        addresses: dict[str, Address] = {}
        self.execution = Execution(
            lambda found: addresses.setdefault(found.id, Address(found.spec.backend, 1, prefix="/v1")),
            lambda _: {},
            timeouts=timeouts,
            dialer=self.dialer,
            now=self.clock.monotonic,
            **options,
        )
        self.tasks: list[asyncio.Task[Outcome]] = []

    @property
    def line(self) -> Line:
        return self.dialer.lines[-1]

    async def send(
        self,
        call: Call,
        sink: Sink,
        found: Endpoint | None = None,
        *,
        limit: float | None = None,
        whole: float | None = None,
    ) -> asyncio.Task[Outcome]:
        """An attempt under way; what it sent has arrived."""
        serving = SERVING if found is None else Serving("m", found.spec.backend, "dec", 1, False)
        task = self.loop.create_task(
            _run(self.execution, call, found or endpoint(), sink, serving, limit, whole)
        )
        self.tasks.append(task)
        await settle()
        return task

    async def after(self, seconds: float) -> None:
        """So much later, the timer has looked."""
        self.clock.advance(seconds)
        self.execution.watch()
        await settle()

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.execution.close()


async def _run(
    execution: Execution,
    call: Call,
    found: Endpoint,
    sink: Sink,
    serving: Serving,
    limit: float | None,
    whole: float | None,
) -> Outcome:
    return await execution(call, found, sink, serving, limit, whole)


def texts(events: Sequence[bytes]) -> str:
    """The text of a client's OpenAI events."""
    found = []
    for event in events:
        if event.startswith(b"data: {"):
            chunk = msgspec.json.decode(event[6:])
            found += [
                choice.get("delta", {}).get("content") or choice.get("text") or ""
                for choice in chunk.get("choices", ())
            ]
    return "".join(found)
