"""What follows the outcome of an attempt: another endpoint, the same one later, or the end.

One request, one deadline, one limit of cost, one budget of retries for all requests together:

    answered, cancelled, refused as bad, filtered    the end
    cut after its first token                        goes on elsewhere if it can be continued, else the end
    prompt too long                                  only where the context is larger
    cannot be said in the backend's format           another endpoint, which costs no retry: nothing was sent
    silence                                          never again the same endpoint
    our key refused, model missing                   another endpoint, never the same
    limited (429)                                    another; the same after its Retry-After, up to ten seconds
    the model is being loaded                        one that is ready; else wait: neither failure nor retry
    lost by two backends after sending               the request itself is at fault: the end
    anything else                                    another endpoint, on another backend if possible; the
                                                     same only when there is no other, after a random wait

Pure: `now` is monotonic seconds, and the live state of an endpoint is read from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from orchestra_core.domain.catalog import Circuit, Endpoint, Residency, failure_probability
from orchestra_core.domain.decision import TERMS, Candidate
from orchestra_core.domain.outcome import Outcome, Verdict
from orchestra_core.resilience.budget import Retries, RetryBudget

if TYPE_CHECKING:
    from random import Random

_NEVER_AGAIN = frozenset(
    {Verdict.TIMEOUT, Verdict.MISSING, Verdict.MISCONFIGURED, Verdict.CONTEXT_OVERFLOW, Verdict.INTERRUPTED}
)
_POISONED = 2
_FAILURE = TERMS.index("failure")
# How often a model that is being loaded is asked for, seconds: at first, and at most.
_POLL, _POLL_MOST = 0.25, 2.0


class Option(msgspec.Struct, frozen=True, gc=False):
    """A place the request may go. Options come in the order to try them.

    `asked` is what the client asked for where this is something else (a degraded answer). A `last` option is
    worth less than another try of what was asked for.
    """

    candidate: Candidate
    endpoint: Endpoint
    asked: str = ""
    last: bool = False


class Step(msgspec.Struct, frozen=True, gc=False):
    """Go to `option` after `delay` seconds; or, without one, the end with `outcome`."""

    outcome: Outcome
    option: Option | None = None
    delay: float = 0.0


class Attempts:
    """The attempts of one request. Tell each one's end to `after`, and do what it says."""

    __slots__ = (
        "_budget",
        "_deadline",
        "_dropped",
        "_excluded",
        "_failed",
        "_last",
        "_limit",
        "_loading_since",
        "_longest",
        "_polls",
        "_retries",
        "_retrying",
        "_rng",
        "_tries",
        "sent",
        "spent",
    )

    def __init__(
        self,
        retries: Retries,
        budget: RetryBudget,
        rng: Random,
        deadline: float,
        max_cost: float | None = None,
    ) -> None:
        self._retries = retries
        self._budget = budget
        self._rng = rng
        self._deadline = deadline
        self._limit = max_cost
        self._excluded: set[str] = set()
        self._tries: dict[str, int] = {}
        self._failed: set[str] = set()
        self._dropped: set[str] = set()
        self._longest = 0
        self._last: Outcome | None = None
        self._loading_since: float | None = None
        self._polls = 0
        self._retrying = False
        self.sent = 0
        self.spent = 0.0

    def refused(self, outcome: Outcome, at: Option, now: float, options: Sequence[Option]) -> Step:
        """It could not be sent to `at` (no slot, breaker, gone): the next one, which costs no retry.

        Where the client has the beginning of an answer, how that was cut still rules where the request may go, and
        is how it ends.
        """
        self._excluded.add(at.endpoint.id)
        self._last = self._last or outcome
        if self._last.committed:
            outcome = self._last
        option, delay = self._choose(outcome, now, options)
        return Step(outcome, option, delay)

    def after(
        self, outcome: Outcome, at: Option, now: float, options: Sequence[Option], cost: float = 0.0
    ) -> Step:
        """The attempt at `at` was sent and ended so, having cost `cost`."""
        if outcome.verdict is Verdict.UNSUPPORTED:
            return self._unsupported(outcome, at, now, options)
        self.spent += cost
        self.sent += 1
        if outcome.ok and self._retrying:
            self._budget.refund()
        if not outcome.try_elsewhere and not self._continues(outcome):
            return Step(outcome)
        self._note(outcome, at)
        if outcome.verdict is Verdict.LOADING:
            return self._loading(outcome, at, now, options)
        if len(self._dropped) >= _POISONED:
            return Step(_poison(outcome, self._dropped))
        option, delay = self._choose(outcome, now, options)
        if self.sent >= self._retries.attempts or (option is not None and not self._budget.withdraw()):
            return Step(_exhausted(outcome))
        self._retrying = option is not None
        return Step(outcome, option, delay)

    def _unsupported(self, outcome: Outcome, at: Option, now: float, options: Sequence[Option]) -> Step:
        """It says something of the request only where no endpoint took it: what failed elsewhere counts for more."""
        self._excluded.add(at.endpoint.id)
        option, delay = self._choose(outcome, now, options)
        return Step(outcome if option is not None else self._last or outcome, option, delay)

    def first_token_limit(self, at: Candidate, now: float, options: Sequence[Option]) -> float | None:
        """Seconds this attempt may stay silent so that another one still has a chance; None: as configured."""
        others = (o for o in options if o.endpoint.id != at.endpoint and self._fits(self._last, o))
        if self.sent + 1 >= self._retries.attempts or not any(_able(o.endpoint, now) for o in others):
            return None
        return max((self._deadline - now) / 2, 3 * at.first_token)

    @staticmethod
    def answer_limit(first_token_limit: float | None, at: Candidate) -> float | None:
        """The same for an answer in one piece, of which nothing is seen before it is done."""
        return None if first_token_limit is None else max(first_token_limit, 3 * at.seconds)

    def beside(self, at: Option, now: float, options: Sequence[Option]) -> list[Option]:
        """Where a request that is to go `at` may go as well: to whichever of these has a slot first."""
        model = at.endpoint.spec.model
        return [
            option
            for option in options
            if option.endpoint.spec.model == model
            and option.endpoint is not at.endpoint
            and option.endpoint.residency is Residency.READY  # a slot is no reason to load it once more
            and not self._tries.get(option.endpoint.id)
            and self._fits(self._last, option)
            and _able(option.endpoint, now)
        ]

    def _continues(self, outcome: Outcome) -> bool:
        return self._retries.continuation and outcome.partial is not None

    def _note(self, outcome: Outcome, at: Option) -> None:
        name = at.endpoint.id
        self._last = outcome
        self._tries[name] = self._tries.get(name, 0) + 1
        self._failed.add(at.endpoint.spec.backend)
        if outcome.verdict in _NEVER_AGAIN:
            self._excluded.add(name)
        if outcome.verdict is Verdict.DROPPED:
            self._dropped.add(at.endpoint.spec.backend)
        if outcome.verdict is Verdict.CONTEXT_OVERFLOW:
            self._longest = max(self._longest, at.endpoint.spec.context)

    def _loading(self, outcome: Outcome, at: Option, now: float, options: Sequence[Option]) -> Step:
        self.sent -= 1
        self._failed.discard(at.endpoint.spec.backend)
        if self._loading_since is None:
            self._loading_since = now
        ready = [
            o for o in options if o.endpoint is not at.endpoint and o.endpoint.residency is Residency.READY
        ]
        option, delay = self._choose(outcome, now, ready)
        if option is not None and not self._tries.get(option.endpoint.id):
            return Step(outcome, option, delay)
        delay = min(_POLL_MOST, _POLL * 2.0 ** min(self._polls, 8))
        self._polls += 1
        if now + delay >= min(self._deadline, self._loading_since + self._retries.load):
            return Step(outcome)
        return Step(outcome, at, delay)

    def _choose(self, outcome: Outcome, now: float, options: Sequence[Option]) -> tuple[Option | None, float]:
        """The best option there is now with the seconds to wait for it; `options` are in order of rank."""
        possible = [option for option in options if self._fits(outcome, option)]
        able = [option for option in possible if _able(option.endpoint, now)]
        if able:
            option = self._likelier(min(able, key=self._rank), able, now)
            delay = self._delay(outcome, option)
        else:
            cooling = [o for o in possible if _able(o.endpoint, o.endpoint.cooling_until)]
            if not cooling:
                return None, 0.0
            option = min(cooling, key=lambda o: o.endpoint.cooling_until)
            delay = option.endpoint.cooling_until - now
            if delay > self._retries.honoured:
                return None, 0.0
        return (option, delay) if now + delay < self._deadline else (None, 0.0)

    def _fits(self, outcome: Outcome | None, option: Option) -> bool:
        """Whether what is known of the request so far allows it to go there at all."""
        endpoint = option.endpoint
        if endpoint.id in self._excluded or endpoint.spec.context <= self._longest:
            return False
        if outcome is not None:
            model = outcome.endpoint.partition("/")[2]
            if outcome.committed and not (endpoint.spec.prefill and endpoint.spec.model == model):
                return False
            if self._tries.get(endpoint.id) and (outcome.retry_after or 0.0) > self._retries.honoured:
                return False
        if self._limit is None:
            return True
        cost = option.candidate.cost
        return cost is not None and self.spent + cost <= self._limit

    def _rank(self, option: Option) -> tuple[float, bool]:
        """Smallest first; `min` keeps the order of the options among equals.

        What was tried comes after what was not, and a `last` option between them when there is only one attempt
        left, else after one more try of what was asked for.
        """
        tried: float = self._tries.get(option.endpoint.id, 0)
        if option.last and not tried:
            tried = 0.5 if self.sent + 1 >= self._retries.attempts else 1.5
        return tried, option.endpoint.spec.backend in self._failed

    def _likelier(self, best: Option, able: Sequence[Option], now: float) -> Option:
        """Of what ranks equal among the endpoints of its model, the one worth most by what is known now.

        The order is that of the decision, and what broke since then may well be next in it.
        """
        rank, model = self._rank(best), best.endpoint.spec.model
        same = [
            option for option in able if option.endpoint.spec.model == model and self._rank(option) == rank
        ]
        return best if len(same) < 2 else max(same, key=lambda option: _worth(option, now))

    def _delay(self, outcome: Outcome, option: Option) -> float:
        """None where nothing has failed yet, so that a failover costs no time; else full jitter."""
        tried = self._tries.get(option.endpoint.id, 0)
        if not tried and (self.sent <= 1 or option.endpoint.spec.backend not in self._failed):
            return 0.0
        longest = min(self._retries.longest, self._retries.base * 2.0 ** min(max(0, self.sent - 1), 32))
        jitter = self._rng.random() * longest
        return max(jitter, outcome.retry_after or 0.0) if tried else jitter


def _able(endpoint: Endpoint, now: float) -> bool:
    """As far as is known, it can take a call now."""
    if not endpoint.reachable or endpoint.draining or endpoint.circuit is Circuit.OPEN:
        return False
    if endpoint.cooling_until > now:
        return False
    return endpoint.residency is not Residency.ABSENT or endpoint.spec.loadable


def _worth(option: Option, now: float) -> tuple[bool, float]:
    """Its utility with what was learned of its reliability since the decision; an overloaded one stays last."""
    candidate = option.candidate
    failure = failure_probability(option.endpoint.reliability, now)
    change = candidate.weights[_FAILURE] * (failure - candidate.values[_FAILURE])
    return not candidate.overloaded, candidate.utility + change


def _exhausted(outcome: Outcome) -> Outcome:
    return msgspec.structs.replace(outcome, exhausted=True)


def _poison(outcome: Outcome, backends: set[str]) -> Outcome:
    names = " and ".join(sorted(backends))
    why = f"{names} each lost the connection on this request, so it is not sent to a third"
    return msgspec.structs.replace(outcome, verdict=Verdict.POISON, status=502, message=why, exhausted=True)
