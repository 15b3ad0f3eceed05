"""Memory that models need, and memory there is. Sizes are bytes; None is "not known", never zero."""

from enum import IntEnum, StrEnum

import msgspec

# The pool of this machine's own memory; all others are GPUs or other machines.
HOST = "host"


class Shape(msgspec.Struct, frozen=True, gc=False):
    """What of a model decides the memory it needs, apart from how it is loaded.

    `cache_per_token` are the keys and values of one token in all layers that attend to the whole context,
    `window_per_token` those of the layers that attend to the last `window` tokens only.
    """

    weights: int
    cache_per_token: int = 0
    window_per_token: int = 0
    window: int = 0
    layers: int = 0
    embedding: int = 0
    vocabulary: int = 0


class Basis(StrEnum):
    """What a prediction rests on: an earlier load in the same size, metadata, or the weights' size alone."""

    MEASURED = "measured"
    METADATA = "metadata"
    SIZE = "size"


class Need(msgspec.Struct, frozen=True, gc=False):
    """What is reserved for a model. `bytes` has the correction in it, the parts of it have not.

    `growth` is what it may take beyond that while it is used (kept states of conversations); it is part of `bytes`
    and not seen after a load. `error` is the mean relative error of this engine's recent predictions, before
    correction.
    """

    bytes: int
    weights: int = 0
    cache: int = 0
    working: int = 0
    growth: int = 0
    factor: float = 1.0
    basis: Basis = Basis.SIZE
    error: float | None = None

    @property
    def predicted(self) -> int:
        """What should be measured once it is loaded, by the formula alone: without correction and growth."""
        return self.weights + self.cache + self.working

    @property
    def is_limited(self) -> bool:
        """Whether it is less than the formula makes it, because a pool has no more."""
        return self.bytes < 0.97 * (self.predicted * self.factor + self.growth)


class Reading(msgspec.Struct, frozen=True, gc=False):
    """One pool of memory at one moment. `used` by anybody; None where nobody measures it."""

    total: int
    used: int | None = None


class Rule(msgspec.Struct, frozen=True, gc=False):
    """What an operator wants of one model.

    At most one model of a `group` is resident in a pool. `ttl` is seconds after the last completion, `copies` the
    number of endpoints on which it may be resident at once, `memory` the most it may need on any.
    """

    pinned: bool = False
    group: str = ""
    ttl: float | None = None
    copies: int | None = None
    memory: int | None = None


class Quota(msgspec.Struct, frozen=True, gc=False):
    """What an operator allows one backend: bytes for models, and how many of them at once."""

    memory: int | None = None
    loaded: int | None = None


class Pressure(IntEnum):
    """How full a pool is: no speculation from WARNING on, idle models go when FULL, nothing is loaded when CRITICAL."""

    CALM = 0
    WARNING = 1
    FULL = 2
    CRITICAL = 3
