"""`python -m benchmarks.ledger.queries`: how fast a ledger of ten million requests answers, on SQLite.

Makes the ledger (about 3 GB, ten minutes of which most is sums), then asks every question a surface can ask, each
several times on connections of their own, as the engine does. `--keep FILE` keeps it for another run.
"""

import argparse
import contextlib
import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

from orchestra_core.accounting.listing import Wanted
from orchestra_core.accounting.usage import By, UsageQuery
from orchestra_core.storage.opening import store_at
from orchestra_core.storage.queries import Queries
from orchestra_core.storage.rollups import STEP_ROWS, fold
from orchestra_core.storage.store import Store
from orchestra_core.storage.tables import RequestRow

ROWS = 10_000_000
DAYS = 365
LAST = date(2026, 11, 23).toordinal()
_EPOCH = 719_163
_GROUP = 200_000
# Requests that came in the seconds before: they are in no sum yet.
_FRESH = 2_000
_REPEATS = 5
_STEPS = 12
Question = tuple[str, Callable[[Queries], object]]


def _some(top: int) -> str:
    return f"(abs(random()) % {top})"


def _skewed(top: int) -> str:
    """Small numbers are more frequent, as of keys and models they are."""
    return f"min({_some(top)}, {_some(top)}, {_some(top)})"


def _columns() -> dict[str, str]:
    """SQL for every column of the i-th request; time passes evenly over the days."""
    at = f"{(LAST - DAYS + 1 - _EPOCH) * 86_400.0} + i * {DAYS * 86_400.0} / :rows"
    return {
        "id": "printf('req-%012d', i)",
        "at": at,
        "surface": "'openai'",
        "kind": "'chat'",
        "task": f"'task_' || {_skewed(8)}",
        "task_inferred": "1",
        "model_asked": "'auto'",
        "model_served": f"'model-' || {_skewed(20)}",
        "backend": f"'backend-' || {_skewed(6)}",
        "verdict": f"CASE {_some(200)} WHEN 0 THEN 'timeout' WHEN 1 THEN 'failed' WHEN 2 THEN 'cancelled'"
        " ELSE 'success' END",
        "status": "200",
        "streamed": "i % 2",
        "tokens_in": f"20 + {_some(3000)}",
        "tokens_out": f"1 + {_some(800)}",
        "tokens_cached": "0",
        "tokens_estimated": "0",
        "queued_ms": f"{_some(1000)} / 100.0",
        "first_token_ms": f"20.0 + {_skewed(4000)}",
        "total_ms": f"50.0 + {_skewed(60_000)}",
        "attempts": f"1 + ({_some(50)} = 0)",
        "cost": f"CASE {_some(20)} WHEN 0 THEN NULL ELSE {_some(10_000)} / 1e6 END",
        "degraded": f"{_some(100)} = 0",
        "decision_id": "printf('dec-%012d', i)",
        "error": "NULL",
        "key": f"'key-' || {_skewed(200)}",
        "day": f"{_EPOCH} + CAST(({at}) / 86400 AS INTEGER)",
        "tier_asked": f"CASE {_some(3)} WHEN 0 THEN '' WHEN 1 THEN 'low' ELSE 'high' END",
        "tier_served": f"CASE {_some(3)} WHEN 0 THEN 'low' WHEN 1 THEN 'medium' ELSE 'high' END",
        "loading_ms": "0.0",
        "cost_best": f"{_some(20_000)} / 1e6",
        "cost_first": f"{_some(20_000)} / 1e6",
        "cache": f"CASE {_some(30)} WHEN 0 THEN 'hit' ELSE '' END",
        "saved": "NULL",
        "continued": "0",
    }


def fill(file: Path, rows: int) -> None:
    """Requests that differ in everything sums are told apart by, and their sums."""
    store, reader = store_at(f"sqlite:///{file}")
    store.open(0.0)
    columns = _columns()
    assert list(columns) == list(RequestRow.model_fields)
    insert = (
        "WITH RECURSIVE n(i) AS (SELECT :low UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :high)"
        f" INSERT INTO requests ({', '.join(columns)}) SELECT {', '.join(columns.values())} FROM n"
    )
    begun = time.perf_counter()
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        for low in range(0, rows - _FRESH, _GROUP):
            high = min(low + _GROUP, rows - _FRESH)
            connection.execute(insert, {"low": low, "high": high, "rows": rows})
        print(f"{rows:,} requests written in {time.perf_counter() - begun:.0f} s", flush=True)
        _sum(store)
        connection.execute(insert, {"low": rows - _FRESH, "high": rows, "rows": rows})
    store.close()
    print(f"{reader.size() / 1e9:.2f} GB")


def _sum(store: Store) -> None:
    """Some steps as the engine makes them, to see what they cost; the rest in larger ones, for they cost less."""
    cpu = time.process_time()
    for _ in range(_STEPS):
        store.upkeep(0.0)
    cpu = (time.process_time() - cpu) / (_STEPS * STEP_ROWS)
    print(f"sums: {cpu * 1e6:.1f} µs of CPU a request, in the writer's thread", flush=True)
    while store.run(lambda connection: fold(connection, _GROUP)):
        pass
    while store.upkeep(0.0):
        pass


def questions(rows: int) -> Iterator[Question]:
    """Each that the usage report, suggestions, budgets, listing and explain ask."""
    month = LAST - 29

    def usage(name: str, query: UsageQuery) -> Question:
        return name, lambda queries: queries.usage(query)

    for by in (By.MODEL, By.TASK, By.KEY, By.BACKEND, By.DAY):
        yield usage(f"usage by {by}, the whole year", UsageQuery((by,)))
        yield usage(f"usage by {by}, 30 days", UsageQuery((by,), since=month))
    yield usage(
        "usage by model, from a Tuesday to a Thursday", UsageQuery((By.MODEL,), LAST - 333, LAST - 30)
    )
    yield usage("usage of one key by model, the whole year", UsageQuery((By.MODEL,), where={By.KEY: "key-7"}))
    yield usage("usage of one key by day, the whole year", UsageQuery((By.DAY,), where={By.KEY: "key-7"}))
    yield usage(
        "usage of one model by key, the whole year", UsageQuery((By.KEY,), where={By.MODEL: "model-3"})
    )
    yield usage(
        "usage of one task by model, the whole year", UsageQuery((By.MODEL,), where={By.TASK: "task_1"})
    )
    yield usage("usage by model and day, 30 days", UsageQuery((By.DAY, By.MODEL), since=month))
    yield usage("usage by key and model, 30 days", UsageQuery((By.KEY, By.MODEL), since=month))
    tiers = (By.TIER_ASKED, By.TIER_SERVED, By.MODEL, By.TASK)
    yield usage("tiers asked and served (suggestions), 30 days", UsageQuery(tiers, since=month))
    yield (
        "spent by one key this month (budgets)",
        lambda queries: queries.spent(month, where={By.KEY: "key-7"}),
    )
    yield "spent this year (budgets)", lambda queries: queries.spent(LAST - DAYS)
    yield "requests, newest page", lambda queries: queries.page(Wanted())
    yield "requests of a rare key, newest page", lambda queries: queries.page(Wanted(key="key-190"))
    yield "requests that failed, newest page", lambda queries: queries.page(Wanted(failed=True))
    yield "requests of a key that is not there, one page", lambda queries: queries.page(Wanted(key="nobody"))
    yield "one request with its attempts", lambda queries: queries.recorded(f"req-{rows // 2:012d}")


def ask(file: Path, rows: int) -> None:
    """Prints a row of a table for each question. Of the time that passes, what others do to the machine is a part."""
    queries = Queries(store_at(f"sqlite:///{file}").reader)
    print("| question | CPU, ms | median, ms | nothing cached, ms |\n|---|---|---|---|")
    for name, question in questions(rows):
        _forget(file)
        times = [_timed(question, queries) for _ in range(1 + _REPEATS)]
        cpu, passed = (statistics.median(each) for each in zip(*times[1:], strict=True))
        print(f"| {name} | {cpu:.0f} | {passed:.0f} | {times[0][1]:.0f} |", flush=True)


def _timed(question: Callable[[Queries], object], queries: Queries) -> tuple[float, float]:
    """CPU and time that passed, in milliseconds."""
    cpu, begun = time.process_time(), time.perf_counter()
    question(queries)
    return 1000 * (time.process_time() - cpu), 1000 * (time.perf_counter() - begun)


def _forget(file: Path) -> None:
    """Asks the system to drop what it has cached of the file."""
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--keep", type=Path, help="the file to make, or to ask again if it is there")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as place:
        file = (asked.keep or Path(place) / "ledger.db").absolute()
        if not file.exists():
            fill(file, asked.rows)
        ask(file, asked.rows)


if __name__ == "__main__":
    main()
