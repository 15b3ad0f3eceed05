"""What a circuit breaker goes by, and what it remembers: values, apart from it so that it can be compiled."""

import msgspec


class Policy(msgspec.Struct, frozen=True):
    """Times in seconds; `ratio` and `jitter` are fractions. Sources: reliability.md section 3."""

    consecutive: int = 5
    ratio: float = 0.5
    minimum: int = 10
    window: float = 30.0
    open_for: float = 5.0
    open_max: float = 60.0
    jitter: float = 0.5
    probes: int = 1
    successes: int = 2
    patience: float = 120.0
    ramp: float = 10.0
    least: float = 0.1
    force_every: float = 1.0


class Trip(msgspec.Struct, frozen=True, gc=False):
    at: float
    reason: str
    requests: tuple[str, ...]
