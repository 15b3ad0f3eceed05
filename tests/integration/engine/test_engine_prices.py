"""Prices of a whole engine: what a request costs, what is shown of it, and what a change of prices leaves alone."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestra_core.domain.price import Price, PriceView, Source
from orchestra_core.storage import prices as table
from tests.fakes.chaos import ChaosBackend
from tests.fakes.chaos_steps import well
from tests.fakes.engine_here import EngineHere
from tests.fakes.turns import one_turn, settle


def priced(read: float, written: float) -> str:
    return (
        f'[models.m]\nmemory = "4GB"\ncost_per_million_input = {read}\ncost_per_million_output = {written}\n'
    )


@pytest.fixture
async def backends() -> AsyncIterator[list[ChaosBackend]]:
    async with ChaosBackend("a", "openai") as first, ChaosBackend("b", "openai") as second:
        for one in (first, second):
            one.well = well()
        yield [first, second]


async def written_down(engine: EngineHere, endpoint: str, number: int) -> list[Price | None]:
    """The prices of an endpoint in the database, once there are so many."""
    found: list[tuple[float, Price | None]] = []
    while len(found) < number:
        engine.engine.accounts.tick()
        await one_turn()
        future = engine.engine.ledger.run(lambda connection: table.history(connection, endpoint))
        found = await asyncio.wrap_future(future)
    assert [at for at, _ in found] == sorted(at for at, _ in found)
    return [price for _, price in found]


async def test_a_changed_price_leaves_what_was_paid(tmp_path: Path, backends: list[ChaosBackend]) -> None:
    """The rows before it keep their cost, those after it have the new one, and both prices are written down."""
    async with EngineHere(tmp_path, backends, priced(100, 100)) as engine:
        assert (await engine.chat()).status == 200
        await engine.reload(engine.file.read_text().replace("= 100\n", "= 300\n"))
        assert (await engine.chat()).status == 200
        new, old = await engine.rows()
        assert old.cost == pytest.approx((old.tokens_in + old.tokens_out) * 100 / 1e6)
        assert new.cost == pytest.approx((new.tokens_in + new.tokens_out) * 300 / 1e6)
        expected = [Price(each, each, source=Source.CONFIGURED) for each in (100.0, 300.0)]
        assert await written_down(engine, "a/m", 2) == expected

    async with EngineHere(tmp_path, backends, priced(300, 300)) as again:
        await again.reload(again.file.read_text().replace("= 300\n", "= 500\n"))
        expected.append(Price(500.0, 500.0, source=Source.CONFIGURED))
        assert await written_down(again, "a/m", 3) == expected


async def test_rows_tell_the_best_the_first_and_the_declared(
    tmp_path: Path, backends: list[ChaosBackend]
) -> None:
    """Equal models are compared with at the cheapest place; a declared one by its price alone."""
    rates = "[models.other]\ncost_per_million_input = 1000\ncost_per_million_output = 1000\n"
    async with EngineHere(tmp_path, backends, priced(100, 100) + rates) as engine:
        assert (await engine.chat()).status == 200
        (row,) = await engine.rows()
        assert row.cost == row.cost_best == row.cost_first
        await engine.reload(engine.file.read_text() + '[accounting]\ncompare_with = "other"\n')
        await settle()
        assert engine.engine.accounts.elsewhere.declared == "other"
        assert (await engine.chat()).status == 200
        row = (await engine.rows())[0]
        assert row.cost is not None
        assert row.cost_best == pytest.approx(10 * row.cost)
        assert row.cost_first == row.cost


async def test_an_hour_of_our_own_machine_has_its_price(tmp_path: Path, backends: list[ChaosBackend]) -> None:
    """Shown per slot, charged by the second, and gone with the setting, all without a restart."""
    async with EngineHere(tmp_path, backends[:1], slots=2) as engine:
        assert engine.snapshot().models[0].price == PriceView(
            0.0, 0.0, 0.0, 0.0, 0.0, currency="USD", source="local"
        )
        plain = engine.file.read_text()
        assert plain.rstrip().endswith("slots = 2")
        await engine.reload(f"{plain}watts = 500\n[accounting]\nprice_per_kwh = 7200\n")
        endpoint = engine.endpoint("a")
        assert endpoint.spec.price == Price(second=0.5)
        assert (await engine.chat()).status == 200
        (row,) = await engine.rows()
        assert row.queued_ms is not None
        assert row.cost == pytest.approx((row.total_ms - row.queued_ms) / 1000 * 0.5)
        shown = (await engine.get("/api/v1/models")).json["models"][0]["price"]
        assert (shown["hour"], shown["input"], shown["source"]) == (1800.0, 0.0, "local")
        await engine.reload(plain)
        assert endpoint.spec.price == Price()


async def test_what_nobody_knows_is_unknown_everywhere(tmp_path: Path, backends: list[ChaosBackend]) -> None:
    """In the list of models, in an answer, in the row, and among the sums; never a zero."""
    backends[0].models = ["gpt-4o"]
    async with EngineHere(tmp_path, backends[:1]) as engine:
        shown = (await engine.get("/api/v1/models")).json["models"][0]
        assert shown["name"] == "gpt-4o"
        assert (shown["price"]["input"], shown["price"]["source"]) == (None, "unknown")
        answer = await engine.post("/api/v1/route", {"prompt": "Hi"})
        assert (answer.status, answer.json["metrics"]["cost"]) == (200, None)
        (row,) = await engine.rows()
        assert (row.cost, row.cost_best, row.cost_first) == (None, None, None)
        assert (engine.totals().cost, engine.totals().cost_unknown) == (0.0, 1)
