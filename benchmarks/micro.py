"""`python -m benchmarks.micro`: what single steps of the data plane cost, one core, no sockets.

Each number is the median of several batches of calls in CPU time of this process.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from benchmarks.foresight import MODELS, looking_ahead
from benchmarks.ledger.recording import ended
from benchmarks.planning import planning
from benchmarks.stub import MODEL, stream
from benchmarks.targets import body
from orchestra_core.domain.call import Kind
from orchestra_core.domain.catalog import BackendKind, Endpoint, ModelInfo
from orchestra_core.routing.analyzer import analyze
from orchestra_core.routing.capability import BackendFacts, describe
from orchestra_core.routing.selector import decide
from orchestra_core.storage.ledger import Ledger
from orchestra_core.wire.openai.requests import read_chat, render_request
from orchestra_core.wire.openai.streams import Relay, StreamReader

Step = tuple[str, int, Callable[[], object]]
_BATCHES = 7


def endpoints(count: int) -> list[Endpoint]:
    """As many endpoints of various sizes, each on a backend of its own."""
    sizes = (1, 3, 8, 14, 32, 70)
    found = []
    for number in range(count):
        billions = sizes[number % len(sizes)]
        facts = BackendFacts(name=f"box{number}", kind=BackendKind.OPENAI, slots=8, weight=1.0, rtt=0.001)
        info = ModelInfo(f"llama3:{billions}b", parameters=billions * 10**9, context=32_768)
        found.append(Endpoint(describe(facts, info, None)))
    return found


def data_plane() -> Iterator[Step]:
    """Name, how many things one call handles, and the call."""
    request = body("auto").encode()
    call = read_chat(request, "req-1", 0.0)
    yield "read a chat request", 1, lambda: read_chat(request, "req-1", 0.0)
    yield "analyse it", 1, lambda: analyze(call)
    yield "render it for a backend", 1, lambda: render_request(call, MODEL, stream=True)
    profile = analyze(call)
    for count in (1, 10, 100):
        candidates = endpoints(count)
        assert decide(profile, candidates, 0.0, "dec-1").ranked, "no endpoint can serve the call"
        yield f"decide between {count}", 1, partial(decide, profile, candidates, 0.0, "dec-1")
    yield from _streams()
    yield f"look ahead, {MODELS} models", 1, looking_ahead()
    yield from planning()


def _streams() -> Iterator[Step]:
    chunks = 256
    # Without the HTTP chunk framing, as the parser hands them over.
    events = [write.partition(b"\r\n")[2].removesuffix(b"\r\n") for write in stream(chunks)[:-1]]

    def relay() -> None:
        scanner = Relay(keep_usage=False)
        for event in events:
            scanner.feed(event)

    def read() -> None:
        reader = StreamReader(Kind.CHAT)
        for event in events:
            reader.feed(event)

    yield "relay one streamed event", len(events), relay
    yield "decode one streamed event", len(events), read


def cost(step: Callable[[], object], handled: int) -> float:
    """CPU µs for each thing handled; the batch is sized to some 30 ms."""
    repeats = 1
    while _spent(step, repeats) < 0.03:
        repeats *= 2
    return statistics.median(_spent(step, repeats) for _ in range(_BATCHES)) / repeats / handled * 1e6


def _spent(step: Callable[[], object], repeats: int) -> float:
    start = time.process_time()
    for _ in range(repeats):
        step()
    return time.process_time() - start


async def ledger(rows: int = 20_000) -> tuple[float, float]:
    """µs of the event loop's time per `record`, and CPU µs of the whole process per row written."""
    with tempfile.TemporaryDirectory(prefix="micro-") as place:
        book = Ledger(f"sqlite:///{Path(place)}/ledger.db")
        book.open()
        entries = [ended(number) for number in range(rows)]
        start, on_loop = time.process_time(), 0.0
        for first in range(0, rows, 200):
            begun = time.thread_time()
            for entry in entries[first : first + 200]:
                book.record(entry)
            on_loop += time.thread_time() - begun
            # Paced by the writer, or the rows beyond the bound would be dropped.
            book.wait_settled(first - 1000, 10)
        book.flush()
        spent = time.process_time() - start
        assert book.stats().written == rows, book.stats()
        await book.close()
    return on_loop / rows * 1e6, spent / rows * 1e6


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.micro", description=__doc__)
    parser.parse_args()
    for name, handled, step in data_plane():
        print(f"{name:28} {cost(step, handled):8.2f} µs", flush=True)
    recorded, written = asyncio.run(ledger())
    print(f"{'record in the ledger':28} {recorded:8.2f} µs on the event loop, {written:.2f} µs in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
