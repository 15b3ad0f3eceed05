"""Which price holds for which endpoint."""

from typing import Any

import pytest

from orchestra_core.accounting.book import BackendRates, Listed, ModelRates, PriceBook, Rules
from orchestra_core.domain.call import Level
from orchestra_core.domain.catalog import BackendKind, EndpointSpec
from orchestra_core.domain.price import Price, Source

URL = "https://api.example.com/v1"
CLOUD = BackendRates(URL)
CHATS, EMBEDS = frozenset({"chat", "completion"}), frozenset({"embedding"})


def spec(*, hosted: bool = False, slots: int = 1, capabilities: frozenset[str] = CHATS) -> EndpointSpec:
    kind = BackendKind.OPENAI
    return EndpointSpec(
        "b", "m", kind, capabilities, frozenset(), 4096, 0.5, Level.LOW, slots, hosted=hosted, price=None
    )


class ListOf:
    """A list of prices with one entry."""

    def __init__(self, listed: Listed) -> None:
        self.listed = listed
        self.asked: list[tuple[str, str, float]] = []

    def at(self, url: str, model: str, now: float) -> Listed | None:
        self.asked.append((url, model, now))
        return self.listed if url == URL else None

    def named(self, name: str, now: float) -> Listed | None:
        return self.listed if name == "acme/m" else None


def book(listed: Listed | None = None, **rules: Any) -> PriceBook:
    made = PriceBook(Rules(**rules))
    if listed is not None:
        made.published = ListOf(listed)
    return made


def wish(**rates: float) -> dict[str, ModelRates]:
    return {"m": ModelRates(**rates)}


def test_our_own_machines_cost_nothing_and_are_called_local() -> None:
    """Until somebody says what they cost."""
    assert book(currency="EUR").at(spec(), BackendRates(), 0.0) == Price(currency="EUR", source=Source.LOCAL)


def test_other_peoples_machines_cost_something_unknown() -> None:
    """Without a list, and with one that does not know the model or the place."""
    assert book().at(spec(hosted=True), CLOUD, 0.0) is None
    assert book(Listed(1.0, 2.0)).at(spec(hosted=True), BackendRates("https://else.where"), 0.0) is None
    assert book(Listed(1.0, 2.0)).at(spec(hosted=True), BackendRates(), 0.0) is None


def test_a_published_price_is_taken_with_its_date_and_origin() -> None:
    """All parts of it, in the currency of the list."""
    listed = Listed(1.0, 2.0, 0.1, 0.005, ((1000, Listed(2.0, 4.0)),), since=86400.0, origin="list, m")
    price = book(listed).at(spec(hosted=True), CLOUD, 0.0)
    assert price is not None
    assert (price.input, price.output, price.cached, price.request) == (1.0, 2.0, 0.1, 0.005)
    assert [(start, one.input, one.output) for start, one in price.above] == [(1000, 2.0, 4.0)]
    assert (price.source, price.since, price.origin) == (Source.PUBLISHED, 86400.0, "list, m")


def test_a_list_says_nothing_of_our_own_machines() -> None:
    """Also where the address of one is on it."""
    assert book(Listed(1.0, 2.0)).at(spec(), CLOUD, 0.0) == Price()


def test_dollars_are_converted_or_unknown() -> None:
    """In another currency a published price needs the rate of the dollar."""
    listed = Listed(1.0, 2.0, 0.5, 0.1, ((1000, Listed(2.0, 4.0)),))
    assert book(listed, currency="EUR").at(spec(hosted=True), CLOUD, 0.0) is None
    price = book(listed, currency="EUR", dollar=0.5).at(spec(hosted=True), CLOUD, 0.0)
    assert price is not None
    assert (price.input, price.output, price.cached, price.request) == (0.5, 1.0, 0.25, 0.05)
    assert (price.currency, price.above[0][1].input) == ("EUR", 1.0)


@pytest.mark.parametrize("listed", [Listed(None, 2.0), Listed(1.0, None)])
def test_half_a_price_is_none(listed: Listed) -> None:
    """What is charged for something else than tokens in and out is not known."""
    assert book(listed).at(spec(hosted=True), CLOUD, 0.0) is None


def test_what_only_embeds_needs_no_price_of_writing() -> None:
    """It writes nothing, whether its price is published or configured."""
    embeds = spec(hosted=True, capabilities=EMBEDS)
    published, configured = book(Listed(0.02, None)), book(models=wish(input=0.03))
    assert published.at(embeds, CLOUD, 0.0) == Price(0.02, 0.0, source=Source.PUBLISHED)
    assert configured.at(embeds, CLOUD, 0.0) == Price(0.03, 0.0, source=Source.CONFIGURED)


def test_the_configuration_wins_part_by_part() -> None:
    """What it leaves out stays as published; the steps of a published price fall with it."""
    listed = Listed(1.0, 2.0, 0.1, above=((1000, Listed(9.0, 9.0)),), origin="list")
    price = book(listed, models=wish(output=7.0)).at(spec(hosted=True), CLOUD, 0.0)
    assert price == Price(1.0, 7.0, 0.1, source=Source.CONFIGURED)
    price = book(listed, models=wish(cached=0.2)).at(spec(hosted=True), CLOUD, 0.0)
    assert price is not None
    assert (price.cached, len(price.above)) == (0.2, 1)
    assert book(listed, models=wish()).at(spec(hosted=True), CLOUD, 0.0) == book(listed).at(
        spec(hosted=True), CLOUD, 0.0
    )


def test_half_a_configured_price_is_none_elsewhere_and_whole_here() -> None:
    """Our own machines charge nothing for the other half."""
    assert book(models=wish(input=1.0)).at(spec(hosted=True), CLOUD, 0.0) is None
    assert book(models=wish(input=1.0)).at(spec(), BackendRates(), 0.0) == Price(
        1.0, 0.0, source=Source.CONFIGURED
    )


def test_hours_and_energy_are_shared_by_the_slots() -> None:
    """An endpoint that is full costs what its machine costs; one request of four a quarter."""
    price = book(kwh=0.3).at(spec(slots=4), BackendRates(hour=2.0, watts=500.0), 0.0)
    assert price is not None
    assert price.second * 3600 * 4 == pytest.approx(2.0 + 0.15)
    assert (price.input, price.output, price.source, price.plain) == (0.0, 0.0, Source.LOCAL, False)


def test_a_rented_machine_costs_its_hours_and_nothing_else() -> None:
    """Nobody publishes a price of what runs there, and its tokens are known to be free."""
    price = book(Listed(1.0, 2.0)).at(spec(hosted=True), BackendRates(URL, hour=3.6), 0.0)
    assert price == Price(second=0.001, source=Source.CONFIGURED)


def test_hours_and_configured_tokens_add_up() -> None:
    """Whoever configures both pays both."""
    price = book(models=wish(input=1.0, output=2.0)).at(spec(), BackendRates(hour=3.6), 0.0)
    assert price == Price(1.0, 2.0, second=0.001, source=Source.CONFIGURED)


def test_a_list_is_asked_for_the_price_of_now() -> None:
    """Prices change with the day, and some with the hour."""
    made = book()
    made.published = asked = ListOf(Listed(1.0, 2.0))
    made.at(spec(hosted=True), CLOUD, 1e9)
    assert asked.asked == [(URL, "m", 1e9)]


def test_a_model_that_nobody_serves_has_the_price_of_the_list_or_of_the_configuration() -> None:
    """The configuration wins here too; half a price is none."""
    listed = Listed(1.0, 2.0)
    assert book(listed).named("acme/m", 0.0) == Price(1.0, 2.0, source=Source.PUBLISHED)
    assert book(listed).named("m", 0.0) is None
    assert book(listed, currency="EUR").named("acme/m", 0.0) is None
    assert book(models=wish(input=3.0, output=4.0)).named("m", 0.0) == Price(
        3.0, 4.0, source=Source.CONFIGURED
    )
    assert book(models=wish(input=3.0)).named("m", 0.0) is None
