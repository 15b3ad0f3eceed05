"""[Performance Monitor]: what an answer teaches about the endpoint that gave it (routing.md 4.4).

Speed is learned as the logarithm of observed over predicted, so that twice too slow and twice too fast weigh
the same; steps are clipped, so that one stall does not undo a day. Give only answers that came complete: a
failed or cancelled one says nothing of speed, and a fast failure must never look like a fast server.
"""

from math import exp, log
from typing import Final

from msgspec.structs import replace

from orchestra_core.domain.catalog import MEMORY_SECONDS, Reliability, Speed, lately

# Averages over everything until there are 20 observations, then with a half-life of about 14.
_STEP: Final = 0.05
_CLIP: Final = 1.0
# A share of the newest answer's length in the average; halves in about 7 answers.
_OUTPUT_STEP: Final = 0.1
# Of one result in the recent share of failures: three in ten show after ten calls.
_RECENT_STEP: Final = 0.1
# The recent share of failures that a silence stands for: as likely as not the next call would wait in vain.
_SUSPECT: Final = 0.5


def observe(
    speed: Speed,
    *,
    prefill: float,
    tpot: float,
    observed_first_token: float,
    observed_tpot: float | None,
) -> Speed:
    """`speed` after one more answer. All times in seconds, `tpot` per token.

    `prefill` and `tpot` are the uncorrected prior of the candidate, `observed_first_token` counts from
    sending. What is not positive was not measured and teaches nothing.
    """
    number = speed.observations + 1
    step = max(1.0 / number, _STEP)
    residuals: list[float] = []
    ttft, per_token = speed.ttft, speed.tpot
    if observed_first_token > 0.0 and prefill > 0.0:
        residuals.append(_residual(observed_first_token, prefill, ttft))
        ttft += step * residuals[-1]
    if observed_tpot is not None and observed_tpot > 0.0 and tpot > 0.0:
        residuals.append(_residual(observed_tpot, tpot, per_token))
        per_token += step * residuals[-1]
    if not residuals:
        return speed
    square = sum(residual * residual for residual in residuals) / len(residuals)
    # The wide prior counts as one observation: a single lucky guess is not certainty.
    variance = speed.variance + max(1.0 / (number + 1), _STEP) * (square - speed.variance)
    return Speed(ttft, per_token, variance, number)


def _residual(observed: float, prior: float, correction: float) -> float:
    # Two logarithms, because the quotient of extremes underflows to a zero that has none.
    return min(max(log(observed) - log(prior) - correction, -_CLIP), _CLIP)


def output_average(old: float | None, tokens: int) -> float:
    """Moving average of the tokens answered; the first answer is the average."""
    return float(tokens) if old is None else old + _OUTPUT_STEP * (tokens - old)


def reliability(old: Reliability, ok: bool, now: float) -> Reliability:
    """The counts after one more result, the old ones faded to `now` (monotonic seconds).

    Failures come in bouts: a server that hangs or crashes loses whatever was under way, once. Ten of those say no more
    of the hours to come than one does, so only a failure that follows a success counts for long; how bad the bout is
    while it lasts, `recent` and the breaker tell.
    """
    at = old.at
    kept = exp((at - now) / MEMORY_SECONDS) if now > at else 1.0
    recent = lately(old, now) if old.recent else 0.0
    if ok:
        return Reliability(
            old.failures * kept, old.successes * kept + 1.0, max(now, at), recent * (1 - _RECENT_STEP), False
        )
    failures = old.failures * kept + (not old.failing)
    recent += _RECENT_STEP * (1 - recent)
    return Reliability(failures, old.successes * kept, max(now, at), recent, True)


def recovered(old: Reliability) -> Reliability:
    """The breaker has closed again, so the bout is over: from here on its slow start is the caution there is.

    Else an endpoint that was shunned would stay so although it is well: without calls nothing says so.
    """
    return replace(old, recent=0.0, failing=False) if old.recent else old


def suspected(old: Reliability, now: float) -> Reliability:
    """Whoever reads from it waits: nothing has failed yet, but the next call had better go elsewhere."""
    kept = exp((old.at - now) / MEMORY_SECONDS) if now > old.at else 1.0
    return Reliability(
        failures=old.failures * kept,
        successes=old.successes * kept,
        at=max(old.at, now),
        recent=max(lately(old, now), _SUSPECT),
        failing=old.failing,
    )


def acquitted(old: Reliability, before: Reliability) -> Reliability:
    """It was only slow: as it would be without the suspicion, unless it has failed since."""
    return old if old.failing else replace(old, recent=lately(before, old.at))
