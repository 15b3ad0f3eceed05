"""`python -m benchmarks.ledger.recording`: what recording one request costs, in µs of the whole process's CPU.

Each step is done for groups of requests, round after round, and the cheapest round counts: what else the machine does
can only add to it.
"""

import argparse
import asyncio
import gc
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from orchestra_core.clock import SystemClock
from orchestra_core.domain.call import Requirements, Task
from orchestra_core.domain.decision import Candidate, Decision
from orchestra_core.storage.journal.reading import Batch, Reading
from orchestra_core.storage.journal.writing import Journal
from orchestra_core.storage.ledger import Ledger
from orchestra_core.storage.opening import store_at
from orchestra_core.storage.store import Entry, Row

GROUP = 1024
_WHOLE = 16 * GROUP
TOGETHER, SUMS = "the same by two threads that take turns", "sums by day, some time later"
_encode = msgspec.msgpack.Encoder().encode


def candidate(number: int) -> Candidate:
    box = f"box{number}"
    values = tuple(0.1234567 * one for one in range(7))
    return Candidate(
        f"{box}/llama3:8b", "llama3:8b", box, 0.123, values, values, 1.23, 0.4, 0.9, 0.2, 0.03, 123.4, 0.0003
    )


def decision(candidates: int) -> Decision:
    ranked = tuple(map(candidate, range(candidates)))
    return Decision("dec-18f3a-000001", Task.CONVERSATION, True, 70, Requirements(), ranked, (), None, 1.5)


def ended(number: int) -> Row:
    """As the completion of a plain request makes it."""
    return (
        *(f"req-18f3a-{number:06x}", 1.7e9 + number / 1000, "openai", "chat", "conversation", 1, "auto"),
        *("llama3:8b", "box0", "success", 200, 0, 70, 16, 0, 0, 0.123, 12.5, 20.1, 1, 0.0, 0),
        *(f"dec-18f3a-{number:06x}", "", "127.0.0.1", 738_839, "", "low", 0.0, None, None, "", None, 0),
    )


def begun(number: int) -> Row:
    return (
        *(f"req-18f3a-{number:06x}", 1.7e9 + number / 1000, "127.0.0.1", "conversation", "auto", "llama3:8b"),
        *("box0", "openai", "chat", 1, 0, 70, f"dec-18f3a-{number:06x}", 738_839, None, ""),
    )


class Costs:
    """The cheapest of all rounds for each step, in seconds."""

    def __init__(self) -> None:
        self.least: dict[str, float] = {}

    @contextmanager
    def of(self, step: str, requests: int = GROUP) -> Iterator[None]:
        start = time.process_time()
        yield
        spent = (time.process_time() - start) / requests
        self.least[step] = min(spent, self.least.get(step, spent))


def steps(place: Path, candidates: int, rounds: int, costs: Costs) -> None:
    """One thread, one step after the other."""
    store = store_at(f"sqlite:///{place}/steps.db").store
    store.open(time.time())
    journal = Journal(place / "steps", SystemClock(), changed=lambda: None, found=print)
    journal.open()
    reading = Reading(journal)
    why = decision(candidates)
    for turn in range(rounds):
        numbers = range(turn * GROUP, (turn + 1) * GROUP)
        begins, ends = list(map(begun, numbers)), list(map(ended, numbers))
        with costs.of("encode the decision"):
            decided = [_encode(why) for _ in numbers]
        with costs.of("note that it began"):
            for begin in begins:
                journal.begin(begin)
        with costs.of("note that it ended"):
            for end, body in zip(ends, decided, strict=True):
                journal.end(Entry(end, (), body))
        batches = list[Batch]()
        with costs.of("take both over"):
            while (batch := reading.take(GROUP)) is not None:
                batches.append(batch)
                reading.settle(batch)
        with costs.of("store"):
            for batch in batches:
                store.write(batch.entries, batch.mark)
        with costs.of(SUMS):
            while store.upkeep(time.time()):
                pass
    store.close()


def together(place: Path, candidates: int, costs: Costs) -> None:
    """As the engine does it: the event loop's part in this thread, the writer's beside it."""
    ledger = Ledger(f"sqlite:///{place}/together.db", journal=place / "together")
    ledger.open()
    ledger.record(ended(_WHOLE))
    ledger.flush()
    why = decision(candidates)
    numbers = range(_WHOLE)
    begins, ends = list(map(begun, numbers)), list(map(ended, numbers))
    with costs.of(TOGETHER, _WHOLE):
        for number in numbers:
            ledger.begin(begins[number])
            ledger.record(ends[number], (), _encode(why))
            if number % GROUP == 0:
                ledger.wait_settled(number - 4 * GROUP, 10)
        assert ledger.flush()
    assert ledger.stats().written == _WHOLE + 1
    asyncio.run(ledger.close())


def measure(candidates: int, rounds: int) -> dict[str, float]:
    costs = Costs()
    # As the engine does.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="ledger-", dir=Path.cwd()) as place:
            steps(Path(place), candidates, 8, costs)
            together(Path(place), candidates, costs)
    return costs.least


def report(costs: dict[str, float]) -> None:
    later = {name: costs.pop(name) for name in (TOGETHER, SUMS)}
    print("| step | µs |\n|---|---|")
    for step, seconds in (*costs.items(), ("**all of it**", sum(costs.values())), *later.items()):
        print(f"| {step} | {seconds * 1e6:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--candidates", type=int, default=2, help="endpoints the decision was between")
    asked = parser.parse_args()
    report(measure(asked.candidates, asked.rounds))


if __name__ == "__main__":
    main()
