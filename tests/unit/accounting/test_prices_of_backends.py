"""Prices as the engine asks for them: from the settings of a backend, with the list loaded when it is needed."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from orchestra_core.accounting.book import Listed
from orchestra_core.config import BackendSettings
from orchestra_core.domain.call import Level
from orchestra_core.domain.catalog import BackendKind, EndpointSpec
from orchestra_core.domain.price import Price, Source
from orchestra_core.engine.prices import Prices
from tests.fakes.clock import ManualClock
from tests.unit.config.reading import read

CLOUD = BackendSettings("cloud", BackendKind.OPENAI, "https://api.example.com/v1")
OURS = BackendSettings("ours", BackendKind.LLAMACPP, "http://127.0.0.1:8080", cost_per_hour=3.6, watts=100)


class Shelf:
    """Where the list is taken from; counts how often."""

    def __init__(self, *, there: bool = True) -> None:
        self.there = there
        self.taken = 0

    def __call__(self) -> "Shelf":
        self.taken += 1
        if not self.there:
            raise ImportError("No module named 'genai_prices'")
        return self

    def at(self, url: str, model: str, now: float) -> Listed | None:
        return Listed(1.0, 2.0, since=now)

    def named(self, name: str, now: float) -> Listed | None:
        return Listed(5.0, 6.0) if name == "acme/m" else None


def spec(*, hosted: bool) -> EndpointSpec:
    kind = BackendKind.OPENAI
    return EndpointSpec("b", "m", kind, frozenset({"chat"}), frozenset(), 9, 0.5, Level.LOW, hosted=hosted)


class World:
    def __init__(self, home: Path, text: str = "", *, there: bool = True) -> None:
        self.home = home
        self.shelf = Shelf(there=there)
        self.missing: list[str] = []
        self.noted: list[tuple[str, Price | None]] = []
        self.clock = ManualClock()
        self.prices = Prices(
            read(home, text),
            self.clock,
            self.missing.append,
            lambda *noted: self.noted.append(noted),
            self.shelf,
        )

    def price(self, backend: BackendSettings = CLOUD, *, hosted: bool = True) -> Any:
        return self.prices(spec(hosted=hosted), backend).price


async def test_the_list_is_taken_once_and_only_for_a_hosted_service(tmp_path: Path) -> None:
    """Also when many backends join at the same time; none of ours needs it."""
    world = World(tmp_path)
    for kind, url in (
        (BackendKind.OLLAMA, "https://ollama.example"),
        (BackendKind.OPENAI, "http://10.0.0.9:8000"),
    ):
        await world.prices.prepare(BackendSettings("b", kind, url))
    await world.prices.prepare(BackendSettings("b", BackendKind.MANAGED))
    assert world.shelf.taken == 0
    assert world.price() is None
    await asyncio.gather(*(world.prices.prepare(CLOUD) for _ in range(3)))
    assert world.shelf.taken == 1
    assert (world.price().input, world.price().source) == (1.0, Source.PUBLISHED)
    assert world.price().since == world.clock.wall()


async def test_without_the_library_hosted_models_have_no_price_and_it_is_told(tmp_path: Path) -> None:
    """Once; the engine goes on."""
    world = World(tmp_path, there=False)
    await world.prices.prepare(CLOUD)
    await world.prices.prepare(CLOUD)
    assert world.price() is None
    assert world.noted[-1] == ("b/m", None)
    assert world.missing == ["No module named 'genai_prices'"]


def test_hours_and_energy_of_a_backend_are_as_configured(tmp_path: Path) -> None:
    """100 W at 0.3 a kilowatt-hour are 0.03 an hour; without a price of energy it is free."""
    assert World(tmp_path).price(OURS, hosted=False).second == pytest.approx(0.001)
    world = World(tmp_path, "[accounting]\nprice_per_kwh = 0.3")
    assert world.price(OURS, hosted=False).second * 3600 == pytest.approx(3.63)


def test_prices_of_models_and_the_dollar_are_as_configured(tmp_path: Path) -> None:
    """And others after the configuration was read again."""
    text = (
        "[models.m]\ncost_per_million_input = 3\ncost_per_million_output = 6\ncost_per_million_cached = 1\n"
    )
    world = World(tmp_path, text)
    price = world.price()
    assert (price.input, price.output, price.cached, price.source) == (3.0, 6.0, 1.0, Source.CONFIGURED)
    world.prices.configure(read(tmp_path, "[accounting]\ncurrency = 'EUR'\nusd_rate = 0.5"))
    assert world.price() is None
    world.prices.book.published = world.shelf
    assert (world.price().input, world.price().currency) == (0.5, "EUR")


async def test_the_list_is_taken_for_a_model_to_compare_with(tmp_path: Path) -> None:
    """Where it is named by its provider; a name without one is that of a model here."""
    here = World(tmp_path, "[accounting]\ncompare_with = 'm'")
    await here.prices.prepare(OURS)
    assert here.shelf.taken == 0
    listed = World(tmp_path, "[accounting]\ncompare_with = 'acme/m'")
    await listed.prices.prepare(OURS)
    price = listed.prices.of("acme/m")
    assert price is not None
    assert (listed.shelf.taken, price.input, price.output) == (1, 5.0, 6.0)
    here.prices.configure(read(tmp_path, "[accounting]\ncompare_with = 'acme/m'"))
    await here.prices.prepare()
    assert here.shelf.taken == 1
