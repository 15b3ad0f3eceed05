"""All alerts: what fires, what is delivered of it, and what operators say to it."""

from collections.abc import Callable, Iterable
from difflib import get_close_matches

import msgspec

from orchestra_core.alerting.alert import Alert, Kept, Note
from orchestra_core.alerting.machine import State
from orchestra_core.alerting.policy import Policy
from orchestra_core.alerting.signals import Signal
from orchestra_core.alerting.silences import Silence, Silences
from orchestra_core.domain.alerts import AlertView, Severity, SilenceView, identity
from orchestra_core.domain.errors import NotFound, OperationFailed

# What is over is shown for so long, and at most so many of it.
RESOLVED_SECONDS = 3600.0
_RESOLVED = 100
_RANK = {State.FIRING: 0, State.RESOLVING: 0, State.PENDING: 1, State.RESOLVED: 2}


class Change(msgspec.Struct, frozen=True):
    """Something to deliver: alert.fired, .escalated, .eased or .resolved."""

    kind: str
    view: AlertView


class Waiting(msgspec.Struct, frozen=True):
    """What a webhook, by its name, had not been sent when the engine ended."""

    name: str
    kind: str
    delivery: str
    body: str


class Memory(msgspec.Struct, frozen=True):
    """What outlives the engine."""

    silences: tuple[Silence, ...] = ()
    alerts: tuple[Kept, ...] = ()
    waiting: tuple[Waiting, ...] = ()


class Board:
    """`version` rises whenever what outlives the engine has changed; `stamp` writes Unix seconds for people.

    Of each alert that is delivered as fired its end is delivered too, also when it was silenced in between. What is
    silenced is delivered when the silence ends while it still fires, and not at all if it does not.
    """

    def __init__(self, stamp: Callable[[float], str]) -> None:
        self._stamp = stamp
        self._alerts: dict[str, Alert] = {}
        self._silences = Silences()
        self.views: tuple[AlertView, ...] = ()
        self.version = 0

    # -- over the lives of an engine

    def memory(self) -> Memory:
        """Alerts that were never delivered are not in it: an engine that starts looks for itself."""
        return Memory(
            self._silences.all, tuple(alert.kept() for alert in self._alerts.values() if alert.told)
        )

    def restore(self, memory: Memory, wall: float) -> None:
        """What an earlier engine kept. Alerts fire on until they were looked at for the usual time."""
        self._silences.restore(memory.silences)
        self._alerts = {alert.id: alert for alert in (Alert.of(kept, wall) for kept in memory.alerts)}
        self._show()

    # -- time

    def step(self, signals: Iterable[Signal], policy: Policy, now: float, wall: float) -> list[Change]:
        """One look at everything: `now` is monotonic, `wall` Unix seconds. What is to be delivered, worst first."""
        if self._silences.expire(wall):
            self.version += 1
        found = {identity(signal.rule, signal.subject): signal for signal in signals}
        for name, signal in found.items():
            if name not in self._alerts:
                self._alerts[name] = Alert(signal.rule, signal.subject, wall)
        changes = []
        for name, alert in self._alerts.items():
            alert.step(found.get(name), now, wall, policy.hold(alert.rule), policy.resolve_seconds)
            kind = self._told(alert)
            if kind:
                changes.append(Change(kind, self._view(alert)))
        self._forget(wall)
        self._show()
        return sorted(changes, key=lambda change: -_ranked(change.view))

    def _told(self, alert: Alert) -> str:
        """What is to be delivered of an alert now, if anything."""
        level, told = alert.machine.level, alert.told
        if level == told:
            return ""
        quiet = self._silences.of(alert.id, alert.rule) is not None
        if level > told and quiet:
            return ""
        self.version += 1
        alert.told = level
        if level > told:
            # Who took note of a warning has not seen that it became critical.
            alert.note = None
            return "alert.escalated" if told else "alert.fired"
        if not level:
            return "alert.resolved"
        return "" if quiet else "alert.eased"

    def _forget(self, wall: float) -> None:
        over = [
            alert for alert in self._alerts.values() if not alert.firing and alert.state is not State.PENDING
        ]
        old = [each for each in over if each.fired is None or each.since <= wall - RESOLVED_SECONDS]
        left = sorted((each for each in over if each not in old), key=lambda each: each.since)
        for alert in (*old, *left[:-_RESOLVED]):
            del self._alerts[alert.id]

    # -- operators

    def acknowledge(self, name: str, by: str, reason: str, wall: float) -> AlertView:
        """Raises NotFound, or OperationFailed for one that does not fire."""
        alert = self.find(name)
        if not alert.firing:
            raise OperationFailed(
                f"{alert.id} is {alert.state}: only what fires can be acknowledged", code="not_firing"
            )
        alert.note = Note(by, reason, wall)
        self._changed(wall)
        return self._view(alert)

    def silence(self, name: str, seconds: float, by: str, reason: str, wall: float) -> SilenceView:
        """Keeps an alert, or a rule by its name, quiet for so long; also one that does not fire (yet)."""
        made = Silence(name, wall + seconds, by, reason, wall)
        self._silences.add(made)
        self._changed(wall)
        return self._silence_view(made)

    def unsilence(self, name: str, wall: float) -> SilenceView:
        """Raises NotFound where that is not silenced."""
        ended = self._silences.remove(name)
        self._changed(wall)
        return self._silence_view(ended)

    def find(self, name: str) -> Alert:
        alert = self._alerts.get(name)
        if alert is None:
            near = get_close_matches(name, self._alerts, n=3, cutoff=0.4)
            hint = (
                f"did you mean {' or '.join(near)}?"
                if near
                else "`ai-orchestra alerts --all` lists what there is"
            )
            raise NotFound(f"there is no alert {name[:128]!r}; {hint}", param="id", code="alert_not_found")
        return alert

    def _changed(self, wall: float) -> None:
        self.version += 1
        self._silences.expire(wall)
        self._show()

    # -- showing

    @property
    def silences(self) -> tuple[SilenceView, ...]:
        return tuple(self._silence_view(each) for each in self._silences.all)

    def _show(self) -> None:
        shown = [alert for alert in self._alerts.values() if alert.state is not State.OK]
        # The worst first, and of those the newest; what is over by when that was.
        shown.sort(key=lambda each: (_RANK[each.state], -each.severity * each.firing, -each.since, each.id))
        self.views = tuple(self._view(alert) for alert in shown)

    def _view(self, alert: Alert) -> AlertView:
        note, silence = alert.note, self._silences.of(alert.id, alert.rule)
        return AlertView(
            id=alert.id,
            rule=alert.rule,
            subject=alert.subject,
            severity=alert.severity.word,
            state=alert.state.value,
            since=self._stamp(alert.since),
            message=alert.message,
            value=alert.value,
            limit=alert.limit,
            fired=None if alert.fired is None else self._stamp(alert.fired),
            times=alert.times,
            acknowledged="" if note is None else note.by,
            acknowledged_at=None if note is None else self._stamp(note.at),
            acknowledged_reason="" if note is None else note.reason,
            silenced_until=None if silence is None else self._stamp(silence.until),
            silenced_by="" if silence is None else silence.by,
            silenced_reason="" if silence is None else silence.reason,
        )

    def _silence_view(self, silence: Silence) -> SilenceView:
        return SilenceView(
            silence.target, self._stamp(silence.until), silence.by, silence.reason, self._stamp(silence.at)
        )


def _ranked(view: AlertView) -> int:
    return Severity[view.severity.upper()]
