"""The price of each endpoint: as configured, as published, or nothing because the machine is ours.

Of token prices the configuration wins over what is published, part by part. The price of a backend's hours comes on
top: who configures both pays both.
"""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from orchestra_core.domain.catalog import EndpointSpec
from orchestra_core.domain.price import Price, Source

_SECONDS = 3600.0
_EMBEDS = frozenset({"embedding"})


class ModelRates(msgspec.Struct, frozen=True):
    """What the configuration says of a model, per million tokens; None leaves what is known."""

    input: float | None = None
    output: float | None = None
    cached: float | None = None


class BackendRates(msgspec.Struct, frozen=True):
    """What the configuration says of a backend: `hour` of its use, and the power it takes then. None: nothing."""

    url: str | None = None
    hour: float | None = None
    watts: float | None = None


class Rules(msgspec.Struct, frozen=True):
    """Everything in `currency`; `kwh` is what a kilowatt-hour costs, `dollar` what a US dollar does (None: unknown)."""

    currency: str = "USD"
    kwh: float = 0.0
    dollar: float | None = None
    models: Mapping[str, ModelRates] = {}


class Listed(msgspec.Struct, frozen=True):
    """A published price, in US dollars per million tokens and per request; None: not on the list.

    `above` are the prices of longer prompts, as in `Price`; `since` is Unix seconds, None where nobody tells.
    """

    input: float | None
    output: float | None
    cached: float | None = None
    request: float = 0.0
    above: tuple[tuple[int, "Listed"], ...] = ()
    since: float | None = None
    origin: str = ""


class Published(Protocol):
    """A list of prices."""

    def at(self, url: str, model: str, now: float) -> Listed | None:
        """What the service at this address takes for this model at `now` (Unix seconds); None: not on the list."""

    def named(self, name: str, now: float) -> Listed | None:
        """The same of `provider/model`, with the provider as the list calls it."""


class PriceBook:
    """`published` may come later; until then nothing is known of other people's machines but what is configured."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self.published: Published | None = None

    def configure(self, rules: Rules) -> None:
        """In effect for every price asked for from now on."""
        self._rules = rules

    def at(self, spec: EndpointSpec, backend: BackendRates, now: float) -> Price | None:
        """The price of an endpoint at `now` (Unix seconds); None where nobody told one."""
        base = self._hourly(spec, backend)
        if base is None:
            base = self._listed(spec, backend, now) if spec.hosted else Price(currency=self._rules.currency)
        wish = self._rules.models.get(spec.model)
        return base if wish is None else self._overridden(base, wish, spec.capabilities == _EMBEDS)

    def named(self, name: str, now: float) -> Price | None:
        """The price of a model that nobody has to serve: as configured, or that of `provider/model` on the list."""
        listed = None if self.published is None else self.published.named(name, now)
        base = None if listed is None else self._converted(listed, silent=False)
        wish = self._rules.models.get(name)
        return base if wish is None else self._overridden(base, wish, silent=False)

    def _hourly(self, spec: EndpointSpec, backend: BackendRates) -> Price | None:
        """An hour is shared by the slots: an endpoint that is full costs what the machine costs."""
        if backend.hour is None and backend.watts is None:
            return None
        rules = self._rules
        hour = (backend.hour or 0.0) + (backend.watts or 0.0) / 1000 * rules.kwh
        source = Source.CONFIGURED if spec.hosted else Source.LOCAL
        return Price(second=hour / _SECONDS / spec.slots, currency=rules.currency, source=source)

    def _listed(self, spec: EndpointSpec, backend: BackendRates, now: float) -> Price | None:
        if self.published is None or backend.url is None:
            return None
        found = self.published.at(backend.url, spec.model, now)
        return None if found is None else self._converted(found, spec.capabilities == _EMBEDS)

    def _converted(self, listed: Listed, silent: bool) -> Price | None:
        """In our currency. What is `silent` writes nothing, so that the price of that need not be known."""
        output = 0.0 if listed.output is None and silent else listed.output
        rate = 1.0 if self._rules.currency == "USD" else self._rules.dollar
        if listed.input is None or output is None or rate is None:
            return None
        above = [(start, self._converted(other, silent)) for start, other in listed.above]
        return Price(
            input=listed.input * rate,
            output=output * rate,
            cached=None if listed.cached is None else listed.cached * rate,
            request=listed.request * rate,
            above=tuple((start, price) for start, price in above if price is not None),
            currency=self._rules.currency,
            source=Source.PUBLISHED,
            since=listed.since,
            origin=listed.origin,
        )

    def _overridden(self, base: Price | None, wish: ModelRates, silent: bool) -> Price | None:
        if wish.input is None and wish.output is None and wish.cached is None:
            return base
        read = wish.input if wish.input is not None else base.input if base else None
        written = wish.output if wish.output is not None else base.output if base else None
        if written is None and silent:
            written = 0.0
        if read is None or written is None:
            return None
        return Price(
            input=read,
            output=written,
            cached=wish.cached if wish.cached is not None else base.cached if base else None,
            second=base.second if base else 0.0,
            request=base.request if base else 0.0,
            above=base.above if base and wish.input is None and wish.output is None else (),
            currency=self._rules.currency,
            source=Source.CONFIGURED,
        )
