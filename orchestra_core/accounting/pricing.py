"""What an attempt cost."""

from typing import Final

from orchestra_core.domain.price import Price
from orchestra_core.domain.reply import Usage

_MILLION: Final = 1_000_000


def cost_of(price: Price | None, usage: Usage, seconds: float) -> float | None:
    """Of these tokens, made in so many seconds of an endpoint's time. None: nobody knows; never shown as zero.

    An attempt that brought no token was not charged for any, whatever a token costs.
    """
    if price is None:
        return None if usage.prompt or usage.completion else 0.0
    if price.plain and not usage.cached:
        return (usage.prompt * price.input + usage.completion * price.output) / _MILLION
    return price.charge(usage.prompt, usage.completion, usage.cached, seconds)
