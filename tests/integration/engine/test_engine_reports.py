"""What an engine tells of its ledger: usage, pages of requests, one request with its decision, to whom it may."""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from orchestra_core.accounting.listing import Page, Wanted
from orchestra_core.accounting.usage import UsageQuery
from orchestra_core.domain.decision import Decision
from orchestra_core.domain.errors import Unavailable
from orchestra_core.engine.reports import Reports
from orchestra_core.routing.catalog import Catalog
from orchestra_core.routing.explain import explain
from orchestra_core.routing.whatif import whatif
from orchestra_core.storage.ledger import Ledger
from tests.fakes.chaos import ChaosBackend
from tests.fakes.chaos_steps import refusal, wait, well
from tests.fakes.engine_here import EngineHere
from tests.fakes.engine_process import EngineProcess, FleetProcess
from tests.integration.engine.keyed import ADMIN, CHAT, MODEL, OPERATE, USE, ask
from tests.integration.storage.ledgers import request

PRICED = '[models.m]\nmemory = "4GB"\ncost_per_million_input = 1000.0\ncost_per_million_output = 2000.0\n'


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[tuple[EngineHere, ChaosBackend]]:
    """An engine over `first`, which it prefers, and `second`; a token in costs 0.001, a token out 0.002."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(asyncio.timeout(60))
        first, second = ChaosBackend("first", "openai"), ChaosBackend("second", "openai")
        for one in (first, second):
            one.well = well()
            await stack.enter_async_context(one)
        engine = await stack.enter_async_context(EngineHere(tmp_path, [first, second], PRICED))
        yield engine, first


async def told(engine: EngineHere, path: str) -> dict[str, Any]:
    answer = await engine.get(path)
    assert answer.status == 200, answer.text
    return dict(answer.json)


async def test_usage_counts_what_was_just_answered(pair: tuple[EngineHere, ChaosBackend]) -> None:
    """Requests, failures by kind, fallbacks, tokens and cost, as soon as the client has its answer."""
    engine, first = pair
    assert [(await engine.chat()).status for _ in range(2)] == [200] * 2
    first.script(*refusal(400, "no"))
    assert (await engine.chat()).status == 400
    first.script(*refusal(500, "out of order"))
    assert (await engine.chat()).backend == "second"

    usage = await told(engine, "/api/v1/usage?by=backend&since=today")

    by_backend = {row["backend"]: row for row in usage["rows"]}
    assert {name: row["requests"] for name, row in by_backend.items()} == {"first": 3, "second": 1}
    assert by_backend["first"]["failures"] == {"request": 1}
    assert by_backend["second"]["fallbacks"] == 1
    totals = usage["totals"]
    assert (totals["requests"], totals["successes"], totals["failed"], totals["error_rate"]) == (
        4,
        3,
        1,
        0.25,
    )
    rows = await engine.rows()
    assert totals["tokens_in"] == sum(row.tokens_in for row in rows)
    assert totals["cost"] == pytest.approx(sum(row.cost or 0.0 for row in rows))
    assert totals["cost"] > 0
    assert totals["cost_unknown_requests"] == 0
    assert totals["seconds"]["p50"]["at_most"] >= min(row.total_ms for row in rows) / 1000
    assert (usage["pending"], usage["currency"], usage["timezone"]) == (0, "USD", "UTC")
    assert {row["backend"] for row in usage["efficiency"]} == {"first", "second"}
    saved = usage["savings"]
    assert (saved["compare_with"], saved["best"]["of"], saved["first"]["requests"]) == (None, 4, 4)
    # Both places charge the same: nothing was saved, and that is known.
    assert (saved["first"]["saved"], saved["first"]["paid"]) == (
        pytest.approx(0.0),
        pytest.approx(totals["cost"]),
    )
    assert usage["savings"]["cache"] == {"hits": 0, "saved": 0.0, "unknown_requests": 0}
    assert usage["suggestions"] == []


async def test_rows_beyond_the_limit_are_counted(pair: tuple[EngineHere, ChaosBackend]) -> None:
    """They are left out of the rows and not of the totals."""
    engine, first = pair
    await engine.chat()
    await engine.chat()
    first.script(*refusal(500, "out of order"))
    await engine.chat()
    usage = await told(engine, "/api/v1/usage?by=backend&limit=1")
    assert [row["backend"] for row in usage["rows"]] == ["first"]
    assert (usage["rows_left_out"], usage["totals"]["requests"]) == (1, 3)
    filtered = await told(engine, "/api/v1/usage?by=day&key=127.0.0.1")
    assert (filtered["where"], filtered["efficiency"], filtered["suggestions"]) == (
        {"key": "127.0.0.1"},
        None,
        None,
    )
    assert filtered["totals"]["requests"] == 3


async def test_pages_lead_through_all_requests_while_more_come(pair: tuple[EngineHere, ChaosBackend]) -> None:
    """Newest first, each once; `next` is null at the end."""
    engine, _ = pair
    ids = [(await engine.chat()).headers["x-request-id"] for _ in range(5)]
    path, seen = "/api/v1/requests?limit=2", list[str]()
    for _ in range(3):
        page = await told(engine, path)
        seen += [row["id"] for row in page["requests"]]
        path = f"/api/v1/requests?limit=2&cursor={page['next']}"
        await engine.chat()
    assert seen == ids[::-1]
    assert page["next"] is None


async def test_filters_reach_the_ledger(pair: tuple[EngineHere, ChaosBackend]) -> None:
    """Failed ones alone, with what the client was told and nothing in place of what is not known."""
    engine, first = pair
    await engine.chat()
    first.script(*refusal(400, "no"))
    refused = await engine.chat()
    (row,) = (await told(engine, "/api/v1/requests?failed=true&backend=first&since=1h"))["requests"]
    assert row["id"] == refused.headers["x-request-id"]
    assert (row["verdict"], row["status"], row["model"], row["model_asked"]) == ("rejected", 400, "m", "m")
    assert (row["first_token_ms"], row["tier_asked"], row["cache"]) == (None, None, None)
    assert row["at"].endswith("Z")
    assert (await told(engine, "/api/v1/requests?failed=true&model=other"))["requests"] == []


async def test_one_request_with_its_decision_exactly_as_stored(pair: tuple[EngineHere, ChaosBackend]) -> None:
    """Both attempts, the explanation of the very bytes in the database, and what would have changed it."""
    engine, first = pair
    first.script(*refusal(500, "out of order"))
    answer = await engine.chat()
    name = answer.headers["x-request-id"]

    found = await told(engine, f"/api/v1/requests/{name}")

    assert found["request"]["id"] == name
    assert [(one["n"], one["endpoint"], one["verdict"]) for one in found["attempts"]] == [
        (1, "first/m", "failed"),
        (2, "second/m", "success"),
    ]
    stored = await asyncio.to_thread(engine.engine.ledger.queries.recorded, name)
    assert stored is not None
    assert stored.decision is not None
    decision = msgspec.msgpack.decode(stored.decision, type=Decision)
    assert found["decision"] == msgspec.to_builtins(explain(decision))
    assert found["what_if"] == list(msgspec.to_builtins(whatif(decision)))
    assert {change["endpoint"] for change in found["what_if"]} == {"second/m"}
    assert (found["prompt"], found["answer"]) == (None, None)


async def test_a_request_of_one_attempt_has_that_attempt(pair: tuple[EngineHere, ChaosBackend]) -> None:
    """Found at once after its answer, every time."""
    engine, _ = pair
    for _ in range(20):
        name = (await engine.chat()).headers["x-request-id"]
        found = await told(engine, f"/api/v1/requests/{name}")
        assert [(one["n"], one["endpoint"]) for one in found["attempts"]] == [(1, "first/m")]


async def test_a_request_that_is_not_there_is_told_by_why(pair: tuple[EngineHere, ChaosBackend]) -> None:
    """One that runs still, or never was inference, is told apart from one that nobody ever sent."""
    engine, first = pair
    first.script(wait("gate"), *well())
    running = asyncio.ensure_future(engine.chat())
    await first.reached("gate")
    earlier = await engine.get("/api/v1/requests")
    given = earlier.headers["x-request-id"]
    for name, code in (
        (given, "not_recorded"),
        ("req-1-000001", "not_found"),
        (given[:-1] + "g", "not_found"),
        (given.rsplit("-", 1)[0] + "-ffffff", "not_found"),
    ):
        answer = await engine.get(f"/api/v1/requests/{name}")
        assert (answer.status, answer.error["code"]) == (404, code), name
    first.open("gate")
    assert (await running).status == 200


@pytest.mark.parametrize(
    ("path", "param"),
    [
        ("/api/v1/usage?by=colour", "by"),
        ("/api/v1/usage?by=backend,key", "by"),
        ("/api/v1/usage?colour=red", "colour"),
        ("/api/v1/requests?limit=0", "limit"),
        ("/api/v1/requests?cursor=%00", "cursor"),
        ("/api/v1/requests?verdict=meh", "verdict"),
    ],
)
async def test_a_question_that_cannot_be_answered_is_refused(
    pair: tuple[EngineHere, ChaosBackend], path: str, param: str
) -> None:
    """400 with the parameter and what is allowed."""
    engine, _ = pair
    answer = await engine.get(path)
    assert (answer.status, answer.error["param"]) == (400, param)
    assert "allowed" in answer.error["message"] or "`" in answer.error["message"] or param == "by"


async def test_a_decision_of_another_version_leaves_the_rest(pair: tuple[EngineHere, ChaosBackend]) -> None:
    """What cannot be read any more is null; the row and its attempts are told."""
    engine, _ = pair
    name = (await engine.chat()).headers["x-request-id"]
    await engine.rows()
    file = engine.engine.config.storage.url.removeprefix("sqlite:///")
    with contextlib.closing(sqlite3.connect(file, timeout=10)) as outside, outside:
        outside.execute("UPDATE decisions SET body = ?", (b"\x81\xa1x\x01",))
    found = await told(engine, f"/api/v1/requests/{name}")
    assert (found["decision"], found["what_if"]) == (None, [])
    assert len(found["attempts"]) == 1


async def test_a_database_that_cannot_be_read_is_503(tmp_path: Path) -> None:
    """Every question says so, with what is wrong and when to come back."""
    (tmp_path / "orchestra.db").mkdir()
    ledger = Ledger(f"sqlite:///{tmp_path}/orchestra.db")
    reports = Reports(ledger, Catalog(), currency="USD", zone=UTC, timezone="UTC")
    for question in (
        reports.usage(UsageQuery(), 1, advise=None),
        reports.page(Wanted()),
        reports.recorded("x"),
    ):
        with pytest.raises(Unavailable, match=r"cannot be read now: ledger .*orchestra\.db") as refused:
            await question
        assert refused.value.retry_after


async def test_questions_whose_askers_left_still_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their threads read on: who asks and leaves again and again does not take all of them."""
    reports = Reports(
        Ledger(f"sqlite:///{tmp_path}/x.db"), Catalog(), currency="USD", zone=UTC, timezone="UTC"
    )
    reading, go_on = [], threading.Event()

    def slow(wanted: Wanted) -> Page:
        reading.append(wanted)
        go_on.wait(10)
        return Page((), None)

    monkeypatch.setattr(reports, "_page", slow)
    for _ in range(8):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await reports.page(Wanted())
    assert len(reading) == 2
    go_on.set()
    await reports.page(Wanted())


def test_a_key_that_may_only_use_sees_its_own(keyed: EngineProcess) -> None:
    """Its requests, its usage; those of others are not there for it, and asking for them by name is forbidden."""
    mine = ask(keyed, "POST", "/v1/chat/completions", USE, CHAT).headers["x-request-id"]
    other = ask(keyed, "POST", "/v1/chat/completions", OPERATE, CHAT).headers["x-request-id"]
    listed = ask(keyed, "GET", "/api/v1/requests?limit=500", USE).json()["requests"]
    own = {row["key"] for row in listed}
    assert mine in {row["id"] for row in listed}
    assert other not in {row["id"] for row in listed}
    assert len(own) == 1
    assert ask(keyed, "GET", f"/api/v1/requests/{mine}", USE).status_code == 200
    assert ask(keyed, "GET", f"/api/v1/requests/{other}", USE).status_code == 404
    assert ask(keyed, "GET", f"/api/v1/requests/{mine}", OPERATE).status_code == 200
    usage = ask(keyed, "GET", "/api/v1/usage?by=key", USE).json()
    assert {row["key"] for row in usage["rows"]} == own
    assert usage["suggestions"] is None
    assert ask(keyed, "GET", f"/api/v1/requests?key={own.pop()}", USE).status_code == 200
    for path in ("/api/v1/requests?key=127.0.0.1", "/api/v1/usage?key=127.0.0.1"):
        answer = ask(keyed, "GET", path, USE)
        assert (answer.status_code, answer.json()["error"]["param"]) == (403, "key")
    assert {row["key"] for row in ask(keyed, "GET", "/api/v1/usage?by=key", ADMIN).json()["rows"]} > {
        row["key"] for row in usage["rows"]
    }


@pytest.mark.parametrize(("ago", "query", "number"), [(5, "", 1), (40, "", 0), (40, "&until=30d", 1)])
async def test_suggestions_are_of_the_last_days_asked_for(
    pair: tuple[EngineHere, ChaosBackend], ago: int, query: str, number: int
) -> None:
    """What was so months ago needs no advice now, unless it is asked about; the rows rest on all days."""
    engine, _ = pair
    day = datetime.fromtimestamp(engine.engine.clock.wall(), UTC).date().toordinal() - ago
    for count in range(25):
        row = request(count, task="analysis", model_served="x", tier_asked="low", tier_served="high", day=day)
        engine.engine.ledger.record(row)
    usage = await told(engine, f"/api/v1/usage?by=model{query}")
    assert usage["totals"]["requests"] == 25
    found = [one for one in usage["suggestions"] if one["rule"] == "over_served"]
    assert [one["numbers"]["requests"] for one in found] == [25] * number
    for one in found:
        assert one["sentence"] == "x answered 25 analysis requests at tier high that asked for low"


def test_prompts_and_answers_are_for_administrators(mended: FleetProcess) -> None:
    """Stored only where that is switched on, and told only to who may administrate."""
    with EngineProcess(mended.config(more="[storage]\nkeep_texts = true\n")) as engine:
        name = engine.chat("what is a volcano", model=MODEL, max_tokens=5).headers["x-request-id"]
        over_tcp = engine.get(f"/api/v1/requests/{name}").json()
        owner = engine.unix.get(f"/api/v1/requests/{name}").json()
    assert (over_tcp["prompt"], over_tcp["answer"]) == (None, None)
    assert "what is a volcano" in owner["prompt"]
    assert owner["answer"]
    assert over_tcp["request"] == owner["request"]
