"""Budgets of a whole engine: what clients are told over HTTP, what a restart and a reload keep."""

import asyncio
import contextlib
import shutil
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestra_core.domain.budgets import BudgetView
from orchestra_core.trust.keys import digest_of, mint
from tests.fakes.chaos import ChaosBackend
from tests.fakes.chaos_steps import wait, well
from tests.fakes.engine_here import EngineHere
from tests.fakes.turns import until

# A prompt of three tokens and an answer of one cost 0.4; what may be asked in 10 tokens up to about 40 more.
PRICE = '[models.m]\nmemory = "4GB"\ncost_per_million_input = 100000\ncost_per_million_output = 100000\n'
COST = 0.4


def budget(limit: float, more: str = "") -> str:
    return f'{PRICE}[[budgets]]\nname = "team"\nlimit = {limit}\n{more}'


@pytest.fixture
async def backend() -> AsyncIterator[ChaosBackend]:
    async with ChaosBackend("a", "openai") as made:
        made.well = well()
        yield made


def database(home: Path) -> Path:
    (file,) = home.rglob("orchestra.db")
    return file


def lose_database(home: Path) -> None:
    files = list(home.rglob("orchestra.db*"))
    assert files
    for file in files:
        file.unlink()


async def stand(engine: EngineHere) -> BudgetView:
    answered = await engine.get("/api/v1/budgets")
    assert answered.status == 200
    (view,) = answered.json["budgets"]
    return BudgetView(**view)


async def test_a_client_over_budget_is_told_which_and_until_when(
    tmp_path: Path, backend: ChaosBackend
) -> None:
    """402 in OpenAI's words; what was spent is shown to operators, in the snapshot too, and by whom it was barred."""
    async with EngineHere(tmp_path, [backend], budget(40)) as engine:
        assert (await engine.chat(max_tokens=10)).status == 200
        view = await stand(engine)
        assert (view.reserved, view.refused) == (0, 0)
        assert view.settled == pytest.approx(COST)
        refused = await engine.chat(max_tokens=200)
        assert (refused.status, refused.error["code"]) == (402, "insufficient_quota")
        assert 'the budget "team" (40 USD a month, everything) leaves no room' in refused.error["message"]
        assert f"starts anew at {view.resets}" in refused.error["message"]
        assert refused.headers["x-should-retry"] == "false"
        native = await engine.post("/api/v1/route", {"prompt": "Hi", "max_tokens": 200})
        assert (native.status, native.error["type"]) == (402, "insufficient_quota")
        selected = await engine.post("/api/v1/select-model", {"task": "creative"})
        assert selected.status == 402
        assert len(backend.calls) == 1
        assert (await stand(engine)).refused == 3
        assert engine.snapshot().budgets[0].name == "team"


async def test_requests_at_once_wait_for_each_other_and_are_all_answered(
    tmp_path: Path, backend: ChaosBackend
) -> None:
    """Each may cost more than half of what is left; none is refused, and never two are under way."""
    async with EngineHere(tmp_path, [backend], budget(45)) as engine:
        backend.script(wait("on"), *well())
        asked = [asyncio.ensure_future(engine.chat(max_tokens=10)) for _ in range(5)]
        await backend.reached("on")
        view = await stand(engine)
        assert view.limit / 2 < view.reserved < view.limit
        assert len(backend.calls) == 1
        backend.open("on")
        assert [one.status for one in await asyncio.gather(*asked)] == [200] * 5
        view = await stand(engine)
        assert (view.reserved, view.waiting, view.overruns) == (0, 0, 0)
        assert view.settled == pytest.approx(5 * COST)
        rows = await engine.rows()
        assert sum(row.cost or 0.0 for row in rows) == pytest.approx(view.settled)


async def test_a_restart_keeps_what_was_spent(tmp_path: Path, backend: ChaosBackend) -> None:
    """The next engine begins where the last one ended."""
    async with EngineHere(tmp_path, [backend], budget(40)) as engine:
        for _ in range(3):
            await engine.chat(max_tokens=10)
        before = await stand(engine)
    async with EngineHere(tmp_path, [backend], budget(40)) as engine:
        assert (await engine.chat(max_tokens=10)).status == 200
        after = await stand(engine)
    assert before.settled == pytest.approx(3 * COST)
    assert after.settled == pytest.approx(4 * COST)
    assert after.known


async def test_a_reload_keeps_what_was_spent(tmp_path: Path, backend: ChaosBackend) -> None:
    """What was spent stays; a budget that is new counts what the ledger has of its period."""
    async with EngineHere(tmp_path, [backend], budget(30)) as engine:
        text = engine.file.read_text()
        assert (await engine.chat(max_tokens=10)).status == 402
        await engine.reload(text.replace("limit = 30", "limit = 60"))
        assert (await engine.chat(max_tokens=10)).status == 200
        new = text.replace('"team"', '"day"') + 'period = "day"\nmodel = "m"\n'
        await engine.reload(new.replace("limit = 30", "limit = 60"))
        assert (await engine.chat(max_tokens=10)).status == 200
        view = await stand(engine)
        assert (view.name, view.scope, view.period) == ("day", "model m", "day")
        assert view.settled == pytest.approx(2 * COST)


async def test_what_a_killed_engine_had_under_way_counts_at_its_worst(
    tmp_path: Path, backend: ChaosBackend
) -> None:
    """What the disk holds while a request runs is what a kill leaves; nobody knows its cost, so it is presumed."""
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    async with EngineHere(before, [backend], budget(100)) as engine:
        assert (await engine.chat(max_tokens=10)).status == 200
        backend.script(wait("on"), *well())
        asked = asyncio.ensure_future(engine.chat(max_tokens=10))
        await backend.reached("on")
        reserved = (await stand(engine)).reserved
        shutil.copytree(before, after, ignore=shutil.ignore_patterns("*.sock"))
        backend.open("on")
        assert (await asked).status == 200
    async with EngineHere(after, [backend], budget(100)) as engine:
        view = await stand(engine)
        assert view.known
        assert (view.presumed, view.reserved) == (pytest.approx(reserved), 0)
        assert view.settled == pytest.approx(COST + reserved)
        await engine.chat(max_tokens=10)
    async with EngineHere(after, [backend], budget(100)) as engine:
        view = await stand(engine)
        assert view.presumed == pytest.approx(reserved)
        assert view.settled == pytest.approx(2 * COST + reserved)


async def test_what_was_spent_is_known_without_the_database(tmp_path: Path, backend: ChaosBackend) -> None:
    """The journal holds what budgets amount to: an engine whose database is gone still keeps to them."""
    async with EngineHere(tmp_path, [backend], budget(40)) as engine:
        for _ in range(3):
            await engine.chat(max_tokens=10)
    lose_database(tmp_path)
    async with EngineHere(tmp_path, [backend], budget(40)) as engine:
        view = await stand(engine)
        assert view.known
        assert view.settled == pytest.approx(3 * COST)


async def test_a_budget_over_a_key_goes_by_its_name(tmp_path: Path, backend: ChaosBackend) -> None:
    """What other keys spend is not its own; a name that no key has is told, since it limits nothing."""
    tokens = {name: mint(name.encode().ljust(4), b"s" * 24)[1] for name in ("ann", "bob")}
    keys = "".join(
        f'[[keys]]\nname = "{name}"\ndigest = "sha256:{digest_of(token)}"\nscopes = ["operate"]\n'
        for name, token in tokens.items()
    )
    text = budget(40, 'key = "ann"\n') + '[[budgets]]\nname = "slip"\nlimit = 1\nkey = "anne"\n' + keys
    async with EngineHere(tmp_path, [backend], text) as engine:

        async def ask(who: str) -> int:
            wanted = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 10}
            headers = {"authorization": f"Bearer {tokens[who]}"}
            return (await engine.post("/v1/chat/completions", wanted, **headers)).status

        assert [await ask("bob") for _ in range(3)] == [200] * 3
        assert await ask("ann") == 200
        view, slip = engine.engine.pipeline.purse.views()
        assert (view.scope, view.settled) == ("key ann", pytest.approx(COST))
        assert (slip.settled, slip.refused) == (0, 0)
        assert engine.told("budgets.idle") == [
            'nobody has the key "anne", so the budget "slip" limits nothing yet'
        ]
        daily = engine.file.read_text().replace('key = "ann"\n', 'key = "ann"\nperiod = "day"\n')
        await engine.reload(daily)
        await until(lambda: all(one.known for one in engine.engine.pipeline.purse.views()))
        view, slip = engine.engine.pipeline.purse.views()
        assert (view.period, view.settled, slip.settled) == ("day", pytest.approx(COST), 0)


async def test_a_new_budget_waits_for_a_database_that_is_behind(
    tmp_path: Path, backend: ChaosBackend
) -> None:
    """What was spent is in no sum yet: the budget is not taken for new, the operator is told, and then it goes on."""
    async with EngineHere(tmp_path, [backend], PRICE) as engine:
        assert (await engine.chat(max_tokens=10)).status == 200
        assert len(await engine.rows()) == 1
        with contextlib.closing(sqlite3.connect(database(tmp_path), isolation_level=None)) as lock:
            lock.execute("BEGIN IMMEDIATE")
            assert (await engine.chat(max_tokens=10)).status == 200
            await engine.reload(engine.file.read_text() + budget(100).removeprefix(PRICE))
            asked = asyncio.ensure_future(engine.chat(max_tokens=10))
            async with asyncio.timeout(30):
                await until(lambda: bool(engine.told("budgets.unknown")))
            assert "hard budgets let nothing pass" in engine.told("budgets.unknown")[0]
            view = await stand(engine)
            assert (view.known, view.settled, view.waiting) == (False, 0, 1)
            assert len(backend.calls) == 2
            lock.execute("ROLLBACK")
        async with asyncio.timeout(30):
            assert (await asked).status == 200
        view = await stand(engine)
        assert (view.known, view.settled) == (True, pytest.approx(3 * COST))
