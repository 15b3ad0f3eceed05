"""What a finished answer teaches about the speed of its endpoint (routing.md 4.4)."""

from math import exp
from typing import Final

from orchestra_core.domain.call import Task
from orchestra_core.domain.catalog import Endpoint
from orchestra_core.domain.decision import Candidate
from orchestra_core.domain.outcome import Outcome
from orchestra_core.telemetry.performance import observe, output_average

# From here on every fourth answer is learned from: by then one answer moves the estimate by 5 % at most, and
# at any rate of calls that matters for CPU a quarter of them tells as much.
_WELL_KNOWN: Final = 64


def learn_speed(endpoint: Endpoint, candidate: Candidate, outcome: Outcome, task: Task) -> None:
    """Only successes teach speed."""
    count = outcome.usage.completion
    if count:
        endpoint.outputs[task] = output_average(endpoint.outputs.get(task), count)
    if endpoint.speed.observations > _WELL_KNOWN and endpoint.calls & 3:
        return
    if outcome.first_token is None:
        _from_whole(endpoint, candidate, outcome)
    elif count > 1:
        _from_stream(endpoint, candidate, outcome)


def _from_stream(endpoint: Endpoint, candidate: Candidate, outcome: Outcome) -> None:
    first, count = outcome.first_token or 0.0, outcome.usage.completion
    tpot = (outcome.seconds - first) / (count - 1)
    endpoint.first_token = _recent(endpoint.first_token, first)
    if tpot > 0:
        endpoint.rate = _recent(endpoint.rate, 1 / tpot)
    endpoint.speed = observe(
        endpoint.speed,
        prefill=candidate.prefill,
        tpot=candidate.tpot,
        observed_first_token=first,
        observed_tpot=tpot if tpot > 0 else None,
    )


def _from_whole(endpoint: Endpoint, candidate: Candidate, outcome: Outcome) -> None:
    """An answer in one piece only tells the sum, so both corrections move by the one ratio it shows."""
    speed, count = endpoint.speed, outcome.usage.completion
    first = candidate.prefill * exp(speed.ttft)
    tpot = candidate.tpot * exp(speed.tpot)
    expected = first + tpot * max(0, count - 1)
    if expected <= 0 or outcome.seconds <= 0:
        return
    ratio = outcome.seconds / expected
    endpoint.speed = observe(
        speed,
        prefill=candidate.prefill,
        tpot=candidate.tpot,
        observed_first_token=first * ratio,
        observed_tpot=tpot * ratio if count > 1 else None,
    )


def _recent(old: float | None, new: float) -> float:
    """An average that follows within about ten observations."""
    return new if old is None else old + 0.2 * (new - old)
