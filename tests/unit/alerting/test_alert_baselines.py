"""Rules with a memory: endpoints that became slower, breakers that flap."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.alerting.flapping import Flapping
from orchestra_core.alerting.latency import ADOPT_SECONDS, STALE_SECONDS, Latency
from orchestra_core.alerting.policy import Policy
from orchestra_core.alerting.signals import Signal
from orchestra_core.alerting.watch import Watch
from orchestra_core.domain.alerts import Severity
from orchestra_core.domain.snapshot import BreakerView, ModelView
from tests.fakes.world import World
from tests.unit.alerting.facts import facts

POLICY = Policy()
VIEW = World().snapshot().models[1]


class Answers:
    """An endpoint looked at once a second, with some answers in each."""

    def __init__(self) -> None:
        self.rule = Latency()
        self.now = 0.0
        self.number = 0

    def view(self, first: float = 1.0, token: float = 1.0, waited: float = 1.0) -> ModelView:
        return msgspec.structs.replace(
            VIEW,
            first_token_ratio=first,
            token_ratio=token,
            first_token_seconds=waited * first,
            tokens_per_second=20.0 / token,
            speed_observations=self.number,
        )

    def go(
        self, seconds: int, first: float = 1.0, token: float = 1.0, *, answers: int = 2, waited: float = 1.0
    ) -> list[Signal]:
        """What was said in the last of these seconds."""
        found: list[Signal] = []
        for _ in range(seconds):
            self.now += 1
            self.number += answers
            found = list(self.rule.signals([self.view(first, token, waited)], POLICY, self.now))
        return found


def raised(found: list[Signal]) -> Severity:
    return max((each.raised for each in found), default=Severity.NONE)


@pytest.mark.parametrize(("first", "token"), [(2.2, 1.0), (1.0, 2.2)])
def test_an_endpoint_that_became_slower_is_told(first: float, token: float) -> None:
    """Twice as slow as it was is a warning, five times critical, whichever of the two it is in."""
    answers = Answers()
    assert answers.go(100) == []
    (signal,) = answers.go(1, first, token)
    assert (signal.raised, signal.subject) == (Severity.WARNING, VIEW.id)
    assert "2.2 times slower than usual here" in signal.message
    assert raised(answers.go(1, first * 2.5, token * 2.5)) is Severity.CRITICAL


def test_what_was_always_slow_is_not_slower() -> None:
    """Only its own past counts: predictions that were ten times wrong all along say nothing."""
    answers = Answers()
    assert answers.go(300, 10.0, 10.0) == []


def test_a_baseline_needs_its_samples() -> None:
    """Before that nothing is usual."""
    answers = Answers()
    answers.go(10)
    assert answers.go(14, 9.0) == []


def test_the_baseline_stands_still_while_the_endpoint_is_slow() -> None:
    """Hours of slowness do not become the usual; better than the margin, it is over."""
    answers = Answers()
    answers.go(100)
    assert raised(answers.go(7200, 3.0, answers=5)) is Severity.WARNING
    (kept,) = answers.go(1, 1.7)
    assert (kept.raised, kept.kept) == (Severity.NONE, Severity.WARNING)
    assert answers.go(1, 1.3) == []


def test_what_was_so_for_a_day_is_usual() -> None:
    """Then somebody has changed something, and it stays."""
    answers = Answers()
    answers.go(100)
    assert raised(answers.go(2, 3.0)) is Severity.WARNING
    answers.now += ADOPT_SECONDS
    assert answers.go(100, 3.0) == []


def test_an_endpoint_nobody_uses_is_not_slow_for_ever() -> None:
    """And is told of again when it is used and still slow."""
    answers = Answers()
    answers.go(100)
    assert raised(answers.go(1, 3.0)) is Severity.WARNING
    assert answers.go(int(STALE_SECONDS) + 1, 3.0, answers=0) == []
    assert raised(answers.go(1, 3.0)) is Severity.WARNING


def test_what_nobody_feels_is_not_told() -> None:
    """Five milliseconds more before the first token are five times as many, and nothing."""
    answers = Answers()
    answers.go(100, waited=0.001)
    assert answers.go(5, 5.0, waited=0.001) == []


def test_an_endpoint_that_begins_anew_has_a_new_baseline() -> None:
    """Its observations are fewer than before: another model, or another engine under it."""
    answers = Answers()
    answers.go(100)
    answers.number = 0
    assert answers.go(100, 4.0) == []


@given(st.lists(st.tuples(st.floats(0.01, 100), st.integers(0, 50)), max_size=80))
def test_latency_says_only_what_is_so(steps: list[tuple[float, int]]) -> None:
    """Whatever the numbers do: a raised signal is of a ratio at its limit, and each is kept at least as long."""
    answers = Answers()
    for ratio, number in steps:
        for signal in answers.go(1, ratio, answers=number):
            assert signal.kept >= signal.raised
            assert signal.value is not None
            assert not signal.raised or signal.value >= POLICY.latency_warning - 0.01


class Trips:
    """One breaker, looked at once a second."""

    def __init__(self) -> None:
        self.rule = Flapping()
        self.now = 0.0
        self.opened = 0

    def look(self, state: str, *, tripped: bool = False, seconds: float = 1.0) -> Severity:
        self.now += seconds
        view = BreakerView("b/m", state, 0.0, 0, opened=self.opened, reason="5 in a row", tripped=tripped)
        return raised(list(self.rule.signals([view], POLICY, self.now)))

    def flap(self, *, tripped: bool = False) -> Severity:
        self.look("closed")
        self.opened += 1
        return self.look("open", tripped=tripped)


def test_three_openings_in_ten_minutes_are_flapping() -> None:
    """The third is told, and forgotten when the window has passed."""
    trips = Trips()
    assert [trips.flap() for _ in range(3)] == [Severity.NONE, Severity.NONE, Severity.WARNING]
    assert trips.look("closed", seconds=POLICY.breakers_window) is Severity.NONE


def test_a_probe_that_fails_is_no_flapping() -> None:
    """An endpoint that is down opens again and again without having closed."""
    trips = Trips()
    trips.flap()
    for _ in range(20):
        trips.look("half_open")
        trips.opened += 1
        assert trips.look("open") is Severity.NONE


def test_what_an_operator_trips_does_not_flap() -> None:
    """Nor does what had opened before anybody looked."""
    trips = Trips()
    trips.opened = 50
    assert trips.look("closed") is Severity.NONE
    assert [trips.flap(tripped=True) for _ in range(5)] == [Severity.NONE] * 5


def test_a_rule_that_is_off_learns_all_the_same() -> None:
    """Switched on again, it knows what is usual."""
    answers, watch = Answers(), Watch(str)
    off = Policy(off=("latency",), latency_seconds=0)
    told = []
    for second in range(300):
        answers.number += 2
        view = answers.view(1.0 if second < 200 else 3.0)
        policy = off if second < 250 else Policy(latency_seconds=0)
        told += [(second, each.kind) for each in watch.look(facts(models=(view,)), policy, second, second)]
    assert told == [(250, "alert.fired")]
