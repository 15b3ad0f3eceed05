"""Which backend breaks when, and how: planned from a file and a seed before anything runs.

A backend is well for a while, exponentially distributed, then has one fault of the mix, and is well again. What
happens to one backend depends on the seed and its name alone, so processes that serve a part of a fleet each
agree on the whole of it.
"""

import tomllib
from collections.abc import Mapping
from random import Random

import msgspec

from orchestra_core.simulation.trace import FaultKind, InjectedFault


class BadMix(Exception):
    """A file of faults that cannot be used; the message says where and why."""


class Ingredient(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of fault: how often beside the others (`weight`), and from how many to how many `seconds`.

    The rest is what `InjectedFault` makes of it.
    """

    kind: FaultKind
    seconds: tuple[float, float]
    weight: float = 1.0
    after_tokens: int = 0
    anywhere: bool = False
    factor: float = 10.0
    probability: float = 1.0


class FaultMix(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`well_seconds`: mean time between the end of a fault and the next. `first_after`: none before."""

    well_seconds: float
    faults: tuple[Ingredient, ...]
    first_after: float = 0.0


class Planned(msgspec.Struct, frozen=True):
    """A fault and when it begins, in seconds since the schedule did."""

    at: float
    fault: InjectedFault


def read_mix(text: str) -> FaultMix:
    """A mix of faults from TOML: the table `[schedule]` of a file, or the whole of it; raises BadMix."""
    try:
        found: Mapping[str, object] = tomllib.loads(text)
        mix = msgspec.convert(found.get("schedule", found), FaultMix)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadMix(str(error)) from error
    for one in mix.faults:
        if not 0 < one.seconds[0] <= one.seconds[1] or one.weight <= 0 or one.factor <= 0:
            raise BadMix(f"{one.kind}: seconds must rise from above 0, weight and factor must be positive")
        if not 0 < one.probability <= 1 or one.after_tokens < 0:
            raise BadMix(f"{one.kind}: probability must be above 0 and at most 1, after_tokens not negative")
    if mix.well_seconds <= 0 or mix.first_after < 0 or not mix.faults:
        raise BadMix("well_seconds must be positive, first_after not negative, and there must be a fault")
    return mix


def plan(mix: FaultMix, backend: str, seed: int, until: float) -> tuple[Planned, ...]:
    """The faults of one backend that begin within `until` seconds, in order and never two at once."""
    rng = Random(f"{seed}\x1f{backend}")
    weights = [one.weight for one in mix.faults]
    planned: list[Planned] = []
    at = mix.first_after + rng.expovariate(1 / mix.well_seconds)
    while at < until:
        [chosen] = rng.choices(mix.faults, weights)
        seconds = rng.uniform(*chosen.seconds)
        planned.append(Planned(at, _injected(chosen, seconds)))
        at += seconds + rng.expovariate(1 / mix.well_seconds)
    return tuple(planned)


def _injected(chosen: Ingredient, seconds: float) -> InjectedFault:
    return InjectedFault(
        chosen.kind,
        after_tokens=chosen.after_tokens,
        seconds=seconds,
        factor=chosen.factor,
        probability=chosen.probability,
        anywhere=chosen.anywhere,
    )
