"""Breakers that close and open again: their endpoint works just well enough to be tried by everybody."""

from collections import deque
from collections.abc import Iterable, Iterator

from orchestra_core.alerting.policy import Policy
from orchestra_core.alerting.signals import Signal
from orchestra_core.domain.alerts import Severity
from orchestra_core.domain.snapshot import BreakerView


class _Seen:
    """One breaker: its counter at the last look, whether it was closed since its last opening, and when it opened."""

    __slots__ = ("closed", "opened", "openings")

    def __init__(self, opened: int) -> None:
        self.opened = opened
        self.closed = False
        self.openings: deque[float] = deque(maxlen=100)


class Flapping:
    """Counts openings from closed: one that stays open and fails its probes is down, and does not flap.

    What an operator has tripped is not counted.
    """

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def signals(self, views: Iterable[BreakerView], policy: Policy, now: float) -> Iterator[Signal]:
        """`now` is monotonic seconds."""
        known, self._seen = self._seen, {}
        for view in views:
            seen = known.get(view.endpoint)
            if seen is None or view.opened < seen.opened:
                seen = _Seen(view.opened)
            self._seen[view.endpoint] = seen
            _look(view, seen, now)
            if seen.openings:
                yield from _judge(view, seen.openings, policy, now)


def _look(view: BreakerView, seen: _Seen, now: float) -> None:
    if view.opened > seen.opened:
        if seen.closed and not view.tripped:
            seen.openings.append(now)
        seen.opened, seen.closed = view.opened, False
    if view.state == "closed":
        seen.closed = True


def _judge(view: BreakerView, openings: deque[float], policy: Policy, now: float) -> Iterator[Signal]:
    while openings and openings[0] <= now - policy.breakers_window:
        openings.popleft()
    number, limit = len(openings), policy.breakers_openings
    kept = Severity.WARNING if number >= max(limit - 1, 1) else Severity.NONE
    if kept:
        raised = Severity.WARNING if number >= limit else Severity.NONE
        why = f"; last: {view.reason}" if view.reason else ""
        told = f"opened {number} times in {policy.breakers_window / 60:.0f} min{why}"
        yield Signal("breakers", view.endpoint, raised, kept, told, float(number), float(limit))
