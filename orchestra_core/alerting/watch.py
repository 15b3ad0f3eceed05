"""All rules and all alerts: facts in, changes out."""

from collections.abc import Callable, Iterator

from orchestra_core.alerting.board import Board, Change
from orchestra_core.alerting.facts import Facts
from orchestra_core.alerting.flapping import Flapping
from orchestra_core.alerting.latency import Latency
from orchestra_core.alerting.policy import Policy
from orchestra_core.alerting.rules import evaluate
from orchestra_core.alerting.signals import Signal


class Watch:
    """`look` about once a second: the rules count seconds, not looks. `stamp` writes Unix seconds for people."""

    def __init__(self, stamp: Callable[[float], str]) -> None:
        self.board = Board(stamp)
        self._latency = Latency()
        self._flapping = Flapping()

    def look(self, facts: Facts, policy: Policy, now: float, wall: float) -> list[Change]:
        """`now` is monotonic, `wall` Unix seconds."""
        return self.board.step(self._signals(facts, policy, now), policy, now, wall)

    def _signals(self, facts: Facts, policy: Policy, now: float) -> Iterator[Signal]:
        yield from evaluate(facts, policy)
        # These learn also while they are off: switched on, they know what is usual.
        latency = self._latency.signals(facts.snapshot.models, policy, now)
        flapping = self._flapping.signals(facts.snapshot.breakers, policy, now)
        for name, signals in (("latency", latency), ("breakers", flapping)):
            found = list(signals)
            if name not in policy.off:
                yield from found
