"""Another limit for a budget by an operator's word: at once, over restarts, and never by cutting what is under way."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from orchestra_core.domain.budgets import BudgetView
from tests.fakes.chaos import ChaosBackend
from tests.fakes.chaos_steps import wait, well
from tests.fakes.engine_here import EngineHere
from tests.fakes.plain_client import Answer
from tests.fakes.turns import until
from tests.integration.engine.keyed import KEYS, OPERATE, USE

# A prompt of three tokens and an answer of one cost 0.4; what may be asked in 10 tokens up to about 40 more.
PRICE = '[models.m]\nmemory = "4GB"\ncost_per_million_input = 100000\ncost_per_million_output = 100000\n'
TEAM = f'{PRICE}[[budgets]]\nname = "team"\nlimit = 100\n'
THERE = "/api/v1/budgets/team"


@pytest.fixture
async def backend() -> AsyncIterator[ChaosBackend]:
    async with asyncio.timeout(60), ChaosBackend("a", "openai") as made:
        made.well = well()
        yield made


def kept(home: Path) -> Path:
    return next(home.rglob("audit.log")).with_name("budgets.json")


async def put(engine: EngineHere, limit: object) -> Answer:
    return await engine.post(THERE, {"limit": limit})


def stand(engine: EngineHere) -> BudgetView:
    (view,) = engine.engine.pipeline.purse.views()
    return view


async def test_below_what_is_spent_nothing_new_passes_and_nothing_is_cut(
    tmp_path: Path, backend: ChaosBackend
) -> None:
    """Who has begun ends well; whoever comes then gets 402, until the limit is the configured one again."""
    async with EngineHere(tmp_path, [backend], TEAM) as engine:
        backend.script(wait("gate"), *well())
        begun = asyncio.ensure_future(engine.chat(max_tokens=10))
        await until(lambda: stand(engine).reserved > 0)

        answer = await put(engine, 1)

        assert answer.status == 200
        (told,) = answer.json["budgets"]
        assert (told["limit"], told["configured"], told["left"]) == (1.0, 100.0, 0.0)
        assert stand(engine).reserved > 1
        assert (await engine.chat(max_tokens=10)).status == 402
        backend.open("gate")
        assert (await begun).status == 200
        assert (await engine.chat(max_tokens=10)).status == 402
        assert (await engine.post(f"{THERE}/reset", {})).status == 200
        assert (await engine.chat(max_tokens=10)).status == 200
        assert (stand(engine).limit, stand(engine).configured) == (100.0, None)
        lowered, reset = engine.told("budgets.limit")
        assert "its limit is 1 a month now; configured is 100" in lowered
        assert "100 a month again" in reset


async def test_who_waits_for_money_goes_on_when_there_is_more(tmp_path: Path, backend: ChaosBackend) -> None:
    """A raised limit is in effect at once, also for those who wait already."""
    async with EngineHere(tmp_path, [backend], TEAM) as engine:
        await put(engine, 50)
        backend.script(wait("gate"), *well())
        first = asyncio.ensure_future(engine.chat(max_tokens=10))
        await until(lambda: stand(engine).reserved > 0)
        second = asyncio.ensure_future(engine.chat(max_tokens=10))
        await until(lambda: stand(engine).waiting == 1)

        await put(engine, 200)

        assert (await second).status == 200
        backend.open("gate")
        assert (await first).status == 200


async def test_restarts_and_reloads_keep_it(tmp_path: Path, backend: ChaosBackend) -> None:
    """The file says what was set; another configured limit changes nothing but what is shown beside it."""
    async with EngineHere(tmp_path, [backend], TEAM) as engine:
        await put(engine, 1)
        assert kept(tmp_path).stat().st_mode & 0o777 == 0o600
    async with EngineHere(tmp_path, [backend], TEAM) as engine:
        assert (stand(engine).limit, stand(engine).configured) == (1.0, 100.0)
        assert (await engine.chat(max_tokens=10)).status == 402
        await engine.reload(engine.file.read_text().replace("limit = 100", "limit = 70"))
        assert (stand(engine).limit, stand(engine).configured) == (1.0, 70.0)


async def test_a_file_that_cannot_be_read_is_put_aside(tmp_path: Path, backend: ChaosBackend) -> None:
    """The configured limits are in effect then, and it is said."""
    async with EngineHere(tmp_path, [backend], TEAM) as engine:
        await put(engine, 1)
    file = kept(tmp_path)
    file.write_text(json.dumps({"team": -1}))
    async with EngineHere(tmp_path, [backend], TEAM) as engine:
        assert stand(engine).limit == 100.0
        (told,) = engine.told("budgets.limits")
        assert "budgets.json.unreadable" in told
    assert file.with_name("budgets.json.unreadable").exists()


@pytest.mark.parametrize(
    "body", [{}, {"limit": -1}, {"limit": "5"}, {"limit": True}, {"limit": 1e13}, {"max": 5}]
)
async def test_what_is_no_limit_is_refused(
    tmp_path: Path, backend: ChaosBackend, body: dict[str, Any]
) -> None:
    """400, and nothing changes; 404 for a budget that is not configured."""
    async with EngineHere(tmp_path, [backend], TEAM) as engine:
        assert (await engine.post(THERE, body)).status == 400
        assert stand(engine).limit == 100.0
        assert (await engine.post("/api/v1/budgets/tea", {"limit": 5})).status == 404
        assert (await engine.post("/api/v1/budgets/tea/reset", {})).status == 404


async def test_it_takes_an_operator_and_is_in_the_audit_log(tmp_path: Path, backend: ChaosBackend) -> None:
    """Whoever may only use the engine may not; what was done is there with the command that does the same."""
    async with EngineHere(tmp_path, [backend], TEAM + KEYS) as engine:

        async def asked(token: str, path: str, body: dict[str, object]) -> int:
            return (await engine.post(path, body, authorization=f"Bearer {token}")).status

        assert await asked(USE, THERE, {"limit": 5}) == 403
        assert stand(engine).limit == 100.0
        assert await asked(OPERATE, THERE, {"limit": 12.5}) == 200
        assert await asked(OPERATE, f"{THERE}/reset", {}) == 200
        page = await engine.engine.journals.page("", 10)
        assert [entry["command"] for entry in page.entries[:3]] == [
            "ai-orchestra budgets reset team",
            "ai-orchestra budgets set team 12.5",
            "ai-orchestra budgets set team 5",
        ]
        assert "(by operator)" in engine.told("budgets.limit")[0]
