"""What an endpoint charges for its work. An unknown price is None wherever a price is expected, never a zero."""

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
