"""The list of published prices: which entry is meant, and what of it holds now."""

from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest
from genai_prices.types import (
    ClauseEquals,
    ClauseStartsWith,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    Tier,
    TieredPrices,
    TimeOfDateConstraint,
)

from orchestra_core.accounting.book import Listed
from orchestra_core.accounting.published import List, load

URL = "https://api.acme.example/v1"
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp()


def price(**units: float | TieredPrices) -> ModelPrice:
    return ModelPrice(
        **{
            unit: value if isinstance(value, TieredPrices) else Decimal(str(value))
            for unit, value in units.items()
        }
    )


def prices(*entries: ModelInfo) -> List:
    acme = Provider(id="acme", name="Acme", api_pattern=r"https://api\.acme\.example/", models=list(entries))
    other = Provider(id="other", name="Other", api_pattern=r"https://other\.example/")
    return List([other, acme], "the list 7")


def entry(name: str, given: ModelPrice | list[ConditionalPrice]) -> ModelInfo:
    return ModelInfo(id=name, match=ClauseStartsWith(starts_with=name), prices=given)


def test_a_model_is_found_by_the_address_of_its_service_and_its_name() -> None:
    """Dated names match their model; another service, and a name that is not listed, have no price."""
    known = prices(entry("quick", price(input_mtok=1.5, output_mtok=6, cache_read_mtok=0.15)))
    expected = Listed(1.5, 6.0, 0.15, origin="the list 7, acme/quick")
    assert known.at(URL, "quick", NOW) == expected
    assert known.at("https://api.acme.example", "quick-2026-01-31", NOW) == expected
    assert known.at(URL, "slow", NOW) is None
    assert known.at("https://other.example/v1", "quick", NOW) is None
    assert known.at("https://nobody.example/v1", "quick", NOW) is None


def test_a_model_is_found_by_the_name_of_its_provider_too() -> None:
    """Without an address; a provider or a model that is not listed has no price."""
    known = prices(entry("org/quick", price(input_mtok=1.5, output_mtok=6)))
    assert known.named("acme/org/quick", NOW) == Listed(1.5, 6.0, origin="the list 7, acme/org/quick")
    assert [
        known.named(name, NOW) for name in ("other/org/quick", "nobody/org/quick", "acme/slow", "acme")
    ] == [None] * 4


def test_a_name_that_is_an_entry_of_its_own_is_not_taken_for_another() -> None:
    """Unless the entry says that it is not called so."""
    pseudo = ModelInfo(id="quick-eu", match=ClauseEquals(equals="eu.quick"), prices=price(input_mtok=9))
    both = prices(entry("quick", price(input_mtok=1)), entry("quick-mini", price(input_mtok=0.1)), pseudo)
    asked = {name: both.at(URL, name, NOW) for name in ("quick-mini", "quick-eu", "eu.quick", "QUICK-MINI")}
    assert {name: found and found.input for name, found in asked.items()} == {
        "quick-mini": 0.1,
        "quick-eu": 1.0,
        "eu.quick": 9.0,
        "QUICK-MINI": 1.0,
    }


def test_a_price_holds_from_its_date_on() -> None:
    """The old one until then, and the date is told."""
    change = date(2026, 6, 2)
    known = prices(
        entry(
            "quick",
            [
                ConditionalPrice(prices=price(input_mtok=4, output_mtok=4)),
                ConditionalPrice(StartDateConstraint(change), prices=price(input_mtok=2, output_mtok=2)),
            ],
        )
    )
    began = datetime(2026, 6, 2, tzinfo=UTC).timestamp()
    before, after = known.at(URL, "quick", began - 1), known.at(URL, "quick", began)
    assert before is not None
    assert after is not None
    assert (before.input, before.since, after.input, after.since) == (4.0, None, 2.0, began)


def test_a_price_of_the_hour_changes_with_the_hour() -> None:
    """Some services are cheaper at night."""
    night = TimeOfDateConstraint(time(16, tzinfo=UTC), time(0, tzinfo=UTC))
    known = prices(
        entry(
            "quick",
            [
                ConditionalPrice(prices=price(input_mtok=4)),
                ConditionalPrice(night, prices=price(input_mtok=1)),
            ],
        )
    )
    found = [known.at(URL, "quick", NOW + hours * 3600) for hours in (0, 5)]
    assert [one and one.input for one in found] == [4.0, 1.0]


def test_long_prompts_have_prices_of_their_own() -> None:
    """Each step with every part of its price, also those that the step does not change."""
    steps = TieredPrices(
        base=Decimal(1), tiers=[Tier(start=200, price=Decimal(2)), Tier(start=900, price=Decimal(4))]
    )
    written = TieredPrices(base=Decimal(10), tiers=[Tier(start=200, price=Decimal(15))])
    found = prices(entry("quick", price(input_mtok=steps, output_mtok=written, cache_read_mtok=0.5))).at(
        URL, "quick", NOW
    )
    assert found is not None
    assert (found.input, found.output, found.cached) == (1.0, 10.0, 0.5)
    assert found.above == ((200, Listed(2.0, 15.0, 0.5)), (900, Listed(4.0, 15.0, 0.5)))


def test_a_fee_is_for_one_request() -> None:
    """The list tells that of a thousand."""
    found = prices(entry("quick", price(input_mtok=1, output_mtok=1, requests_kcount=12))).at(
        URL, "quick", NOW
    )
    assert found is not None
    assert found.request == pytest.approx(0.012)


@pytest.mark.parametrize("unit", ["output_reasoning_mtok", "output_citation_mtok"])
def test_what_charges_for_tokens_we_cannot_count_has_no_price(unit: str) -> None:
    """Better unknown than too low."""
    assert (
        prices(entry("quick", price(input_mtok=1, output_mtok=1, **{unit: 3}))).at(URL, "quick", NOW) is None
    )


def test_what_is_not_charged_by_tokens_has_none_of_their_prices() -> None:
    """A model that hears is charged by the hour."""
    assert prices(entry("ear", price(audio_hours=0.36))).at(URL, "ear", NOW) == Listed(
        None, None, origin="the list 7, acme/ear"
    )


def test_the_list_that_is_installed_knows_well_known_models() -> None:
    """Their services by the addresses that a configuration has, and the list tells its edition."""
    known = load()
    for url, model in (
        ("https://api.openai.com/v1", "gpt-4o"),
        ("https://api.openai.com/v1", "gpt-5-mini"),
        ("https://api.anthropic.com/v1", "claude-sonnet-4-5"),
        ("https://generativelanguage.googleapis.com/v1beta/openai", "gemini-2.5-pro"),
        ("https://openrouter.ai/api/v1", "openai/gpt-4o"),
        ("https://acme.openai.azure.com/openai/v1", "gpt-4o"),
    ):
        found = known.at(url, model, NOW)
        assert found is not None, model
        assert found.input is not None
        assert found.output is not None
        assert 0 < found.input < found.output
        assert found.cached is None or found.cached < found.input
        assert found.origin.startswith("genai-prices ")
    assert known.at("https://api.openai.com/v1", "llama3:8b", NOW) is None
    assert known.at("http://127.0.0.1:11434", "gpt-4o", NOW) is None
