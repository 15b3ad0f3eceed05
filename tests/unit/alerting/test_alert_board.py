"""What is delivered of alerts, through silences, acknowledgements and restarts, over random histories."""

import re
from collections import defaultdict

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from orchestra_core.alerting.board import RESOLVED_SECONDS, Board, Change, Memory
from orchestra_core.alerting.policy import Policy
from orchestra_core.alerting.signals import Signal
from orchestra_core.domain.alerts import Severity
from orchestra_core.domain.errors import NotFound, OperationFailed

POLICY = Policy(memory_seconds=2, resolve_seconds=3)
LIVES = re.compile(
    r"(alert.fired (alert.(escalated|eased) )*alert.resolved )*(alert.fired (alert.(escalated|eased) )*)?"
)
SUBJECTS = ("host", "gpu:0")


def at(wall: float) -> str:
    return f"{wall:.0f}"


def so(subject: str, severity: Severity) -> Signal:
    return Signal("memory", subject, severity, severity, f"{subject} is {severity.word}")


class Machine(RuleBasedStateMachine):
    """A board over two subjects; every restart goes through what it would write down."""

    def __init__(self) -> None:
        super().__init__()
        self.board = Board(at)
        self.now, self.wall = 0.0, 1000.0
        self.is_now = dict.fromkeys(SUBJECTS, Severity.NONE)
        self.told: dict[str, list[str]] = defaultdict(list)
        self.quiet: dict[str, float] = {}

    @rule(subject=st.sampled_from(SUBJECTS), severity=st.sampled_from(Severity))
    def become(self, subject: str, severity: Severity) -> None:
        self.is_now[subject] = severity

    @rule(seconds=st.sampled_from([0.5, 1.0, 2.0, 4.0]))
    def look(self, seconds: float) -> None:
        self.now += seconds
        self.wall += seconds
        signals = [so(subject, severity) for subject, severity in self.is_now.items() if severity]
        for change in self.board.step(signals, POLICY, self.now, self.wall):
            self.hear(change)

    def hear(self, change: Change) -> None:
        name = change.view.id
        if change.kind in ("alert.fired", "alert.escalated", "alert.eased"):
            until = max(self.quiet.get(name, 0.0), self.quiet.get("memory", 0.0))
            assert self.wall >= until, f"{change.kind} of {name} while silenced"
        self.told[name].append(change.kind)

    @rule(
        which=st.sampled_from(["memory", "memory:host", "memory:gpu:0"]), seconds=st.sampled_from([1.0, 5.0])
    )
    def silence(self, which: str, seconds: float) -> None:
        self.board.silence(which, seconds, "ann", "", self.wall)
        self.quiet[which] = self.wall + seconds

    @rule(which=st.sampled_from(["memory", "memory:host"]))
    def unsilence(self, which: str) -> None:
        quiet = self.quiet.pop(which, 0.0) > self.wall
        try:
            self.board.unsilence(which, self.wall)
        except NotFound:
            assert not quiet

    @rule(subject=st.sampled_from(SUBJECTS))
    def acknowledge(self, subject: str) -> None:
        name = f"memory:{subject}"
        firing = any(view.id == name and view.firing for view in self.board.views)
        try:
            assert self.board.acknowledge(name, "ann", "seen", self.wall).acknowledged == "ann"
            assert firing
        except (NotFound, OperationFailed):
            assert not firing

    @rule()
    def restart(self) -> None:
        kept = msgspec.json.decode(msgspec.json.encode(self.board.memory()), type=Memory)
        self.board = Board(at)
        self.board.restore(kept, self.wall)

    @invariant()
    def each_life_is_told_from_its_beginning_to_its_end(self) -> None:
        for kinds in self.told.values():
            assert LIVES.fullmatch("".join(f"{kind} " for kind in kinds)), kinds

    @invariant()
    def what_is_told_and_not_taken_back_is_shown_as_firing(self) -> None:
        firing = {view.id for view in self.board.views if view.firing}
        for name, kinds in self.told.items():
            assert kinds[-1] == "alert.resolved" or name in firing


Machine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestBoard = Machine.TestCase


class Lines:
    """A board looked at once a second."""

    def __init__(self) -> None:
        self.board = Board(at)
        self.now = 0.0

    def go(self, seconds: int, *signals: Signal) -> list[str]:
        told = []
        for _ in range(seconds):
            self.now += 1
            told += [
                f"{change.kind} {change.view.id} {change.view.severity}"
                for change in self.board.step(signals, POLICY, self.now, 1000 + self.now)
            ]
        return told


def test_a_life_is_told_with_its_severities() -> None:
    """Fired, escalated, eased, resolved; what is over is shown for an hour."""
    lines = Lines()
    warning, critical = so("host", Severity.WARNING), so("host", Severity.CRITICAL)
    assert lines.go(3, warning) == ["alert.fired memory:host warning"]
    assert lines.go(3, critical) == ["alert.escalated memory:host critical"]
    assert lines.go(4, warning) == ["alert.eased memory:host warning"]
    assert lines.go(4) == ["alert.resolved memory:host warning"]
    (view,) = lines.board.views
    assert (view.state, view.fired, view.since, view.times) == ("resolved", "1003", "1014", 1)
    lines.go(int(RESOLVED_SECONDS))
    assert lines.board.views == ()


def test_what_comes_and_goes_is_not_told() -> None:
    """A second of it is pending and then forgotten."""
    lines = Lines()
    for _ in range(20):
        assert lines.go(1, so("host", Severity.CRITICAL)) == []
        assert [view.state for view in lines.board.views] == ["pending"]
        assert lines.go(1) == []
    assert lines.board.views == ()


def test_who_took_note_of_a_warning_did_not_of_what_became_of_it() -> None:
    """An escalation takes the acknowledgement back; so does the end."""
    lines = Lines()
    lines.go(3, so("host", Severity.WARNING))
    view = lines.board.acknowledge("memory:host", "ann", "growing", 1003.0)
    assert (view.acknowledged, view.acknowledged_reason, view.acknowledged_at) == ("ann", "growing", "1003")
    lines.go(1, so("host", Severity.WARNING))
    assert lines.board.views[0].acknowledged == "ann"
    lines.go(3, so("host", Severity.CRITICAL))
    assert lines.board.views[0].acknowledged == ""


def test_a_silence_ends_and_what_still_fires_is_told() -> None:
    """Of one alert or of all of its rule."""
    lines = Lines()
    lines.board.silence("memory", 10, "ann", "moving house", 1000.0)
    assert lines.go(9, so("host", Severity.WARNING), so("gpu:0", Severity.CRITICAL)) == []
    assert {(view.state, view.silenced_by) for view in lines.board.views} == {("firing", "ann")}
    assert lines.go(1, so("host", Severity.WARNING), so("gpu:0", Severity.CRITICAL)) == [
        "alert.fired memory:gpu:0 critical",
        "alert.fired memory:host warning",
    ]
    assert lines.board.silences == ()


@pytest.mark.parametrize(
    ("target", "hint"),
    [("memory:hots", "did you mean memory:host"), ("zzz", "`ai-orchestra alerts --all` lists what there is")],
)
def test_a_wrong_id_is_answered_with_the_nearest(target: str, hint: str) -> None:
    """Of those there are."""
    lines = Lines()
    lines.go(3, so("host", Severity.WARNING))
    with pytest.raises(NotFound, match=hint):
        lines.board.acknowledge(target, "ann", "", 1000.0)


def test_a_rule_that_is_not_there_cannot_be_silenced() -> None:
    """A silence nobody would ever meet is a mistake; one for an alert that is yet to come is not."""
    lines = Lines()
    with pytest.raises(NotFound, match="did you mean memory"):
        lines.board.silence("memry:host", 10, "ann", "", 1000.0)
    assert lines.board.silence("disk:state", 10, "ann", "", 1000.0).until == "1010"
    lines.board.silence("memory", 10, "ann", "", 1000.0)
    with pytest.raises(NotFound, match="its rule is: unsilence memory"):
        lines.board.unsilence("memory:host", 1000.0)


def test_what_was_never_told_is_not_told_by_the_next_engine() -> None:
    """It fired in silence, the engine ended, and so did what was wrong: nobody hears of it."""
    lines = Lines()
    lines.board.silence("memory", 1000, "ann", "", 1000.0)
    lines.go(5, so("host", Severity.CRITICAL))
    kept = lines.board.memory()
    lines.board = Board(at)
    lines.board.restore(kept, 1006.0)
    lines.board.unsilence("memory", 1006.0)
    assert lines.go(20) == []


def test_an_alert_goes_on_in_the_next_engine() -> None:
    """It fires on with its acknowledgement and is not told again; its end is told."""
    lines = Lines()
    lines.go(3, so("host", Severity.WARNING))
    lines.board.acknowledge("memory:host", "ann", "known", 1003.0)
    kept = lines.board.memory()
    lines.board = Board(at)
    lines.board.restore(kept, 1100.0)
    assert lines.go(5, so("host", Severity.WARNING)) == []
    (view,) = lines.board.views
    assert (view.state, view.fired, view.acknowledged) == ("firing", "1003", "ann")
    assert lines.go(4) == ["alert.resolved memory:host warning"]
