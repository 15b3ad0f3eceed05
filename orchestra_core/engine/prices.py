"""Prices of endpoints: the configuration's and the published ones, brought to whoever describes an endpoint."""

import asyncio
from collections.abc import Callable, Mapping

import msgspec

from orchestra_core.accounting.book import BackendRates, ModelRates, PriceBook, Published, Rules
from orchestra_core.accounting.published import load
from orchestra_core.clock import Clock
from orchestra_core.config import AccountingSettings, BackendSettings, Config, ModelSettings
from orchestra_core.domain.catalog import BackendKind, EndpointSpec
from orchestra_core.domain.price import Price


class Prices:
    """`missing` is told when `load_list` has no published prices for us, and why; `note` of every price."""

    def __init__(
        self,
        config: Config,
        clock: Clock,
        missing: Callable[[str], None],
        note: Callable[[str, Price | None], None],
        load_list: Callable[[], Published] = load,
    ) -> None:
        self._clock = clock
        self._missing = missing
        self._note = note
        self._load_list = load_list
        self._one_at_a_time = asyncio.Lock()
        self._looked = False
        self._compared = config.accounting.compare_with
        self.book = PriceBook(_rules(config.accounting, config.models))

    def configure(self, config: Config) -> None:
        """New prices; whoever holds descriptions of endpoints has to make them anew."""
        self._compared = config.accounting.compare_with
        self.book.configure(_rules(config.accounting, config.models))

    async def prepare(self, backend: BackendSettings | None = None) -> None:
        """To be awaited before the models of a backend are described: their prices may be on the list.

        So may that of the model that costs are compared with.
        """
        if not _hosts(backend) and "/" not in (self._compared or ""):
            return
        async with self._one_at_a_time:
            if self._looked:
                return
            try:
                self.book.published = await asyncio.to_thread(self._load_list)
            except ImportError as error:
                self._missing(str(error))
            self._looked = True

    def of(self, name: str) -> Price | None:
        """That of a model that nobody has to serve."""
        return self.book.named(name, self._clock.wall())

    def __call__(self, spec: EndpointSpec, backend: BackendSettings) -> EndpointSpec:
        """The endpoint with its price as of now."""
        rates = BackendRates(backend.url, backend.cost_per_hour, backend.watts)
        price = self.book.at(spec, rates, self._clock.wall())
        self._note(spec.id, price)
        return msgspec.structs.replace(spec, price=price)


def _hosts(backend: BackendSettings | None) -> bool:
    """Whether it may be a service that others run for money."""
    return (
        backend is not None
        and backend.kind is BackendKind.OPENAI
        and (backend.url or "").startswith("https://")
    )


def _rules(settings: AccountingSettings, models: Mapping[str, ModelSettings]) -> Rules:
    rates = {
        name: ModelRates(
            model.cost_per_million_input, model.cost_per_million_output, model.cost_per_million_cached
        )
        for name, model in models.items()
    }
    return Rules(settings.currency, settings.price_per_kwh, settings.usd_rate, rates)
