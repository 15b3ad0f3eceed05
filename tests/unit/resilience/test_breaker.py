"""The circuit breaker: when it opens, whom it lets probe, and what it no longer listens to."""

import random
import tracemalloc

from orchestra_core.domain.catalog import Circuit
from orchestra_core.resilience.breaker import Breaker
from orchestra_core.resilience.policy import Policy

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


def test_an_operators_trip_holds_until_reset() -> None:
    """No probe goes through, forced or not, however long it takes; reset closes it and forgets."""
    breaker = Breaker()
    attempt(breaker, True, 0.0)
    assert breaker.trip(1.0, "disk swap") is OPEN
    assert breaker.trip(2.0) is None
    assert (breaker.admit(9e9), breaker.force_probe(9e9), breaker.retry_at()) == (None, None, None)
    view = breaker.view("box/m", 9.0)
    assert (view.state, view.tripped, view.next_probe, view.opened) == ("open", True, None, 1)
    assert view.reason == "tripped by operator"
    assert [trip.reason for trip in view.history] == ["tripped by operator: disk swap", "tripped by operator"]
    assert breaker.reset(10.0) is CLOSED
    assert breaker.reset(11.0) is None
    assert breaker.view("box/m", 12.0).since == 2.0
    assert [attempt(breaker, True, 12.0) for _ in range(4)] == [None] * 4


def test_a_trip_for_a_time_ends_in_half_open() -> None:
    """Nothing is let through before, not even a forced probe; afterwards probes decide as usual."""
    breaker = Breaker()
    breaker.trip(1.0, "swap", 60.0)
    view = breaker.view("a/b", 11.0)
    assert (view.tripped, view.held_for, view.next_probe) == (True, 50.0, None)
    assert (breaker.admit(60.9), breaker.force_probe(60.9), breaker.retry_at()) == (None, None, 61.0)
    late = breaker.view("a/b", 61.0)
    assert (late.state, late.tripped, late.held_for) == ("half_open", False, None)
    assert attempt(breaker, True, 61.0) is OPEN
    failed = breaker.view("a/b", 61.0)
    assert (failed.tripped, failed.next_probe, failed.reason) == (False, 5.0, "HTTP 500")


def test_an_operator_lets_a_probe_through_at_once() -> None:
    """Whoever opened it; one success of a probe does not close it, and a closed one is left alone."""
    for breaker in (opened(), Breaker()):
        breaker.trip(0.0)
        assert breaker.half_open(1.0) is HALF_OPEN
        assert (breaker.held, breaker.view("a/b", 1.0).tripped) == (False, False)
        assert attempt(breaker, False, 1.0) is None
        assert attempt(breaker, False, 1.0) is CLOSED
        assert breaker.half_open(1.0) is None


def test_results_of_before_a_trip_are_ignored() -> None:
    """What was under way when the operator tripped or reset it says nothing about what is now."""
    breaker = Breaker(Policy(consecutive=1))
    before = breaker.admit(0.0)
    assert before is not None
    breaker.trip(0.0)
    assert breaker.record(before, False, 1.0) is None
    breaker.reset(2.0)
    assert breaker.record(before, True, 3.0) is None
    assert breaker.state(3.0) is CLOSED


def test_starts_slowly_after_closing() -> None:
    """A tenth at first, half after five seconds, all after ten; and all of it as long as it never opened."""
    breaker = opened()
    assert Breaker().allowance(0.0) == 1.0
    attempt(breaker, False, 5.0)
    assert attempt(breaker, False, 6.0) is CLOSED
    assert [breaker.allowance(now) for now in (6.0, 11.0, 14.0, 16.0, 100.0)] == [0.1, 0.5, 0.8, 1.0, 1.0]


def test_a_forced_probe_goes_through_an_open_breaker_once_a_second() -> None:
    """One at a time and one a second; its failure neither closes it nor makes the wait longer."""
    breaker = opened()
    forced = breaker.force_probe(1.0)
    assert forced is not None
    assert breaker.force_probe(2.5) is None
    assert breaker.record(forced, True, 3.0, "HTTP 502") is None
    assert (breaker.retry_at(), breaker.state(3.0)) == (5.0, OPEN)
    assert breaker.view("box/m", 3.0).reason == "HTTP 502"
    again = breaker.force_probe(3.0)
    assert again is not None
    breaker.release(again)
    assert breaker.force_probe(3.9) is None
    assert breaker.force_probe(4.0) is not None


def test_a_forced_probe_just_before_the_regular_one_takes_its_place() -> None:
    """Its failure opens the breaker for twice as long, so that no client has to find out again."""
    breaker = opened()
    forced = breaker.force_probe(4.0)
    assert forced is not None
    assert breaker.record(forced, True, 4.0, "HTTP 502", "health-probe") is None
    assert breaker.retry_at() == 14.0
    assert breaker.view("box/m", 4.0).history[-1].requests == ("health-probe",)


def test_a_forced_probe_that_succeeds_is_the_first_of_a_half_open_breaker() -> None:
    """Then one more success closes it, and before that only one probe at a time goes through."""
    breaker = opened()
    forced = breaker.force_probe(1.0)
    assert forced is not None
    assert breaker.record(forced, False, 1.5) is HALF_OPEN
    second = breaker.force_probe(1.5)
    assert second is not None
    assert breaker.admit(1.5) is None
    assert breaker.record(second, False, 2.0) is CLOSED


def test_a_forced_probe_counts_as_the_probe_when_the_time_comes() -> None:
    """No second one goes out beside it, and its result is heard."""
    breaker = opened()
    forced = breaker.force_probe(4.9)
    assert forced is not None
    assert breaker.admit(5.0) is None
    assert breaker.state(5.0) is HALF_OPEN
    assert breaker.record(forced, True, 6.0) is OPEN


def test_the_view_names_the_requests_that_opened_it() -> None:
    """The last ten that failed before each of the last five openings; a probe is named alone."""
    breaker = Breaker(Policy(consecutive=12, minimum=20))
    for number in range(12):
        token = breaker.admit(0.0)
        assert token is not None
        breaker.record(token, True, 0.0, "HTTP 500", f"req-{number}")
    probe = breaker.admit(5.0)
    assert probe is not None
    breaker.record(probe, True, 6.0, "HTTP 503", "req-probe")
    first, second = breaker.view("box/m", 7.0).history
    assert (first.ago, first.reason, first.requests) == (
        7.0,
        "HTTP 500",
        tuple(f"req-{n}" for n in range(2, 12)),
    )
    assert (second.ago, second.reason, second.requests) == (1.0, "HTTP 503", ("req-probe",))
    for number in range(20):
        breaker.trip(10.0 + number)
    assert len(breaker.view("box/m", 40.0).history) == 5


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
