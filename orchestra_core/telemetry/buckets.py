"""Durations counted in buckets that grow by 5 %: no samples are kept, and a quantile is exact to 2.5 %."""

from collections.abc import Iterable, Mapping
from math import exp, log
from typing import Final

# Durations are counted from 0.1 ms.
_SHORTEST: Final = 1e-4
_GROWTH: Final = log(1.05)


def counted(durations: Iterable[float]) -> dict[int, int]:
    """By bucket how many of these are in it; seconds."""
    buckets: dict[int, int] = {}
    for seconds in durations:
        bucket = int(log(seconds / _SHORTEST) / _GROWTH) + 1 if seconds > _SHORTEST else 0
        buckets[bucket] = buckets.get(bucket, 0) + 1
    return buckets


def merge(into: dict[int, int], more: Mapping[int, int]) -> None:
    for bucket, number in more.items():
        into[bucket] = into.get(bucket, 0) + number


def quantile(buckets: Mapping[int, int], q: float) -> float | None:
    """The duration that a share `q` (0..1) did not exceed, within 2.5 %; None without any."""
    wanted = q * sum(buckets.values())
    for bucket in sorted(buckets):
        wanted -= buckets[bucket]
        if wanted <= 0:
            # The middle, in ratio, of the bucket's two bounds.
            return _SHORTEST * exp(_GROWTH * (bucket - 0.5)) if bucket else _SHORTEST
    return None
