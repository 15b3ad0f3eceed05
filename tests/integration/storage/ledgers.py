"""Rows, ledgers on files of their own, and what they said: for the tests of the ledger."""

import contextlib
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from sqlmodel import SQLModel

from orchestra_core.storage.journal.bounds import Bounds
from orchestra_core.storage.ledger import Ledger
from orchestra_core.storage.writer import Policy

PATIENCE = 20.0

QUICK = Policy(window=0.0, busy_timeout=0.01, retry_first=0.005, retry_longest=0.02)


def request(number: int, **changes: object) -> tuple[object, ...]:
    row: dict[str, object] = {
        "id": f"req-{number:08d}",
        "at": 1_700_000_000.0 + number,
        "surface": "openai",
        "kind": "chat",
        "task": "conversation",
        "task_inferred": True,
        "model_asked": "auto",
        "model_served": "stub-model",
        "backend": "stub",
        "verdict": "success",
        "status": 200,
        "streamed": False,
        "tokens_in": 70,
        "tokens_out": 16,
        "tokens_cached": 0,
        "tokens_estimated": False,
        "queued_ms": 0.1,
        "first_token_ms": 12.5,
        "total_ms": 20.0,
        "attempts": 1,
        "cost": 0.5,
        "degraded": False,
        "decision_id": f"dec-{number}",
        "error": None,
        "key": "",
        "day": 738_839,
        "tier_asked": "",
        "tier_served": "low",
        "loading_ms": 0.0,
        "cost_best": None,
        "cost_first": None,
        "cache": "",
        "saved": None,
        "continued": False,
    }
    return tuple((row | changes).values())


def attempt(number: int, n: int = 1) -> tuple[object, ...]:
    return (f"req-{number:08d}", n, "stub/stub-model", "success", 200, 0.02, 0.012, 70, 16, "", 0.25, 0)


def values(row: SQLModel) -> tuple[object, ...]:
    return tuple(getattr(row, name) for name in type(row).model_fields)


class Place:
    """A database: its URL, a connection that the ledger knows nothing of, and a place for the journal before it."""

    def __init__(self, url: str, outside: Any, journal: Path) -> None:
        self.url = url
        self.outside = outside
        self.journal = journal

    def rows(self, sql: str) -> list[Any]:
        return list(self.outside.execute(sql).fetchall())

    def count(self, table: str = "requests") -> int:
        return int(self.rows(f"SELECT count(*) FROM {table}")[0][0])


class Problems:
    """Collects what the ledger says and lets a test wait for it."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self._changed = threading.Condition()

    def __call__(self, problem: str) -> None:
        with self._changed:
            self.said.append(problem)
            self._changed.notify_all()

    def wait(self, wanted: Callable[[str], bool]) -> str:
        with self._changed:
            assert self._changed.wait_for(lambda: any(map(wanted, self.said)), PATIENCE), self.said
            return next(filter(wanted, self.said))


@contextlib.asynccontextmanager
async def opened(
    at: Path | Place, policy: Policy = QUICK, problems: Problems | None = None, bounds: Bounds | None = None
) -> AsyncIterator[Ledger]:
    url, journal = (at.url, at.journal) if isinstance(at, Place) else (f"sqlite:///{at}", None)
    told = problems or Problems()
    ledger = Ledger(url, on_problem=told, policy=policy, bounds=bounds, journal=journal)
    ledger.open()
    try:
        yield ledger
    finally:
        await ledger.close(1.0)


def stored(path: Path, table: str = "requests") -> int:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def run(script: str, path: Path) -> subprocess.CompletedProcess[str]:
    """A process of its own, for what a test cannot do to itself: be killed, lose rights, run out of disk."""
    command = [sys.executable, "-c", script, f"sqlite:///{path}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
