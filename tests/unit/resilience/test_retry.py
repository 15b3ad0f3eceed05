"""The budget of retries, and the random waits between them."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from orchestra_core.domain.catalog import Endpoint, Reliability
from orchestra_core.domain.decision import Candidate
from orchestra_core.domain.outcome import Outcome, Verdict
from orchestra_core.resilience.budget import Retries, RetryBudget
from orchestra_core.resilience.retry import Attempts, Option
from tests.unit.routing.fleet import endpoint

# Of the terms only that of failure counts.
VALUES = (0.0, 0.0, 0.0, 0.0, 0.01, 0.0, 0.0)
WEIGHTS = (0.0, 0.0, 0.0, 0.0, -4.0, 0.0, 0.0)


def option(name: str, utility: float = 0.0) -> Option:
    place: Endpoint = endpoint(name)
    backend, _, model = name.partition("/")
    parts = (utility, VALUES, WEIGHTS, 1.0, 0.1, 1.0, 0.1, 0.01, 100.0, 0.0)
    return Option(Candidate(place.id, model, backend, *parts), place)


@given(st.lists(st.booleans(), max_size=400))
def test_attempts_that_fail_stay_within_the_budget(what: list[bool]) -> None:
    """However requests and wishes to retry alternate: at most 1.2 x requests + 3."""
    budget = RetryBudget(Retries())
    requests = attempts = 0
    for is_request in what:
        if is_request:
            budget.deposit()
            requests += 1
            attempts += 1
        elif budget.withdraw():
            attempts += 1
        assert attempts <= 1.2 * requests + 3 + 1e-6


def test_what_is_saved_up_is_bounded_and_an_answered_retry_costs_nothing() -> None:
    """A quiet hour is no licence for a storm; a failover that works does not run dry."""
    budget = RetryBudget(Retries(most=10.0))
    for _ in range(1000):
        budget.deposit()
    assert budget.balance == 10.0
    assert budget.withdraw()
    budget.refund()
    assert budget.balance == 10.0


@given(st.lists(st.sampled_from(list(Verdict)), max_size=12), st.integers(0, 9))
def test_every_request_ends(verdicts: list[Verdict], seed: int) -> None:
    """Whatever the outcomes: at most three that were sent and no loading, each wait is bounded and in time."""
    retries = Retries()
    attempts = Attempts(retries, RetryBudget(retries), Random(seed), deadline=100.0)
    options = [option("a/m"), option("b/m"), option("b/n")]
    at, now, sent = options[0], 0.0, 0
    for verdict in [*verdicts, Verdict.SUCCESS]:
        sent += verdict not in (Verdict.LOADING, Verdict.UNSUPPORTED)
        step = attempts.after(Outcome(verdict, at.endpoint.id), at, now, options)
        assert 0.0 <= step.delay <= retries.longest
        if step.option is None:
            break
        at, now = step.option, now + step.delay
        assert now < 100.0
    assert sent <= retries.attempts


def test_waits_are_random_and_double_up_to_a_limit() -> None:
    """Full jitter: between nothing and 0.1 s, then 0.2 s; the first move to another backend does not wait."""
    retries = Retries(attempts=9)
    longest = [0.0] * 8
    for seed in range(200):
        attempts = Attempts(retries, RetryBudget(Retries(reserve=99.0)), Random(seed), deadline=1e9)
        only = [option("a/m")]
        for turn in range(8):
            step = attempts.after(Outcome(Verdict.FAILED, "a/m"), only[0], 0.0, only)
            longest[turn] = max(longest[turn], step.delay)
    assert [round(seconds, 1) for seconds in longest[:5]] == [0.1, 0.2, 0.4, 0.8, 1.6]
    assert max(longest) <= retries.longest
    first = Attempts(retries, RetryBudget(retries), Random(1), deadline=1e9)
    two = [option("a/m"), option("b/m")]
    assert first.after(Outcome(Verdict.FAILED, "a/m"), two[0], 0.0, two).delay == 0.0


def test_no_wait_goes_beyond_the_deadline() -> None:
    """A Retry-After that fits is waited for, one that does not ends the request with it."""
    retries = Retries()
    limited = Outcome(Verdict.LIMITED, "a/m", 429, retry_after=6.0)
    for deadline, waits in ((10.0, True), (5.0, False)):
        at = option("a/m")
        at.endpoint.cooling_until = 6.0
        attempts = Attempts(retries, RetryBudget(retries), Random(1), deadline)
        step = attempts.after(limited, at, 0.0, [at])
        assert (step.option is not None) is waits
        assert step.outcome.retry_after == 6.0


def test_a_retry_does_not_go_where_others_have_failed_meanwhile() -> None:
    """Of the endpoints of one model the one worth most now; another model is not preferred for it."""
    best, second, other = option("b/m", 1.0), option("c/m", 0.9), option("d/n", 0.8)
    options = [option("a/m", 1.1), best, second, other]

    def following() -> Option | None:
        attempts = Attempts(Retries(), RetryBudget(Retries()), Random(1), deadline=1e9)
        return attempts.after(Outcome(Verdict.FAILED, "a/m"), options[0], 0.0, options).option

    assert following() is best
    best.endpoint.reliability = Reliability(recent=0.1, failing=True)
    assert following() is second
    second.endpoint.reliability = Reliability(recent=0.5, failing=True)
    assert following() is best


def test_an_overloaded_endpoint_stays_behind_one_that_fails_now_and_then() -> None:
    """The guard against overload comes before the utility here as everywhere."""
    calm, full = option("b/m", 0.9), option("c/m", 0.0)
    full = replace(full, candidate=replace(full.candidate, utility=1.0, overloaded=True))
    options = [option("a/m", 1.1), calm, full]
    calm.endpoint.reliability = Reliability(recent=0.3, failing=True)
    attempts = Attempts(Retries(), RetryBudget(Retries()), Random(1), deadline=1e9)
    step = attempts.after(Outcome(Verdict.FAILED, "a/m"), options[0], 0.0, options)
    assert step.option is calm
