"""What an endpoint charges for its work. An unknown price is None wherever a price is expected, never a zero."""

from collections.abc import Callable
from enum import StrEnum

import msgspec

_MILLION = 1_000_000


class Source(StrEnum):
    """Who says so: a list of published prices, the operator's configuration, or nobody, because it is our machine."""

    PUBLISHED = "published"
    CONFIGURED = "configured"
    LOCAL = "local"


class Price(msgspec.Struct, frozen=True, gc=False):
    """`input`, `output` and `cached` (input read from the server's cache; None: as any input) per million tokens,
    `second` for each second that one request takes, `request` for each request; all in `currency`.

    `above` are the prices of requests whose prompt has more tokens than the number beside each, in rising order: they
    hold for the whole request. `since` (Unix seconds) is when it began to be so, None where nobody tells, and `origin`
    where it is from, for people. `plain`: nothing but tokens in and out is charged, so that one multiplication each
    is all there is to do.
    """

    input: float = 0.0
    output: float = 0.0
    cached: float | None = None
    second: float = 0.0
    request: float = 0.0
    above: tuple[tuple[int, "Price"], ...] = ()
    currency: str = "USD"
    source: Source = Source.LOCAL
    since: float | None = None
    origin: str = ""
    plain: bool = True

    def __post_init__(self) -> None:
        plain = not (self.second or self.request or self.above)
        msgspec.structs.force_setattr(self, "plain", plain)

    @property
    def unmetered(self) -> bool:
        """Asking costs nothing but time."""
        return not (self.input or self.output or self.request or self.above)

    def charge(self, prompt: float, completion: float, cached: float = 0.0, seconds: float = 0.0) -> float:
        """The cost of so many tokens, `cached` of the prompt's among them, in a request that takes so long."""
        price = self
        for more_than, other in self.above:
            if prompt > more_than:
                price = other
        cost = prompt * price.input + completion * price.output
        if cached and price.cached is not None:
            cost -= min(cached, prompt) * (price.input - price.cached)
        if prompt or completion:
            cost += self.request * _MILLION
        return cost / _MILLION + seconds * self.second


FREE = Price()


class PriceView(msgspec.Struct, frozen=True):
    """A price as it is shown: `hour` that of an hour's use by one request, `since` RFC 3339, the rest as in Price.

    An unknown one is a PriceView of source "unknown", whose prices are None.
    """

    input: float | None = None
    output: float | None = None
    cached: float | None = None
    hour: float | None = None
    request: float | None = None
    above: tuple[tuple[int, float, float], ...] = ()
    currency: str = "USD"
    source: str = "unknown"
    since: str | None = None
    origin: str = ""


def view(price: Price | None, currency: str, spell: Callable[[float], str]) -> PriceView:
    """`currency` is that of unknown prices, `spell` writes Unix seconds."""
    if price is None:
        return PriceView(currency=currency)
    return PriceView(
        price.input,
        price.output,
        price.input if price.cached is None else price.cached,
        price.second * 3600,
        price.request,
        tuple((start, other.input, other.output) for start, other in price.above),
        price.currency,
        price.source.value,
        None if price.since is None else spell(price.since),
        price.origin,
    )


def in_words(shown: PriceView) -> str:
    """`0.25/2 USD` for tokens in and out, per million; an unknown price is called so."""
    if shown.input is None or shown.output is None:
        return "unknown"
    parts = [f"{shown.input:g}/{shown.output:g}"] if shown.input or shown.output else []
    parts += [f"{shown.request:g} a request"] if shown.request else []
    parts += [f"{shown.hour:g} an hour"] if shown.hour else []
    return f"{' + '.join(parts)} {shown.currency}" if parts else "free"
