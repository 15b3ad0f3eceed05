"""What a client's requirements mean in points: the weights of the utility, one preset per pair of levels.

One point is a doubling of the time the client waits, at the default weight. Everything else is priced in it:
the step from an 8B to a 70B model (about 0.25 of quality) is worth 1.5 points, a certain failure costs 4,
0.01 of the configured currency costs 1.
"""

from typing import TypeAlias

import msgspec

from orchestra_core.domain.call import Level, Requirements

# What the selector reckons with: the weights signed, and the references of time and cost and the limit in seconds.
Scale: TypeAlias = tuple[tuple[float, ...], float, float, float]


class Weights(msgspec.Struct, frozen=True, gc=False):
    """Weights of routing.md 4.2 and the scales that make its terms dimensionless.

    `time_reference` and `slo` are seconds, `cost_reference` is in the currency of the prices. Penalties are
    given as positive numbers; `signed` has them as they enter the sum.
    """

    quality: float = 6.0
    time: float = 1.0
    slo: float = 2.0
    cost: float = 1.0
    failure: float = 4.0
    external: float = 1.0
    preference: float = 0.5
    time_reference: float = 5.0
    cost_reference: float = 0.01
    slo_seconds: float = 60.0

    def signed(self) -> tuple[float, ...]:
        """In the order of `decision.TERMS`."""
        return (
            self.quality,
            -self.time,
            -self.slo,
            -self.cost,
            -self.failure,
            -self.external,
            self.preference,
        )

    def scale(self) -> Scale:
        return self.signed(), self.time_reference, self.cost_reference, self.slo_seconds


_QUALITY = {None: 6.0, Level.LOW: 2.0, Level.MEDIUM: 6.0, Level.HIGH: 14.0}
# Points per doubling, the time from which doublings count, and the limit the client is taken to have.
_SPEED = {
    None: (1.0, 5.0, 60.0),
    Level.LOW: (0.4, 10.0, 180.0),
    Level.MEDIUM: (1.0, 5.0, 60.0),
    Level.HIGH: (3.0, 1.0, 10.0),
}


def _preset(speed: Level | None, quality: Level | None) -> Weights:
    time, reference, limit = _SPEED[speed]
    # Who is content with low quality is not asking to pay for more of it.
    cost = 3.0 if quality is Level.LOW else 1.0
    return Weights(
        quality=_QUALITY[quality], time=time, cost=cost, time_reference=reference, slo_seconds=limit
    )


_LEVELS = (None, Level.LOW, Level.MEDIUM, Level.HIGH)
_PRESETS = {speed: {quality: _preset(speed, quality) for quality in _LEVELS} for speed in _LEVELS}
_SCALES = {
    speed: {quality: weights.scale() for quality, weights in presets.items()}
    for speed, presets in _PRESETS.items()
}


def preset(requirements: Requirements) -> Weights:
    """The weights for these requirements."""
    return _PRESETS[requirements.speed][requirements.quality]


def scale_of(requirements: Requirements) -> Scale:
    """The same as the selector reckons with them."""
    return _SCALES[requirements.speed][requirements.quality]
