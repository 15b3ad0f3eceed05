"""The load generator of one run, a process of its own: `python -m benchmarks.availability.client`.

Says that it is ready, reads an `Order` as one line of JSON on standard input, offers the requests of that seed, prints
a `Run`.
"""

import asyncio
import contextlib
import sys
import time
from collections import Counter

import msgspec
import uvloop

from benchmarks.answers import wrong_with
from benchmarks.availability.experiment import Arrival, Load, arrivals
from benchmarks.availability.strategies import MAKE, Strategy
from benchmarks.open_loop import Reply, quantile, send_when_due

# Of one reason in one run: at ten times capacity a thousand refusals say no more than these. The others are counted.
_LISTED = 400
_REFUSED = (429, 503)
READY = "ready"


class Order(msgspec.Struct, frozen=True):
    """`begin` is a second of the monotonic clock; `ports` what the strategy asks, the first backend first."""

    strategy: str
    seed: int
    load: Load
    model: str
    ports: tuple[int, ...]
    begin: float


class Failure(msgspec.Struct, frozen=True):
    """A request without a complete answer: when it was due, after how many seconds it ended, and how."""

    id: str
    at: float
    seconds: float
    stream: bool
    why: str
    detail: str


class Run(msgspec.Struct):
    """One seed with one strategy. Latencies and lateness of sending in seconds; `refused` with 429 or 503.

    `good_meanwhile` ended while load was still offered: the others say what the queue held, not how fast it went.
    `failures` are all that were not good, but for the `unlisted` ones, of whose reason there are very many.
    """

    strategy: str
    seed: int
    offered: int = 0
    good: int = 0
    good_meanwhile: int = 0
    streamed: int = 0
    streamed_good: int = 0
    seconds: float = 0.0
    p50: float = 0.0
    p99: float = 0.0
    refused: int = 0
    refused_p99: float = 0.0
    lag_p99: float = 0.0
    lag_max: float = 0.0
    reasons: dict[str, int] = {}
    failures: list[Failure] = []
    unlisted: int = 0

    @property
    def availability(self) -> float:
        return self.good / self.offered if self.offered else 0.0


class Generator:
    def __init__(self, order: Order) -> None:
        self._order = order
        self._ask: Strategy = MAKE[order.strategy](order.ports, order.seed)
        self._due = arrivals(order.load, order.seed)
        self._latencies: list[float] = []
        self._refusals: list[float] = []
        self._reasons: Counter[str] = Counter()
        self.run = Run(order.strategy, order.seed, offered=len(self._due))

    async def measure(self) -> Run:
        run = self.run
        late = await send_when_due(self._order.begin, [one.at for one in self._due], self._send)
        run.seconds = time.monotonic() - self._order.begin
        run.p50, run.p99 = quantile(self._latencies, 0.5), quantile(self._latencies, 0.99)
        run.refused, run.refused_p99 = len(self._refusals), quantile(self._refusals, 0.99)
        run.lag_p99, run.lag_max = quantile(late, 0.99), max(late, default=0.0)
        run.reasons = dict(self._reasons.most_common())
        return run

    async def _send(self, number: int, due: float) -> None:
        order, arrival, reply = self._order, self._due[number], Reply()
        body, end = arrival.body(order.model), due + order.load.deadline
        late = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(end - time.monotonic()):
                left = end - time.monotonic()
                await self._ask(arrival.id, body, arrival.stream, left, reply)
                late = False
        self._judge(arrival, reply, time.monotonic() - due, late)

    def _judge(self, arrival: Arrival, reply: Reply, seconds: float, late: bool) -> None:
        run = self.run
        self._latencies.append(min(seconds, self._order.load.deadline))
        run.streamed += arrival.stream
        if reply.complete and reply.status in _REFUSED:
            self._refusals.append(seconds)
        why, detail = self._wrong(arrival, reply, late or seconds > self._order.load.deadline)
        if not why:
            run.good += 1
            run.good_meanwhile += arrival.at + seconds <= self._order.load.seconds
            run.streamed_good += arrival.stream
            return
        reason = f"{why}{', streamed' if arrival.stream else ''}"
        self._reasons[reason] += 1
        if self._reasons[reason] > _LISTED:
            run.unlisted += 1
        else:
            run.failures.append(
                Failure(arrival.id, round(arrival.at, 3), round(seconds, 3), arrival.stream, why, detail)
            )

    def _wrong(self, arrival: Arrival, reply: Reply, late: bool) -> tuple[str, str]:
        """Why this is not the complete valid answer, in few words and in detail; empty if it is."""
        said = reply.body[-200:].decode("utf-8", "replace")
        if late:
            return f"deadline, {'some' if reply.body else 'no'} text", said[-120:]
        if not reply.complete:
            return f"{reply.lost}, {'some' if reply.body else 'no'} text", said[-120:]
        if reply.status != 200:
            return f"status {reply.status}", said
        text = arrival.expected(self._order.model)
        wrong = wrong_with(reply.body, stream=arrival.stream, text=text, finish="length")
        return (wrong.partition(":")[0], wrong) if wrong else ("", "")


def main() -> None:
    print(READY, flush=True)
    order = msgspec.json.decode(sys.stdin.readline(), type=Order)
    run = uvloop.run(Generator(order).measure())
    # Where output is unbuffered, `print` leaves the rest of a long line out when a pipe takes only a part at once.
    with open(sys.stdout.fileno(), "wb", closefd=False) as out:
        out.write(msgspec.json.encode(run) + b"\n")


if __name__ == "__main__":
    main()
