"""What is alarming, and for how long it has to be so."""

import msgspec

# Every rule there is, with what it watches. A rule is switched off by its name.
RULES = {
    "memory": "memory of the host and of each pool",
    "models": "whether any model can be routed to",
    "backends": "configured backends that are down",
    "errors": "the share of requests that fail",
    "latency": "each endpoint's speed against its own baseline",
    "breakers": "breakers that close and open again",
    "budgets": "money spent, by the thresholds of each budget",
    "journal": "records that wait for the database",
    "database": "trouble with the database",
    "disk": "free space where the engine writes",
}


class Policy(msgspec.Struct, frozen=True):
    """Shares are 0..1, sizes bytes, `…_seconds` how long a condition must hold without a break before it fires.

    An alert is over when it has been below its limit, by a margin, for `resolve_seconds`. `errors_window` seconds are
    looked at, and fewer than `errors_requests` in them say nothing. `latency_warning` and `latency_critical` are how
    many times slower than its baseline an endpoint is, `latency_samples` the answers a baseline needs. Openings of a
    breaker after it had closed are counted for `breakers_window` seconds.
    """

    off: tuple[str, ...] = ()
    resolve_seconds: float = 60.0
    memory_warning: float = 0.70
    memory_critical: float = 0.90
    memory_seconds: float = 30.0
    models_seconds: float = 15.0
    backends_seconds: float = 30.0
    errors_warning: float = 0.10
    errors_critical: float = 0.50
    errors_window: int = 60
    errors_requests: int = 20
    errors_seconds: float = 10.0
    latency_warning: float = 2.0
    latency_critical: float = 5.0
    latency_samples: int = 50
    latency_seconds: float = 30.0
    breakers_openings: int = 3
    breakers_window: float = 600.0
    journal_warning: float = 0.25
    journal_critical: float = 0.75
    journal_seconds: float = 10.0
    database_seconds: float = 10.0
    disk_warning: int = 2 * 1024**3
    disk_critical: int = 512 * 1024**2
    disk_seconds: float = 30.0

    def hold(self, rule: str) -> float:
        """Seconds a condition of this rule must hold before it fires; rules that count over a window need none."""
        return float(getattr(self, f"{rule}_seconds", 0.0))
