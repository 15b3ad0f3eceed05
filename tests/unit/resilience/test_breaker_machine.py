"""The circuit breaker as a state machine: whatever the order of what happens to it, it admits as it should."""

import random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
)

from orchestra_core.domain.catalog import Circuit
from orchestra_core.resilience.breaker import Breaker
from orchestra_core.resilience.policy import Policy

CLOSED, OPEN, HALF_OPEN = Circuit.CLOSED, Circuit.OPEN, Circuit.HALF_OPEN


class Breaking(RuleBasedStateMachine):
    """Any order of admissions, results, cancellations and time passing, beside a plain account of them."""

    tokens: Bundle[int] = Bundle("tokens")
    policy = Policy(consecutive=3, minimum=4, open_for=5.0, patience=50.0)

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.breaker = Breaker(self.policy, random.Random(7))
        self.state = CLOSED
        self.generation: set[int] = set()
        self.probing: dict[int, float] = {}
        self.in_a_row = 0
        self.successes = 0
        self.held = False
        self.forced = float("-inf")

    def become(self, state: Circuit) -> None:
        self.state = state
        self.generation = set()
        self.probing = {}
        self.successes = 0

    @rule(seconds=st.sampled_from([0.0, 0.5, 3.0, 11.0, 61.0]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    def time_for_probes(self) -> None:
        """What `admit` does to an open breaker whose time has come; a forced probe still out stays one."""
        if self.state is OPEN and self.breaker.state(self.now) is HALF_OPEN:
            probing = self.probing
            self.become(HALF_OPEN)
            self.probing = probing

    def take(self, token: int | None, allowed: int) -> MultipleResults[int] | int:
        """The account of an `admit` or `force_probe` beside others that are out."""
        stale = [old for old, since in self.probing.items() if self.now - since >= self.policy.patience]
        room = len(self.probing) < allowed or bool(stale)
        assert (token is not None) == (self.state is CLOSED or room)
        if token is None:
            return multiple()
        if self.state is CLOSED:
            self.generation.add(token)
            return token
        if len(self.probing) >= allowed:
            del self.probing[min(stale, key=self.probing.__getitem__)]
        self.probing[token] = self.now
        return token

    @rule(target=tokens)
    def admit(self) -> MultipleResults[int] | int:
        self.time_for_probes()
        token = self.breaker.admit(self.now)
        if self.state is OPEN:
            assert token is None
            return multiple()
        return self.take(token, self.policy.probes)

    @rule(target=tokens)
    def force(self) -> MultipleResults[int] | int:
        token = self.breaker.force_probe(self.now)
        if self.state is not OPEN:
            return self.take(token, self.policy.probes)
        if self.held or self.now - self.forced < self.policy.force_every:
            assert token is None
            return multiple()
        taken = self.take(token, 1)
        self.forced = self.now if token is not None else self.forced
        return taken

    @rule(token=consumes(tokens), failure=st.booleans())
    def record(self, token: int, failure: bool) -> None:
        heard = token in self.generation if self.state is CLOSED else token in self.probing
        changed = self.breaker.record(token, failure, self.now)
        if not heard:
            assert changed is None
            return
        self.probing.pop(token, None)
        self.in_a_row = self.in_a_row + 1 if failure else 0
        if self.state is OPEN:
            assert changed is (None if failure else HALF_OPEN)
            if not failure:
                self.become(HALF_OPEN)
                self.successes = 1
            return
        if self.state is HALF_OPEN:
            self.successes = 0 if failure else self.successes + 1
            expected = OPEN if failure else CLOSED if self.successes == self.policy.successes else None
            assert changed is expected
        elif not failure:
            assert changed is None
        elif self.in_a_row >= self.policy.consecutive:
            assert changed is OPEN
        if changed is not None:
            self.become(changed)

    @rule(token=consumes(tokens))
    def cancel(self, token: int) -> None:
        self.breaker.release(token)
        self.probing.pop(token, None)

    @rule()
    def trip(self) -> None:
        assert self.breaker.trip(self.now) is (None if self.state is OPEN else OPEN)
        self.become(OPEN)
        self.held = True

    @rule()
    def half_open(self) -> None:
        assert self.breaker.half_open(self.now) is (HALF_OPEN if self.state is OPEN else None)
        if self.state is OPEN:
            self.become(HALF_OPEN)
            self.held = False
            self.successes = 0

    @rule()
    def reset(self) -> None:
        assert self.breaker.reset(self.now) is (None if self.state is CLOSED else CLOSED)
        if self.state is not CLOSED:
            self.become(CLOSED)
        self.held = False
        self.in_a_row = 0

    @invariant()
    def state_is_as_accounted(self) -> None:
        state = self.breaker.state(self.now)
        assert state is self.state or (self.state is OPEN and state is HALF_OPEN and not self.held)
        assert self.breaker.held == self.held

    @invariant()
    def never_more_probes_than_allowed(self) -> None:
        assert len(self.probing) <= self.policy.probes

    @invariant()
    def an_open_breaker_always_has_a_next_probe_in_time(self) -> None:
        retry_at = self.breaker.retry_at()
        assert (retry_at is not None) == (self.state is OPEN and not self.held)
        if retry_at is not None:
            assert retry_at - self.now <= self.policy.open_max

    @invariant()
    def the_allowance_is_a_share(self) -> None:
        allowance = self.breaker.allowance(self.now)
        if self.breaker.state(self.now) is HALF_OPEN:
            assert allowance == 0.0
        else:
            assert self.policy.least <= allowance <= 1.0


class BreakingWithTwoProbes(Breaking):
    policy = Policy(consecutive=3, minimum=4, probes=2, successes=3, patience=50.0)


TestBreaking = Breaking.TestCase
TestBreaking.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestBreakingWithTwoProbes = BreakingWithTwoProbes.TestCase
TestBreakingWithTwoProbes.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
