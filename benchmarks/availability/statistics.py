"""Intervals of shares: Wilson's within one run, the bootstrap over runs. Pure."""

from collections.abc import Sequence
from math import sqrt
from random import Random

_Z = 1.959964
_DRAWS = 10_000


def wilson(good: int, offered: int) -> tuple[float, float]:
    """The 95 % interval of a share of independent trials; they are not, within a run faults hit many at once."""
    if not offered:
        return 0.0, 1.0
    share, z2 = good / offered, _Z * _Z
    middle = (share + z2 / (2 * offered)) / (1 + z2 / offered)
    half = _Z * sqrt(share * (1 - share) / offered + z2 / (4 * offered * offered)) / (1 + z2 / offered)
    return max(0.0, middle - half), min(1.0, middle + half)


def bootstrap(runs: Sequence[tuple[int, int]], seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of the pooled share of runs given as (good, offered); runs are what is drawn.

    With every run perfect it is a point: then only Wilson's over all of them says how sure that is.
    """
    rng = Random(seed)
    shares = sorted(_pooled(rng.choices(runs, k=len(runs))) for _ in range(_DRAWS))
    return shares[int(0.025 * _DRAWS)], shares[int(0.975 * _DRAWS) - 1]


def _pooled(runs: Sequence[tuple[int, int]]) -> float:
    offered = sum(run[1] for run in runs)
    return sum(run[0] for run in runs) / offered if offered else 0.0
