"""A place that a request did not go to, and what it would have cost there."""

import msgspec

from orchestra_core.domain.price import Price
from orchestra_core.domain.reply import Usage

_MILLION = 1_000_000


class Elsewhere(msgspec.Struct, frozen=True, gc=False):
    """A place that a request could have gone to. Seconds: `start`, then `read` and `write` for each token."""

    endpoint: str
    price: Price | None
    context: int
    start: float = 0.0
    read: float = 0.0
    write: float = 0.0

    def charge(self, usage: Usage) -> float | None:
        """What these tokens would have cost here; None: unknown."""
        price, prompt, completion = self.price, usage.prompt, usage.completion
        if price is None or prompt + completion > self.context:
            return None
        if price.plain and not usage.cached:
            return (prompt * price.input + completion * price.output) / _MILLION
        seconds = self.start + prompt * self.read + completion * self.write if completion or prompt else 0.0
        return price.charge(prompt, completion, usage.cached, seconds)
