"""The circuit breaker: when it opens, whom it lets probe, and what it no longer listens to."""

import random
import tracemalloc

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from orchestra_core.domain.catalog import Circuit
from orchestra_core.resilience.breaker import Breaker, Policy

CLOSED, OPEN, HALF_OPEN = Circuit.CLOSED, Circuit.OPEN, Circuit.HALF_OPEN


def attempt(breaker: Breaker, failure: bool, now: float) -> Circuit | None:
    token = breaker.admit(now)
    assert token is not None
    return breaker.record(token, failure, now, "HTTP 500")


def opened(policy: Policy = Policy(), now: float = 0.0) -> Breaker:  # noqa: B008 - frozen
    breaker = Breaker(policy)
    for _ in range(policy.consecutive):
        attempt(breaker, True, now)
    assert breaker.state(now) is OPEN
    return breaker


def test_opens_at_five_failures_in_a_row() -> None:
    """Four are not enough, and a success in between begins anew."""
    breaker = Breaker()
    results = [attempt(breaker, failure, 1.0) for failure in [True] * 4 + [False] + [True] * 5]
    assert results == [None] * 9 + [OPEN]
    assert breaker.admit(1.0) is None


def test_opens_at_half_of_ten_within_thirty_seconds() -> None:
    """A share of failures opens it although successes come in between."""
    breaker = Breaker()
    results = [attempt(breaker, number % 2 == 1, number * 2.0) for number in range(10)]
    assert results == [None] * 9 + [OPEN]


def test_failures_older_than_the_window_do_not_count() -> None:
    """The same share over a longer time leaves it closed."""
    breaker = Breaker()
    results = [attempt(breaker, number % 2 == 1, number * 4.0) for number in range(40)]
    assert set(results) == {None}


def test_fewer_than_ten_results_prove_nothing() -> None:
    """A share needs a minimum of results."""
    breaker = Breaker()
    assert {attempt(breaker, number % 2 == 1, 0.0) for number in range(9)} == {None}


def test_probes_after_five_seconds_and_closes_after_two_successes() -> None:
    """Open, half-open, one probe at a time, closed."""
    breaker = opened()
    assert breaker.retry_at() == 5.0
    assert breaker.admit(4.9) is None
    assert breaker.state(5.0) is HALF_OPEN
    first = breaker.admit(5.0)
    assert first is not None
    assert breaker.admit(5.0) is None
    assert breaker.record(first, False, 6.0) is None
    assert attempt(breaker, False, 6.0) is CLOSED
    assert breaker.retry_at() is None


def test_a_failed_probe_opens_for_twice_as_long_up_to_a_minute() -> None:
    """5, 10, 20, 40, 60, 60 seconds; and 5 again after it has closed."""
    breaker = opened()
    now, waits = 0.0, []
    for _ in range(6):
        retry_at = breaker.retry_at()
        assert retry_at is not None
        waits.append(retry_at - now)
        now = retry_at
        assert attempt(breaker, True, now) is OPEN
    assert waits == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]
    now += 60.0
    attempt(breaker, False, now)
    assert attempt(breaker, False, now) is CLOSED
    for _ in range(5):
        attempt(breaker, True, now)
    assert breaker.retry_at() == now + 5.0


def test_successes_before_a_failed_probe_do_not_count() -> None:
    """Two in a row are needed to close, of the same half-open time."""
    breaker = opened()
    attempt(breaker, False, 5.0)
    assert attempt(breaker, True, 5.0) is OPEN
    assert attempt(breaker, False, 15.0) is None
    assert breaker.state(15.0) is HALF_OPEN


def test_closing_forgets_what_opened_it() -> None:
    """The first failure after recovery does not find the old ones in the window."""
    breaker = opened(Policy(minimum=6))
    attempt(breaker, False, 5.0)
    assert attempt(breaker, False, 5.0) is CLOSED
    assert attempt(breaker, True, 6.0) is None


def test_late_results_of_an_older_generation_are_ignored() -> None:
    """What was admitted before it opened neither closes a half-open breaker nor opens a closed one."""
    breaker = Breaker()
    late = [breaker.admit(0.0) for _ in range(9)]
    for _ in range(5):
        attempt(breaker, True, 0.0)
    results = []
    for failure, token in zip([False, False, True], late, strict=False):
        assert token is not None
        results.append(breaker.record(token, failure, 1.0))
    assert breaker.state(1.0) is OPEN
    attempt(breaker, False, 5.0)
    assert attempt(breaker, False, 5.0) is CLOSED
    for token in late[3:]:
        assert token is not None
        results.append(breaker.record(token, True, 6.0))
    assert set(results) == {None}
    assert breaker.state(6.0) is CLOSED


def test_a_cancelled_probe_frees_its_place() -> None:
    """The next attempt may probe at once, and the cancelled one is not heard any more."""
    breaker = opened()
    cancelled = breaker.admit(5.0)
    assert cancelled is not None
    breaker.release(cancelled)
    assert breaker.admit(5.0) is not None
    assert breaker.record(cancelled, True, 5.0) is None
    assert breaker.state(5.0) is HALF_OPEN


def test_a_lost_probe_is_handed_over() -> None:
    """A probe that never reports does not block recovery for ever, and its late result is ignored."""
    breaker = opened()
    lost = breaker.admit(5.0)
    assert lost is not None
    assert breaker.admit(124.9) is None
    assert breaker.admit(125.0) is not None
    assert breaker.record(lost, True, 126.0) is None
    assert breaker.state(126.0) is HALF_OPEN


def test_an_unknown_token_changes_nothing() -> None:
    """A token of another breaker is not heard."""
    breaker = opened()
    assert breaker.record(999, False, 1.0) is None
    breaker.release(999)
    assert breaker.state(1.0) is OPEN


def test_jitter_spreads_probes_within_half_and_never_beyond_the_maximum() -> None:
    """Breakers of one fault do not probe together."""
    rng = random.Random(1)
    times = set()
    for _ in range(50):
        breaker = Breaker(Policy(), rng)
        for _ in range(5):
            attempt(breaker, True, 0.0)
        times.add(breaker.retry_at())
    assert len(times) == 50
    assert all(time is not None and 2.5 <= time <= 7.5 for time in times)
    breaker = Breaker(Policy(open_for=60.0), rng)
    for _ in range(5):
        attempt(breaker, True, 0.0)
    for _ in range(20):
        retry_at = breaker.retry_at()
        assert retry_at is not None
        attempt(breaker, True, retry_at)
        later = breaker.retry_at()
        assert later is not None
        assert later - retry_at <= 60.0 + 1e-9


def test_the_view_says_what_people_need() -> None:
    """State, how long, the next probe, why, and the last results."""
    breaker = Breaker()
    attempt(breaker, False, 0.0)
    for _ in range(5):
        attempt(breaker, True, 10.0)
    view = breaker.view("box/m", 12.0)
    assert (view.endpoint, view.state, view.since, view.next_probe) == ("box/m", "open", 2.0, 3.0)
    assert (view.failures, view.opened, view.reason, view.recent) == (5, 1, "HTTP 500", "+xxxxx")
    due = breaker.view("box/m", 16.0)
    assert (due.state, due.since, due.next_probe) == ("half_open", 1.0, None)


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

    def become(self, state: Circuit) -> None:
        self.state = state
        self.generation = set()
        self.probing = {}
        self.successes = 0

    @rule(seconds=st.sampled_from([0.0, 0.5, 3.0, 11.0, 61.0]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule(target=tokens)
    def admit(self) -> object:
        if self.state is OPEN and self.breaker.state(self.now) is HALF_OPEN:
            self.become(HALF_OPEN)
        stale = [token for token, since in self.probing.items() if self.now - since >= self.policy.patience]
        room = len(self.probing) - len(stale[:1]) < self.policy.probes
        token = self.breaker.admit(self.now)
        expected = self.state is CLOSED or (self.state is HALF_OPEN and room)
        assert (token is not None) == expected
        if token is None:
            return multiple()
        self.generation.add(token)
        if self.state is HALF_OPEN:
            for gone in stale[:1]:
                del self.probing[gone]
            self.probing[token] = self.now
        return token

    @rule(token=consumes(tokens), failure=st.booleans())
    def record(self, token: int, failure: bool) -> None:
        heard = token in self.generation and (self.state is CLOSED or token in self.probing)
        changed = self.breaker.record(token, failure, self.now)
        if not heard:
            assert changed is None
            return
        self.probing.pop(token, None)
        self.in_a_row = self.in_a_row + 1 if failure else 0
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

    @invariant()
    def state_is_as_accounted(self) -> None:
        state = self.breaker.state(self.now)
        assert state is self.state or (self.state is OPEN and state is HALF_OPEN)

    @invariant()
    def never_more_probes_than_allowed(self) -> None:
        assert len(self.probing) <= self.policy.probes

    @invariant()
    def an_open_breaker_always_has_a_next_probe_in_time(self) -> None:
        retry_at = self.breaker.retry_at()
        assert (retry_at is not None) == (self.state is OPEN)
        if retry_at is not None:
            assert retry_at - self.now <= self.policy.open_max


class BreakingWithTwoProbes(Breaking):
    policy = Policy(consecutive=3, minimum=4, probes=2, successes=3, patience=50.0)


TestBreaking = Breaking.TestCase
TestBreaking.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestBreakingWithTwoProbes = BreakingWithTwoProbes.TestCase
TestBreakingWithTwoProbes.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_memory_is_bounded_at_any_rate() -> None:
    """Results are kept by whole seconds: a hundred thousand of them take no more than a few."""
    breaker = Breaker()
    tracemalloc.start()
    try:
        for number in range(100_000):
            attempt(breaker, number % 100 == 0, number / 1000)
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size < 20_000
