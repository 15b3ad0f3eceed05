"""Prices of endpoints: the configuration's and the published ones, brought to whoever describes an endpoint."""

from collections.abc import Mapping

import msgspec

from orchestra_core.accounting.book import BackendRates, ModelRates, PriceBook, Rules
from orchestra_core.clock import Clock
from orchestra_core.config import AccountingSettings, BackendSettings, Config, ModelSettings
from orchestra_core.domain.catalog import EndpointSpec


class Prices:
    def __init__(self, config: Config, clock: Clock) -> None:
        self._clock = clock
        self.book = PriceBook(_rules(config.accounting, config.models))

    def configure(self, config: Config) -> None:
        """New prices; whoever holds descriptions of endpoints has to make them anew."""
        self.book.configure(_rules(config.accounting, config.models))

    def __call__(self, spec: EndpointSpec, backend: BackendSettings) -> EndpointSpec:
        """The endpoint with its price as of now."""
        rates = BackendRates(backend.url)
        return msgspec.structs.replace(spec, price=self.book.at(spec, rates, self._clock.wall()))


def _rules(settings: AccountingSettings, models: Mapping[str, ModelSettings]) -> Rules:
    rates = {
        name: ModelRates(model.cost_per_million_input, model.cost_per_million_output)
        for name, model in models.items()
    }
    return Rules(currency=settings.currency, models=rates)
