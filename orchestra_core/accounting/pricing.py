"""The price of an answer from token counts and prices per million tokens."""

from orchestra_core.domain.catalog import EndpointSpec
from orchestra_core.domain.reply import Usage

_MILLION = 1_000_000


def cost_of(spec: EndpointSpec, usage: Usage) -> float | None:
    """Both directions are counted. None when a price is unknown: never shown as zero."""
    if spec.price_input is None or spec.price_output is None:
        return None
    return (usage.prompt * spec.price_input + usage.completion * spec.price_output) / _MILLION
