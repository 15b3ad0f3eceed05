"""How long an attempt may stay silent when its request has a deadline and somebody else could still answer."""

from random import Random

import pytest

from orchestra_core.domain.outcome import Outcome, Partial, Verdict
from orchestra_core.resilience.budget import Retries, RetryBudget
from orchestra_core.resilience.retry import Attempts, Option
from orchestra_core.routing.selector import decide
from tests.unit.routing.fleet import endpoint, profile

NOW = 1000.0
CUT = Outcome(Verdict.INTERRUPTED, "a/m", committed=True, partial=Partial("so far", 2))


def made(**prefill: bool) -> tuple[Attempts, list[Option]]:
    """A request with three seconds left, and the same model on these backends, in that order."""
    places = {name: endpoint(f"{name}/m", prefill=able) for name, able in prefill.items()}
    ranked = decide(profile(), list(places.values()), NOW, "d").ranked
    options = [Option(one, places[one.backend]) for one in ranked]
    retries = Retries()
    return Attempts(retries, RetryBudget(retries), Random(0), NOW + 3.0), options


def limit(attempts: Attempts, options: list[Option], number: int, now: float = NOW) -> float | None:
    return attempts.first_token_limit(options[number].candidate, now, options)


def test_half_of_what_is_left_but_not_less_than_three_times_what_is_predicted() -> None:
    """Silence may use up half of the time, so that as much is left for another; the only one may use all."""
    attempts, options = made(a=True, b=True)
    first = options[0].candidate.first_token
    assert limit(attempts, options, 0) == max(1.5, 3 * first)
    assert limit(attempts, options, 0, NOW + 2.99) == pytest.approx(3 * first)
    alone, only = made(a=True)
    assert limit(alone, only, 0) is None


def test_an_answer_in_one_piece_may_take_three_times_what_is_predicted_of_all_of_it() -> None:
    """Or half of what is left, so that a backend that hangs leaves time for another."""
    attempts, options = made(a=True, b=True)
    at = options[0].candidate
    assert attempts.answer_limit(1.5, at) == max(1.5, 3 * at.seconds)
    assert attempts.answer_limit(1000.0, at) == 1000.0
    assert attempts.answer_limit(None, at) is None


@pytest.mark.parametrize(("able", "limited"), [(True, True), (False, False)])
def test_an_answer_that_goes_on_elsewhere_counts_only_who_could_go_on_after_that(
    able: bool, limited: bool
) -> None:
    """Continued at the second of three: its silence is bounded only if the third can continue as well."""
    attempts, options = made(a=True, b=True, c=able)
    step = attempts.after(CUT, options[0], NOW, options)
    assert step.option is options[1]
    assert (limit(attempts, options, 1) is not None) is limited
