"""The published prices of hosted models, from the data that come with the library `genai-prices`: nothing is fetched.

Importing it takes 0.1 s and 6 MiB of an engine, 0.2 to 0.6 s and 30 MiB of a process that has not imported pydantic
yet (measured), so only `load` does, once there is a backend whose prices may be on the list. In a thread it holds an
event loop up for 25 ms at most.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import version
from typing import TYPE_CHECKING

from orchestra_core.accounting.book import Listed

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, Provider, TieredPrices

_PACKAGE = "genai-prices"
# The units we count, or can tell that a request has none of: those of a picture, a sound or a search are not ours.
_READ, _WRITTEN, _CACHED, _REQUESTS = "input_mtok", "output_mtok", "cache_read_mtok", "requests_kcount"
# Tokens of an answer that are charged apart from it, and that no backend of ours tells apart.
_UNCOUNTED = ("output_reasoning_mtok", "output_citation_mtok")


def load() -> "List":
    """The list as installed. Raises ImportError where it is not there."""
    from genai_prices.data import providers  # noqa: PLC0415  costs, see above

    return List(providers, f"{_PACKAGE} {version(_PACKAGE)}")


class List:
    """A list of providers, each known by the address of its API, with their models, each known by a pattern."""

    def __init__(self, providers: "Sequence[Provider]", edition: str) -> None:
        self._providers = list(providers)
        self._edition = edition
        self._found: dict[tuple[str, str], tuple[Provider, ModelInfo] | None] = {}
        # Most names are those of the list itself, and trying the patterns of 900 models for each of 900 takes 0.3 s.
        self._named = {
            (provider.id, entry.id): entry
            for provider in providers
            for entry in provider.models
            if entry.is_match(entry.id)
        }

    def at(self, url: str, model: str, now: float) -> Listed | None:
        """As `Published.at`. Which entry it is stays the same and is kept: looking for it goes through all of them."""
        key = (url, model)  # of configured backends and what they list, so there is an end to them
        if key not in self._found:
            self._found[key] = self._find(url, model)
        return self._of(self._found[key], now)

    def named(self, name: str, now: float) -> Listed | None:
        """As `Published.named`."""
        provider_id, _, model = name.partition("/")
        provider = next((one for one in self._providers if one.id == provider_id), None)
        return self._of(self._entry(provider, model), now)

    def _of(self, found: "tuple[Provider, ModelInfo] | None", now: float) -> Listed | None:
        if found is None:
            return None
        provider, entry = found
        moment = datetime.fromtimestamp(now, UTC)
        return _listed(
            entry.get_prices(moment), _since(entry, moment), f"{self._edition}, {provider.id}/{entry.id}"
        )

    def _find(self, url: str, model: str) -> "tuple[Provider, ModelInfo] | None":
        # The patterns are of addresses with a path; ours end without a slash.
        provider = next((one for one in self._providers if re.match(one.api_pattern, f"{url}/")), None)
        return self._entry(provider, model)

    def _entry(self, provider: "Provider | None", model: str) -> "tuple[Provider, ModelInfo] | None":
        if provider is None:
            return None
        entry = self._named.get((provider.id, model))
        entry = entry or provider.find_model(model, all_providers=self._providers)
        return None if entry is None else (provider, entry)


def _since(entry: "ModelInfo", moment: datetime) -> float | None:
    """When the price of that moment began to hold, where the list tells."""
    if not isinstance(entry.prices, list):
        return None
    starts = [getattr(price.constraint, "start_date", None) for price in entry.prices]
    begun = [start for start in starts if start is not None and start <= moment.date()]
    if not begun:
        return None
    last = max(begun)
    return datetime(last.year, last.month, last.day, tzinfo=UTC).timestamp()


def _listed(price: "ModelPrice", since: float | None, origin: str) -> Listed | None:
    if any(getattr(price, unit, None) is not None for unit in _UNCOUNTED):
        return None
    read, written, cached = (getattr(price, unit, None) for unit in (_READ, _WRITTEN, _CACHED))
    fee = getattr(price, _REQUESTS, None)
    steps = sorted({start for part in (read, written, cached) for start in _starts(part)})
    above = [
        (start, Listed(_rate(read, start), _rate(written, start), _rate(cached, start))) for start in steps
    ]
    return Listed(
        _rate(read, None),
        _rate(written, None),
        _rate(cached, None),
        request=0.0 if fee is None else float(fee) / 1000,
        above=tuple(above),
        since=since,
        origin=origin,
    )


def _starts(price: "Decimal | TieredPrices | None") -> list[int]:
    tiers = getattr(price, "tiers", ())
    return [tier.start for tier in tiers]


def _rate(price: "Decimal | TieredPrices | None", above: int | None) -> float | None:
    """Per million tokens, in a request with more than `above` tokens to read; None: with any number."""
    if price is None or isinstance(price, Decimal):
        return None if price is None else float(price)
    rate = price.base
    for tier in price.tiers:
        if above is not None and tier.start <= above:
            rate = tier.price
    return float(rate)
