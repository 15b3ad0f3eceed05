"""What ended in one stretch of time, and the most that was under way in it."""

from collections.abc import Mapping
from typing import Final

from orchestra_core.telemetry.buckets import merge

# Nobody looked at what was under way.
UNSEEN: Final = -1


class Tally:
    """Durations of successes in buckets: `waited` for the whole answer, `first` for its first token.

    `cost` is the known part, `cost_unknown` the requests that cost nobody knows what.
    """

    __slots__ = (
        "cost",
        "cost_unknown",
        "failures",
        "first",
        "inflight",
        "requests",
        "tokens_in",
        "tokens_out",
        "waited",
        "waiting",
    )

    def __init__(self) -> None:
        self.requests = 0
        self.failures = 0
        self.tokens_in = 0
        self.tokens_out = 0
        self.cost = 0.0
        self.cost_unknown = 0
        self.inflight = UNSEEN
        self.waiting = UNSEEN
        self.waited: dict[int, int] = {}
        self.first: dict[int, int] = {}

    def add(
        self,
        requests: int,
        failures: int,
        tokens_in: int,
        tokens_out: int,
        cost: float,
        cost_unknown: int,
        waited: Mapping[int, int],
        first: Mapping[int, int],
    ) -> None:
        self.requests += requests
        self.failures += failures
        self.tokens_in += tokens_in
        self.tokens_out += tokens_out
        self.cost += cost
        self.cost_unknown += cost_unknown
        merge(self.waited, waited)
        merge(self.first, first)

    def saw(self, inflight: int, waiting: int) -> None:
        """So much was under way at some moment of it."""
        self.inflight = max(self.inflight, inflight)
        self.waiting = max(self.waiting, waiting)

    def merge(self, other: "Tally") -> None:
        self.requests += other.requests
        self.failures += other.failures
        self.tokens_in += other.tokens_in
        self.tokens_out += other.tokens_out
        self.cost += other.cost
        self.cost_unknown += other.cost_unknown
        if other.waited:
            merge(self.waited, other.waited)
            merge(self.first, other.first)
        if other.inflight != UNSEEN:
            self.saw(other.inflight, other.waiting)
