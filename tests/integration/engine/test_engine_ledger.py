"""Every request that was planned is one row of the ledger, whatever became of it."""

import json
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestra_core.storage.tables import RequestRow
from tests.fakes.engine_process import EngineProcess, FleetProcess
from tests.fakes.outside import wait_outside
from tests.integration.engine.test_engine_faults import FRAMED, leaving

MODEL = "sim-small:1b"


# A cut stream ends where it is cut.
ALONE = "[resilience]\ncontinuation = false\n"


def rows(engine: EngineProcess, table: str = "requests") -> list[dict[str, Any]]:
    """The table as another program reads it, oldest first."""
    file = engine.home / ".local/share/ai-orchestra/orchestra.db"
    if not file.exists():
        return []
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5)) as database:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [table]).fetchall():
            return []
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute(f"SELECT * FROM {table} ORDER BY 1, 2")]


def test_each_outcome_is_recorded_with_its_facts(mended: FleetProcess) -> None:
    """Whole, streamed, native, embedded, failed over, cut and cancelled: one row each, read after SIGTERM."""
    began = time.time()
    with EngineProcess(mended.config(weights={"sim-second": 1000}, more=ALONE)) as engine:
        asked = [engine.chat(model=MODEL, max_tokens=5)]
        asked.append(engine.chat(max_tokens=5, stream=True))
        asked.append(
            engine.post("/api/v1/route", {"prompt": "Write a poem.", "max_tokens": 5, "task": "creative"})
        )
        asked.append(engine.post("/v1/embeddings", {"model": "auto", "input": "a text"}))
        mended.fault("sim-second", "error")
        asked.append(engine.chat(model=MODEL, max_tokens=5))
        mended.fault("sim-second", "cut", after_tokens=4)
        asked.append(engine.chat(model=MODEL, stream=True))
        mended.fault("sim-second", "slow", factor=3000)
        with leaving(engine, FRAMED):
            mended.busy("sim-second", 1)
        engine.until(lambda now: now["totals"]["cancelled"] == 1)
        mended.repair()
        totals = engine.snapshot()["totals"]
        assert engine.stop() == 0
        found, attempts = rows(engine), rows(engine, "attempts")
    assert len(found) == 7 == totals["requests"]
    assert set(found[0]) == {"seq", *RequestRow.model_fields}
    assert [row["id"] for row in found[:6]] == [answer.headers["x-request-id"] for answer in asked]
    assert [row["verdict"] for row in found] == [*["success"] * 5, "interrupted", "cancelled"]
    assert [row["surface"] for row in found] == ["openai", "openai", "native", *["openai"] * 4]
    assert [row["kind"] for row in found] == ["chat", "chat", "chat", "embedding", "chat", "chat", "chat"]
    assert [row["model_asked"] for row in found] == [MODEL, "auto", "auto", "auto", MODEL, MODEL, MODEL]
    assert [row["streamed"] for row in found] == [0, 1, 0, 0, 0, 1, 1]
    assert [row["backend"] for row in found[:6]] == [
        answer.headers["x-orchestra-backend"] for answer in asked
    ]
    assert [row["model_served"] for row in found[:6]] == [
        answer.headers["x-orchestra-model"] for answer in asked
    ]
    assert [row["task"] for row in found[2:4]] == ["creative", "embedding"]
    assert [row["task_inferred"] for row in found[2:4]] == [0, 0]
    assert [row["tokens_out"] for row in found[:6]] == [5, 5, 5, 0, 5, found[5]["tokens_out"]]
    assert found[0]["tokens_in"] == asked[0].json()["usage"]["prompt_tokens"]
    assert found[3]["tokens_in"] == 2
    assert {row["day"] for row in found} == {
        datetime.fromtimestamp(row["at"], UTC).date().toordinal() for row in found
    }
    assert {row["tier_served"] for row in found} <= {"low", "medium", "high"}
    assert [row["tokens_estimated"] for row in found[:6]] == [0, 0, 0, 0, 0, 1]
    assert [row["attempts"] for row in found[:6]] == [1, 1, 1, 1, 2, 1]
    assert [row["cost"] for row in found[:5]] == [0.0] * 5
    for row in found:
        assert began - 1 < row["at"] < time.time() + 1
        assert row["total_ms"] > 0
        assert row["decision_id"]
        assert row["degraded"] == 0
    for row in (found[1], found[5]):
        assert 0 < row["first_token_ms"] <= row["total_ms"]
    assert found[0]["error"] in (None, "")
    assert "the connection was" in found[5]["error"]  # closed or lost, as the kernel says it
    assert "connection was" in found[5]["error"]
    assert [(one["request_id"], one["n"], one["endpoint"], one["verdict"]) for one in attempts] == [
        (found[4]["id"], 1, f"sim-second/{MODEL}", "failed"),
        (found[4]["id"], 2, f"sim-small/{MODEL}", "success"),
    ]
    assert attempts[0]["message"] == "simulated error"


def test_rows_can_be_read_while_the_engine_runs(pair: EngineProcess) -> None:
    """They are written in groups, within moments, and other programs may read at any time."""
    ids = [pair.chat(model=MODEL, max_tokens=2).headers["x-request-id"] for _ in range(20)]
    # Another process writes them.
    wait_outside(lambda: len(rows(pair)) >= len(ids), f"{len(ids)} rows", 10)
    assert [row["id"] for row in rows(pair)] == ids


def test_no_client_keeps_a_request_out_of_the_ledger(pair: EngineProcess) -> None:
    """By an id that was there before, or by one that the engine would give next: each is a row, under our id."""
    first = pair.chat(model=MODEL, max_tokens=2).headers["x-request-id"]
    start, number = first.rsplit("-", 1)
    for claimed in ("mine", "mine", first, *(f"{start}-{int(number, 16) + ahead:06x}" for ahead in range(9))):
        assert pair.post(
            "/v1/chat/completions", {**FRAMED, "stream": False, "max_tokens": 1}, x_request_id=claimed
        ).is_success
    assert pair.stop() == 0
    assert len({row["id"] for row in rows(pair)}) == len(rows(pair)) == 13


def test_nothing_is_lost_by_sigterm_right_after_the_answer(pair: EngineProcess) -> None:
    """A hundred answers, then at once the signal: a hundred rows."""
    client = pair.tcp
    for _ in range(100):
        assert client.post(
            "/v1/chat/completions", json={**FRAMED, "stream": False, "max_tokens": 1}
        ).is_success
    assert pair.stop() == 0
    assert len(rows(pair)) == 100


def test_an_engine_that_is_killed_leaves_a_ledger_that_can_be_used(mended: FleetProcess) -> None:
    """After SIGKILL the file is sound, and the next engine goes on in it."""
    first = EngineProcess(mended.config())
    try:
        first.start()
        assert first.chat(model=MODEL, max_tokens=2).is_success
        wait_outside(lambda: rows(first), "row of another process", 10)
        first.kill()
        with EngineProcess(mended.config(), home=first.home) as second:
            assert second.chat(model=MODEL, max_tokens=2).is_success
        assert len({row["id"] for row in rows(first)}) == 2
    finally:
        first.close()


def test_requests_that_could_not_be_planned_are_not_requests(pair: EngineProcess) -> None:
    """Malformed and unknown things are answered and forgotten: the ledger is of inference."""
    assert pair.chat(model="nope").status_code == 404
    assert pair.post("/v1/chat/completions", {}).status_code == 400
    assert pair.chat(model=MODEL, max_tokens=2).is_success
    assert pair.stop() == 0
    assert len(rows(pair)) == 1


def test_no_prompt_and_no_answer_is_kept(mended: FleetProcess) -> None:
    """The ledger and the log know of a request what it cost, never what was said."""
    secret = "xyzzy-4711-secret"
    with EngineProcess(mended.config(), "--log-level", "debug") as engine:
        assert engine.chat(secret, model=MODEL, max_tokens=20).is_success
        assert engine.stop() == 0
        log = engine.log.text
        assert "request" in log or "backend.up" in log
        assert secret not in log
        assert "simulated:" not in log
        assert secret not in json.dumps(rows(engine))


def test_a_ledger_that_cannot_be_opened_ends_the_start(tmp_path: Path) -> None:
    """Exit code 1, the path, the reason and the setting to change."""
    file = tmp_path / "file"
    file.write_text("not a directory")
    engine = EngineProcess(f'[discovery]\nenabled = false\n[storage]\nurl = "sqlite:///{file}/x.db"\n')
    try:
        engine.launch()
        assert engine.wait() == 1
        assert f"{file}/x.db: Not a directory; choose a writable place with storage.url" in engine.log.text
    finally:
        engine.close()


def test_a_ledger_that_somebody_locks_delays_rows_and_no_answer(pair: EngineProcess) -> None:
    """Inference does not wait for bookkeeping: health says so meanwhile, and afterwards every row is there."""
    assert pair.chat(model=MODEL, max_tokens=2).is_success
    file = pair.home / ".local/share/ai-orchestra/orchestra.db"
    with closing(sqlite3.connect(file, isolation_level=None, timeout=10)) as locker:
        locker.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        assert pair.chat(model=MODEL, max_tokens=2).is_success
        assert time.monotonic() - began < 1
        snapshot = pair.until(lambda now: now["database"] != "connected", seconds=30)
        assert snapshot["database"].startswith("unavailable")
        health = pair.get("/health").json()
        assert (health["status"], health["services"]["database"]) == ("degraded", "unavailable")
        locker.execute("ROLLBACK")
    pair.until(lambda now: now["database"] == "connected", seconds=30)
    assert pair.get("/health").json()["status"] == "healthy"
    assert pair.stop() == 0
    assert len(rows(pair)) == 2
