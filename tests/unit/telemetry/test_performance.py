"""Learning from answers: quickly at first, steadily later, and never from one stall."""

from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.domain.catalog import Reliability, Speed, failure_probability
from orchestra_core.telemetry.performance import observe, output_average, recovered, reliability


def learn(speed: Speed, factor: float, times: int, tpot: float | None = 0.1) -> Speed:
    """Answers that take `factor` times the prior."""
    for _ in range(times):
        speed = observe(
            speed,
            prefill=0.5,
            tpot=0.1,
            observed_first_token=0.5 * factor,
            observed_tpot=None if tpot is None else tpot * factor,
        )
    return speed


@pytest.mark.parametrize("factor", [0.1, 0.5, 1.0, 2.0, 15.0])
def test_a_constant_error_of_the_prior_is_learned(factor: float) -> None:
    """After a hundred answers the correction is the logarithm of the error, and the spread is small."""
    speed = learn(Speed(), factor, 100)
    assert (speed.ttft, speed.tpot) == pytest.approx((log(factor), log(factor)), abs=0.05)
    assert speed.variance < 0.2
    assert speed.observations == 100


def test_the_first_answer_counts_fully_up_to_the_clip() -> None:
    """1/n: one answer replaces the prior, but no step is longer than a factor of e."""
    assert learn(Speed(), 2.0, 1).ttft == pytest.approx(log(2.0))
    assert learn(Speed(), 1000.0, 1).ttft == 1.0


def test_one_stall_hardly_moves_what_is_known() -> None:
    """After twenty answers a step is a twentieth, of at most 1."""
    known = learn(Speed(), 1.0, 20)
    stalled = learn(known, 1000.0, 1)
    assert stalled.ttft - known.ttft == pytest.approx(0.05)


def test_a_single_answer_is_not_certainty() -> None:
    """The wide prior of the spread counts as an answer."""
    assert learn(Speed(), 1.0, 1).variance == 0.5


def test_an_answer_without_further_tokens_teaches_the_first_only() -> None:
    """One token has no time per token."""
    speed = learn(Speed(), 2.0, 1, tpot=None)
    assert (speed.ttft, speed.tpot) == (pytest.approx(log(2.0)), 0.0)


def test_what_was_not_measured_teaches_nothing() -> None:
    """Zeros are missing values, not infinite speed."""
    known = Speed(0.3, 0.2, 0.1, 5)
    found = observe(known, prefill=0.0, tpot=0.1, observed_first_token=1.0, observed_tpot=0.0)
    assert found is known


@given(
    st.floats(-5, 5),
    st.floats(1e-6, 1e4),
    st.floats(1e-6, 1e4),
    st.floats(0, 1e5),
    st.none() | st.floats(0, 1e5),
    st.integers(0, 10_000),
)
def test_no_observation_moves_a_correction_by_more_than_one(
    start: float, prefill: float, tpot: float, first: float, per_token: float | None, seen: int
) -> None:
    """Any measurement leaves finite corrections near the old ones, and a spread that is not negative."""
    old = Speed(start, start, 1.0, seen)
    new = observe(old, prefill=prefill, tpot=tpot, observed_first_token=first, observed_tpot=per_token)
    assert abs(new.ttft - start) <= 1.0 + 1e-9
    assert abs(new.tpot - start) <= 1.0 + 1e-9
    assert new.variance >= 0.0


def test_output_average_begins_with_the_first_and_follows() -> None:
    """It tends to what answers have become."""
    average = output_average(None, 100)
    assert average == 100.0
    assert output_average(average, 200) == 110.0
    for _ in range(60):
        average = output_average(average, 200)
    assert average == pytest.approx(200.0, abs=1.0)


def test_reliability_counts_and_fades() -> None:
    """A failure is remembered by half after seven minutes and forgotten after an hour."""
    prior = failure_probability(Reliability(), 0.0)
    assert prior == pytest.approx(0.01)
    failed = reliability(Reliability(), False, 0.0)
    shortly, later, much_later = (failure_probability(failed, at) for at in (0.0, 420.0, 3600.0))
    assert shortly > 0.15
    assert prior < much_later < later < shortly
    assert much_later == pytest.approx(prior, abs=0.002)


def test_reliability_is_learned_from_both_outcomes() -> None:
    """One failure in ten is about one in ten."""
    known = Reliability()
    for number in range(200):
        known = reliability(known, number % 10 != 0, float(number))
    assert failure_probability(known, 200.0) == pytest.approx(0.1, abs=0.02)


def test_failures_after_a_thousand_good_answers_are_noticed_within_ten() -> None:
    """A long good record must not hide that every third call fails now; nor is one failure held against it for long."""
    known = Reliability()
    for number in range(1000):
        known = reliability(known, True, 0.1 * number)
    once = reliability(known, False, 100.0)
    assert 0.05 < failure_probability(once, 100.0) < 0.15
    assert failure_probability(once, 160.0) < 0.02
    for number in range(10):
        known = reliability(known, number % 3 != 0, 100.0 + 0.1 * number)
    assert failure_probability(known, 101.0) > 0.2


def test_a_bout_of_failures_counts_once_for_long() -> None:
    """Ten requests lost in one crash say no more of the hours to come than one; ten crashes do."""
    well = Reliability(successes=200.0)
    one = crashed = flaky = well
    one = reliability(one, False, 0.0)
    for _ in range(10):
        crashed = reliability(crashed, False, 0.0)
        flaky = reliability(reliability(flaky, True, 0.0), False, 0.0)
    assert crashed.failures == one.failures == 1.0
    assert flaky.failures == 10.0
    later = 120.0
    assert failure_probability(crashed, later) == pytest.approx(failure_probability(one, later), abs=0.01)
    assert failure_probability(flaky, later) > 0.03


def test_luck_does_not_tell_good_endpoints_apart() -> None:
    """A thousand good answers, or a hundred and twenty and one failure: neither is worth all the calls."""
    busy = Reliability(successes=1000.0)
    unlucky = Reliability(failures=1.0, successes=120.0)
    assert failure_probability(busy, 0.0) == failure_probability(unlucky, 0.0) == pytest.approx(0.01)
    assert failure_probability(Reliability(failures=3.0, successes=120.0), 0.0) > 0.02


def test_an_endpoint_that_has_recovered_is_believed() -> None:
    """What was seen just now is over; that it failed once more than it had is not."""
    failing = Reliability(successes=200.0)
    for _ in range(10):
        failing = reliability(failing, False, 0.0)
    assert failure_probability(failing, 0.0) > 0.5
    well = recovered(failing)
    assert failure_probability(well, 0.0) == failure_probability(Reliability(), 0.0)
    assert well.failures == 1.0
    assert reliability(well, False, 0.0).failures == 2.0


def test_a_clock_that_stands_or_steps_back_does_not_raise_counts() -> None:
    """Counts never grow by fading."""
    known = reliability(Reliability(), False, 100.0)
    known = reliability(known, True, 50.0)
    assert (known.failures, known.successes, known.at) == (1.0, 1.0, 100.0)
    assert known.recent == pytest.approx(0.09)
