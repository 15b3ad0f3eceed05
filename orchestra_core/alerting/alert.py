"""One alert: its machine, what was last said of it, and what operators have made of it."""

import msgspec

from orchestra_core.alerting.machine import Machine, State
from orchestra_core.alerting.signals import Signal
from orchestra_core.domain.alerts import Severity, identity
from orchestra_core.domain.text import one_line


class Note(msgspec.Struct, frozen=True):
    """Who has taken note of an alert; `at` is Unix seconds."""

    by: str
    reason: str
    at: float


class Kept(msgspec.Struct, frozen=True):
    """What outlives the engine of an alert that fires. Times are Unix seconds."""

    rule: str
    subject: str
    level: int
    told: int
    fired: float
    message: str
    note: Note | None = None


class Alert:
    """`told` is the severity that was delivered and not yet taken back, `severity` what fires, or last did, or would.

    Times are Unix seconds.
    """

    __slots__ = (
        "fired", "id", "limit", "machine", "message", "note", "rule", "severity", "since", "state", "subject",
        "times", "told", "value",
    )  # fmt: skip

    def __init__(self, rule: str, subject: str, now: float) -> None:
        self.id = identity(rule, subject)
        self.rule = rule
        self.subject = one_line(subject)
        self.machine = Machine()
        self.state = State.OK
        self.since = now
        self.message = ""
        self.value: float | None = None
        self.limit: float | None = None
        self.told = Severity.NONE
        self.severity = Severity.NONE
        self.fired: float | None = None
        self.times = 0
        self.note: Note | None = None

    @classmethod
    def of(cls, kept: Kept, now: float) -> "Alert":
        """One that fired when an earlier engine ended."""
        alert = cls(kept.rule, kept.subject, now)
        level = Severity(min(max(kept.level, Severity.INFO), Severity.CRITICAL))
        alert.machine = Machine(level)
        alert.told = Severity(min(max(kept.told, Severity.NONE), level))
        alert.severity = level
        alert.state = State.FIRING
        alert.since = alert.fired = kept.fired
        alert.message, alert.note = kept.message, kept.note
        return alert

    def kept(self) -> Kept:
        return Kept(
            self.rule, self.subject, int(self.machine.level), int(self.told), self.fired or self.since, self.message,
            self.note,
        )  # fmt: skip

    def step(self, signal: Signal | None, now: float, wall: float, hold: float, clear: float) -> None:
        """`now` is monotonic; without a signal nothing is wrong, or nobody knows: both end it after a while."""
        raised = kept = Severity.NONE
        if signal is not None:
            raised, kept = signal.raised, signal.kept
            self.message = one_line(signal.message)
            self.value, self.limit = signal.value, signal.limit
        self.machine.step(raised, kept, now, hold, clear)
        self.severity = self.machine.level or raised or self.severity
        self._turn(self.machine.state, wall)

    def _turn(self, state: State, wall: float) -> None:
        if state is State.OK and self.fired is not None:
            state = State.RESOLVED
        if state is self.state:
            return
        if state is State.FIRING and self.state is not State.RESOLVING:
            self.fired, self.times = wall, self.times + 1
        self.state, self.since = state, wall
        if not self.firing:
            self.note = None

    @property
    def firing(self) -> bool:
        return self.state in (State.FIRING, State.RESOLVING)
