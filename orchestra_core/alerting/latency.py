"""Endpoints that became slower than they were: each against its own baseline, never against others.

Looked at is what performance learning has found: observed over predicted time, for the first token and for each after
it. So neither longer prompts nor more calls at once count as slower, and loads do not either.
"""

from collections.abc import Iterable, Iterator
from math import exp, log

from orchestra_core.alerting.policy import Policy
from orchestra_core.alerting.signals import Signal, grade
from orchestra_core.domain.alerts import Severity
from orchestra_core.domain.snapshot import ModelView

# A baseline follows within some 500 answers; what is looked at follows within 20.
_STEP = 1 / 500
# Slower counts as better again below this share of the way from 1 to the limit.
_EASE = 0.4
# What nobody has used for so long may have recovered: it is not said any more, and said again when it has not.
STALE_SECONDS = 900.0
# What was so for a day is how it is now.
ADOPT_SECONDS = 86_400.0
# Differences nobody feels: in the first token, and in each after it.
_FELT_FIRST, _FELT_TOKEN = 0.05, 0.002
_NEVER = float("-inf")


class Baseline:
    """How fast one endpoint usually is, in natural logarithms; it stands still while the endpoint is slower."""

    __slots__ = ("first", "frozen_at", "heard_at", "samples", "seen", "token")

    def __init__(self, view: ModelView) -> None:
        self.first = log(view.first_token_ratio)
        self.token = log(view.token_ratio)
        self.seen = view.speed_observations
        self.samples = view.speed_observations
        self.heard_at = _NEVER
        self.frozen_at: float | None = None

    def learn(self, view: ModelView, now: float) -> None:
        """Takes the answers since the last look into account."""
        new = view.speed_observations - self.seen
        self.seen = view.speed_observations
        if new <= 0:
            return
        self.heard_at = now
        if self.frozen_at is not None and now - self.frozen_at < ADOPT_SECONDS:
            return
        if self.frozen_at is not None:
            self.frozen_at, self.samples = None, 0
        self.samples += new
        share = max(new / self.samples, 1 - (1 - _STEP) ** new)
        self.first += share * (log(view.first_token_ratio) - self.first)
        self.token += share * (log(view.token_ratio) - self.token)

    def slower(self, view: ModelView) -> tuple[float, str]:
        """(how many times, in what): the worse of the two that somebody would feel."""
        first = exp(log(view.first_token_ratio) - self.first)
        token = exp(log(view.token_ratio) - self.token)
        waited, rate = view.first_token_seconds, view.tokens_per_second
        if waited is None or waited * (1 - 1 / first) < _FELT_FIRST:
            first = 1.0
        if not rate or (1 - 1 / token) / rate < _FELT_TOKEN:
            token = 1.0
        return (first, "first token") if first >= token else (token, "tokens")


class Latency:
    """The rule, with a baseline for each endpoint."""

    def __init__(self) -> None:
        self._baselines: dict[str, Baseline] = {}

    def signals(self, views: Iterable[ModelView], policy: Policy, now: float) -> Iterator[Signal]:
        """`now` is monotonic seconds."""
        known, self._baselines = self._baselines, {}
        for view in views:
            if not view.speed_observations:
                continue
            baseline = known.get(view.id)
            if baseline is None or view.speed_observations < baseline.seen:
                baseline = Baseline(view)
            self._baselines[view.id] = baseline
            yield from _judge(view, baseline, policy, now)


def _judge(view: ModelView, baseline: Baseline, policy: Policy, now: float) -> Iterator[Signal]:
    baseline.learn(view, now)
    if baseline.samples < policy.latency_samples or now - baseline.heard_at > STALE_SECONDS:
        return
    times, what = baseline.slower(view)
    limits = (
        (Severity.WARNING, policy.latency_warning - 1),
        (Severity.CRITICAL, policy.latency_critical - 1),
    )
    raised, kept, limit = grade(times - 1, limits, _EASE)
    if raised and baseline.frozen_at is None:
        baseline.frozen_at = now
    elif not kept:
        baseline.frozen_at = None
    if kept:
        told = f"{what} {times:.1f} times slower than usual here{_now(view, what)}"
        yield Signal(
            "latency", view.id, raised, kept, told, round(times, 2), None if limit is None else limit + 1
        )


def _now(view: ModelView, what: str) -> str:
    if what == "tokens":
        return "" if view.tokens_per_second is None else f": {view.tokens_per_second:.1f} a second now"
    return "" if view.first_token_seconds is None else f": {view.first_token_seconds:.2f} s now"
