"""Where a memory is going: whether it has just risen or fallen, and when it reaches a limit if it goes on like this.

Memory jumps when a model is loaded, and wobbles; neither says anything of the next minutes. Something is foretold only
where nearly all readings of some minutes rise, the last ones too, and not many times as far ahead as they reach back.
"""

from collections.abc import Sequence
from itertools import combinations
from statistics import median

import msgspec

# A share of the whole: what is less is no change.
_LEAST = 0.01
# Readings, and the seconds they reach over, before anything is foretold.
_FEWEST, _SHORTEST = 7, 60.0
_RISING = 0.8
# What is called lately, for the arrow and for whether it still rises.
LATELY = 60.0
_AHEAD, _FARTHEST = 6.0, 1800.0

Readings = Sequence[tuple[float, float]]


class Trend(msgspec.Struct, frozen=True):
    """`direction` is 1, 0 or -1 over the last minute; `slope` the share of the whole it rises by in a second, None: it
    is not rising steadily; `reach` the seconds that may be foretold."""

    direction: int = 0
    slope: float | None = None
    reach: float = 0.0


STILL = Trend()


def trend(readings: Readings) -> Trend:
    """Of (seconds, share in use), oldest first."""
    if len(readings) < 2:
        return STILL
    shares = [share for _, share in readings]
    if max(shares) - min(shares) < _LEAST:
        return STILL
    end, last = readings[-1]
    begin = next((share for at, share in readings if at >= end - LATELY), last)
    lately = last - begin
    direction = 0 if abs(lately) < _LEAST else 1 if lately > 0 else -1
    span = end - readings[0][0]
    if direction <= 0 or len(readings) < _FEWEST or span < _SHORTEST:
        return Trend(direction)
    slope = _steady(readings)
    if slope is None or lately < slope * LATELY / 2:
        return Trend(direction)
    return Trend(direction, slope, min(span * _AHEAD, _FARTHEST))


def _steady(readings: Readings) -> float | None:
    """The median of the slopes between all pairs (Theil-Sen), which a few odd readings do not turn; None where too
    many pairs do not rise."""
    slopes = [(y - x) / (b - a) for (a, x), (b, y) in combinations(readings, 2) if b > a]
    rising = sum(slope > 0 for slope in slopes)
    return median(slopes) if slopes and rising >= _RISING * len(slopes) else None


def foretold(now: Trend, share: float, limits: Sequence[float]) -> str:
    """`~6 min to 90 %`: the next limit, if it will be reached in a time that can be foretold; else empty."""
    ahead = [limit for limit in sorted(limits) if limit > share]
    if now.slope is None or not ahead:
        return ""
    seconds = (ahead[0] - share) / now.slope
    if seconds > now.reach:
        return ""
    minutes = round(seconds / 60)
    # Beyond ten minutes nobody knows it to the minute.
    rough = minutes if minutes <= 10 else 5 * round(minutes / 5)
    return f"{f'~{rough}' if minutes else '<1'} min to {ahead[0] * 100:.0f} %"
