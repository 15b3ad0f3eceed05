"""The state machine of an alert, against the sentences that describe it, over random histories."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.alerting.machine import Machine, State
from orchestra_core.domain.alerts import Severity

HOLD, CLEAR = 5.0, 7.0
LEVELS = st.sampled_from(Severity)
# Seconds since the step before, what the condition has reached, and by how much more it is kept.
STEPS = st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0, 3.0, 8.0]), LEVELS, LEVELS), max_size=60)


class Told:
    """A machine with everything it was told."""

    def __init__(self) -> None:
        self.machine = Machine()
        self.now = 100.0
        self.past: list[tuple[float, Severity, Severity]] = []

    def step(self, seconds: float, raised: Severity, kept: Severity) -> tuple[Severity, Severity]:
        """The level before and after."""
        self.now += seconds
        self.past.append((self.now, raised, max(raised, kept)))
        before = self.machine.level
        self.machine.step(raised, kept, self.now, HOLD, CLEAR)
        return before, self.machine.level

    def held(self, level: Severity) -> float:
        """For how long the condition has reached this level at every step up to now; -1: it does not."""
        return self._unbroken([raised >= level for _, raised, _ in self.past])

    def cleared(self, level: Severity) -> float:
        """For how long it was not even kept at this level; -1: it is."""
        return self._unbroken([kept < level for _, _, kept in self.past])

    def _unbroken(self, so: list[bool]) -> float:
        since = self.now + 1.0
        for (at, _, _), each in zip(reversed(self.past), reversed(so), strict=True):
            if not each:
                break
            since = at
        return self.now - since


@given(STEPS)
def test_it_rises_to_what_held_and_to_nothing_else(steps: list[tuple[float, Severity, Severity]]) -> None:
    """A level is reached exactly when the condition was at it for the hold time without a break."""
    told = Told()
    for step in steps:
        before, after = told.step(*step)
        due = max((level for level in Severity if level and told.held(level) >= HOLD), default=Severity.NONE)
        assert after >= due
        if after > before:
            assert after == due


@given(STEPS)
def test_it_falls_from_what_was_clear_and_from_nothing_else(
    steps: list[tuple[float, Severity, Severity]],
) -> None:
    """A level is left exactly when the condition was below its margin for the clear time without a break."""
    told = Told()
    for step in steps:
        before, after = told.step(*step)
        for level in Severity:
            if after < level <= before:
                assert told.cleared(level) >= CLEAR
        if before and before == after:
            assert told.cleared(after) < CLEAR


@given(STEPS)
def test_the_state_is_what_its_name_says(steps: list[tuple[float, Severity, Severity]]) -> None:
    """Pending and ok do not fire; a firing one is kept, a resolving one is not."""
    told = Told()
    for step in steps:
        told.step(*step)
        _, raised, kept = told.past[-1]
        state = told.machine.state
        assert (state in (State.FIRING, State.RESOLVING)) == bool(told.machine.level)
        assert state is not State.PENDING or raised
        assert state is not State.OK or not raised
        assert state is not State.FIRING or kept
        assert state is not State.RESOLVING or not kept


@given(STEPS)
def test_it_never_chatters(steps: list[tuple[float, Severity, Severity]]) -> None:
    """Between firing and its end lies the clear time, between an end and firing again the hold time."""
    told = Told()
    turned: float | None = None
    for step in steps:
        before, after = told.step(*step)
        if bool(before) != bool(after):
            assert turned is None or told.now - turned >= (HOLD if after else CLEAR)
            turned = told.now


@pytest.mark.parametrize("level", [Severity.INFO, Severity.WARNING, Severity.CRITICAL])
def test_a_whole_life(level: Severity) -> None:
    """Ok, pending, firing, resolving, firing again, resolving, and over."""
    told = Told()
    seen = [told.machine.state]
    none = Severity.NONE
    story = [
        (0, level, none), (4.9, level, none), (0.1, level, none), (60, none, level), (1, none, none),
        (6.9, none, none), (0, none, level), (1, none, none), (7, none, none),
    ]  # fmt: skip
    for seconds, raised, kept in story:
        told.step(seconds, raised, kept)
        seen.append(told.machine.state)
    firing, resolving = State.FIRING, State.RESOLVING
    assert seen == [
        State.OK, State.PENDING, State.PENDING, firing, firing, resolving, resolving, firing, resolving, State.OK,
    ]  # fmt: skip


def test_without_a_hold_time_it_fires_at_once_and_worst_first() -> None:
    """Rules that count over a window of their own need none."""
    machine = Machine()
    machine.step(Severity.CRITICAL, Severity.NONE, 1.0, 0.0, CLEAR)
    assert machine.level is Severity.CRITICAL


def test_one_taken_over_from_an_earlier_engine_ends_only_after_the_clear_time() -> None:
    """A restored alert fires at first, whatever is so; then what is so decides."""
    machine = Machine(Severity.CRITICAL)
    machine.step(Severity.NONE, Severity.NONE, 1.0, HOLD, CLEAR)
    assert machine.level is Severity.CRITICAL
    machine.step(Severity.NONE, Severity.WARNING, 1.0 + CLEAR, HOLD, CLEAR)
    assert machine.level is Severity.WARNING
    machine.step(Severity.NONE, Severity.NONE, 2.0 + CLEAR, HOLD, CLEAR)
    machine.step(Severity.NONE, Severity.NONE, 2.0 + 2 * CLEAR, HOLD, CLEAR)
    assert machine.level is Severity.NONE
