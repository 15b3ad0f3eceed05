"""A closed-loop load generator: N connections, each sends its next request when the last one is answered.

Run as `python -m benchmarks.load` with a LoadSpec as one JSON line on standard input; prints a LoadResult.
Closed loop says what a request costs and how fast a gateway can go; it hides queueing (a slow gateway is
asked less often), so its latencies compare gateways only at the same number of connections.
"""

import asyncio
import contextlib
import sys
import time
from array import array
from typing import cast

import httptools
import msgspec
import uvloop

from benchmarks.system import CpuMeter, busy_seconds

_GRACE = 20.0
_EVENT = b"data: "


class LoadSpec(msgspec.Struct, frozen=True):
    """Seconds are measured after `warmup` seconds. `watch` names process trees whose CPU is measured.

    Both take up to `longest` seconds where a slow target has not yet answered every connection once (warm-up)
    or twice (window): with one answer in the window its CPU per request would be that of all under way.

    With `hold` every connection sends one request, waits for its first answer bytes (streams) or its end, and
    stays open until a line arrives on standard input.
    """

    port: int
    body: str
    connections: int
    warmup: float = 0.5
    seconds: float = 3.0
    longest: float = 15.0
    path: str = "/v1/chat/completions"
    watch: dict[str, int] = {}
    hold: bool = False
    streaming: bool = False


class LoadResult(msgspec.Struct):
    """Counts are of the measured window, except `sent` and the totals, which are of the whole run.

    Latencies in seconds; `cpu` is CPU seconds per watched tree, `load_cpu` of the generator itself,
    `machine_cpu` of everything on the machine; `first_error` is the first wrong answer seen.
    """

    seconds: float = 0.0
    answered: int = 0
    events: int = 0
    reads: int = 0
    p50: float = 0.0
    p99: float = 0.0
    sent: int = 0
    answered_total: int = 0
    events_total: int = 0
    failed: int = 0
    first_error: str = ""
    load_cpu: float = 0.0
    machine_cpu: float = 0.0
    cpu: dict[str, float] = {}


class EventCounter:
    """Counts the events of an SSE stream however the network cut it; `end` are its last bytes."""

    __slots__ = ("end",)

    def __init__(self) -> None:
        self.end = b""

    def feed(self, data: bytes) -> int:
        """How many events began in `data`, the start split between two pieces included."""
        joined = self.end + data
        # "data: " has 6 bytes: with 5 of the piece before, none is seen twice.
        self.end = joined[-32:]
        return joined.count(_EVENT, max(0, len(joined) - len(data) - len(_EVENT) + 1))


class Run:
    """Shared by all connections of one run."""

    def __init__(self, spec: LoadSpec) -> None:
        body = spec.body.encode()
        head = (
            f"POST {spec.path} HTTP/1.1\r\nhost: 127.0.0.1:{spec.port}\r\ncontent-type: application/json\r\n"
            f"authorization: Bearer sk-benchmark\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        self.request = head.encode() + body
        self.spec = spec
        self.sending = True
        self.open = 0
        self.result = LoadResult()
        self.latencies = array("d")
        self.all_answered = asyncio.Event()
        self.all_begun = asyncio.Event()
        self.begun = 0
        self.goal = 0
        self.reached = asyncio.Event()

    def fail(self, why: str) -> None:
        self.result.failed += 1
        self.result.first_error = self.result.first_error or why[:300]

    def ended(self) -> None:
        self.open -= 1
        if self.open == 0:
            self.all_answered.set()

    def begin(self) -> None:
        self.begun += 1
        if self.begun >= self.spec.connections:
            self.all_begun.set()


class Connection(asyncio.Protocol):
    """One connection: at most one request under way."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._parser = httptools.HttpResponseParser(self)
        self._started = 0.0
        self._busy = False
        self._body = b""
        self._events = EventCounter()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def send(self) -> None:
        run = self._run
        run.result.sent += 1
        run.open += 1
        self._busy, self._body, self._events = True, b"", EventCounter()
        self._started = time.perf_counter()
        self._transport.write(run.request)

    def data_received(self, data: bytes) -> None:
        self._run.result.reads += 1
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._run.fail(f"not HTTP: {error}: {data!r}")
            self._transport.abort()

    def on_body(self, body: bytes) -> None:
        if self._run.spec.streaming:
            if not self._events.end:
                self._run.begin()
            self._run.result.events += self._events.feed(body)
        else:
            self._body += body

    def on_message_complete(self) -> None:
        run = self._run
        run.latencies.append(time.perf_counter() - self._started)
        self._check()
        run.result.answered_total += 1
        if run.result.answered_total == run.goal:
            run.reached.set()
        self._busy = False
        if not run.spec.streaming:
            run.begin()
        run.ended()
        if run.sending:
            self.send()

    def _check(self) -> None:
        body = self._events.end if self._run.spec.streaming else self._body
        wanted = b"[DONE]" if self._run.spec.streaming else b'"choices"'
        if self._parser.get_status_code() != 200 or wanted not in body:
            self._run.fail(f"{self._parser.get_status_code()} {body!r}")

    def connection_lost(self, exc: Exception | None) -> None:
        if self._run.sending:
            self._run.fail(f"connection lost: {exc!r}")
        if self._busy:
            self._busy = False
            self._run.ended()

    def abort(self) -> None:
        self._transport.abort()


async def _connect(run: Run) -> list[Connection]:
    loop = asyncio.get_running_loop()
    connections = list[Connection]()
    for _ in range(run.spec.connections):
        _, connection = await loop.create_connection(lambda: Connection(run), "127.0.0.1", run.spec.port)
        connections.append(connection)
    return connections


async def measure(spec: LoadSpec) -> LoadResult:
    """Warm-up, window, then waits for what is under way: sent equals answered unless some failed."""
    run = Run(spec)
    connections = await _connect(run)
    for connection in connections:
        connection.send()
    await _pass(run, spec.warmup, spec.connections)
    result, before = run.result, msgspec.structs.replace(run.result)
    del run.latencies[:]
    meters = {name: CpuMeter(pid) for name, pid in spec.watch.items()}
    machine, own, start = busy_seconds(), time.process_time(), time.perf_counter()
    await _pass(run, spec.seconds, 2 * spec.connections)
    result.seconds = time.perf_counter() - start
    result.load_cpu, result.machine_cpu = time.process_time() - own, busy_seconds() - machine
    result.cpu = {name: meter.read() for name, meter in meters.items()}
    window = msgspec.structs.replace(result)
    latencies = sorted(run.latencies)
    await _stop(run, connections)
    result.events_total = result.events
    result.answered = window.answered_total - before.answered_total
    result.events, result.reads = window.events - before.events, window.reads - before.reads
    if latencies:
        result.p50, result.p99 = latencies[len(latencies) // 2], latencies[int(len(latencies) * 0.99)]
    return result


async def _pass(run: Run, seconds: float, answers: int) -> None:
    """So many seconds; longer where a slow target has not given so many more answers yet (not for streams)."""
    run.goal = 0 if run.spec.streaming else run.result.answered_total + answers
    run.reached.clear()
    last = time.perf_counter() + run.spec.longest
    await asyncio.sleep(seconds)
    if run.result.answered_total < run.goal:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(last - time.perf_counter()):
                await run.reached.wait()


async def _stop(run: Run, connections: list[Connection]) -> None:
    run.sending = False
    if run.open:
        # At one connection it was set after every answer.
        run.all_answered.clear()
        try:
            async with asyncio.timeout(_GRACE):
                await run.all_answered.wait()
        except TimeoutError:
            run.fail(f"{run.open} requests unanswered after {_GRACE:.0f} s")
    for connection in connections:
        connection.abort()


async def hold(spec: LoadSpec) -> LoadResult:
    """Opens everything, says so by the result, and keeps it open until a line comes in."""
    run = Run(spec)
    run.sending = False
    connections = await _connect(run)
    for connection in connections:
        connection.send()
    async with asyncio.timeout(60):
        await run.all_begun.wait()
    print(msgspec.json.encode(run.result).decode(), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    for connection in connections:
        connection.abort()
    return run.result


def main() -> None:
    spec = msgspec.json.decode(sys.stdin.readline(), type=LoadSpec)
    result = uvloop.run(hold(spec) if spec.hold else measure(spec))
    print(msgspec.json.encode(result).decode(), flush=True)


if __name__ == "__main__":
    main()
