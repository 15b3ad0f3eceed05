"""[Fallback Chain]: one attempt after the other until one answers, under one deadline, one limit of cost and
one budget of retries. What follows which outcome is decided by `resilience.retry`; here it is done.
"""

import asyncio
from collections.abc import Callable
from random import Random

import msgspec

from orchestra_core.accounting.pricing import cost_of
from orchestra_core.accounting.reservation import Hold
from orchestra_core.clock import Clock
from orchestra_core.domain.budgets import Over
from orchestra_core.domain.call import Call
from orchestra_core.domain.catalog import Endpoint
from orchestra_core.domain.decision import Decision
from orchestra_core.domain.outcome import Outcome, Verdict
from orchestra_core.domain.price import Price
from orchestra_core.domain.result import Tried
from orchestra_core.domain.sink import Execute, Serving, Sink
from orchestra_core.pipeline.announcing import Begin, unannounced
from orchestra_core.pipeline.degradation import Alternatives, serving
from orchestra_core.pipeline.lanes import Lane, Lanes
from orchestra_core.pipeline.patience import Patience, Readiness
from orchestra_core.pipeline.placement import Placement
from orchestra_core.pipeline.purse import Purse, Stake
from orchestra_core.pipeline.queueing import Queueing
from orchestra_core.resilience.budget import Retries, RetryBudget
from orchestra_core.resilience.continuation import continued
from orchestra_core.resilience.retry import Attempts, Option, Step

GONE = "the endpoint was removed while the request waited"


class Run:
    """One request on its way through the chain. `call` is the one to send next, which a continuation changes.

    `probe` is the breaker's token where the request is sent although the breaker is open, and nowhere else. `begin`
    is called before it is sent, `begun` is whether it was.
    """

    __slots__ = (
        "attempts",
        "begin",
        "begun",
        "call",
        "deadline",
        "decision",
        "failed",
        "hold",
        "loading",
        "price",
        "probe",
        "sink",
        "stake",
        "strict",
        "tried",
    )

    def __init__(
        self,
        call: Call,
        decision: Decision,
        sink: Sink,
        tried: list[Tried],
        deadline: float,
        probe: int = 0,
    ) -> None:
        self.call = call
        self.decision = decision
        self.sink = sink
        self.tried = tried
        self.deadline = deadline
        self.probe = probe
        self.attempts: Attempts
        self.begin: Begin = unannounced
        self.begun = False
        self.failed: Outcome | None = None
        # Seconds the next attempt waited for its model.
        self.loading = 0.0
        self.price: Price | None = None
        # What is set aside for the attempt under way, and what budgets know of the whole request.
        self.stake: Stake | None = None
        self.hold = Hold()
        # A budget that nothing of less quality may stand in for refused it.
        self.strict = False


class Chain:
    """`failed_over` is told of every move to another endpoint."""

    def __init__(
        self,
        *,
        lanes: Lanes,
        placement: Placement,
        execute: Execute,
        clock: Clock,
        readiness: Readiness,
        alternatives: Alternatives,
        patience: Patience,
        failed_over: Callable[[Call, Outcome, str], None],
        budget: RetryBudget,
        retries: Retries,
        rng: Random,
        queue_seconds: float,
        purse: Purse,
    ) -> None:
        self._purse = purse
        self._lanes = lanes
        self._placement = placement
        self._execute = execute
        self._clock = clock
        self._ready = readiness
        self._alternatives = alternatives
        self._patience = patience
        self._failed_over = failed_over
        self._budget = budget
        self.retries = retries
        self._rng = rng
        self._queueing = Queueing(lanes, clock, patience, queue_seconds)

    async def __call__(self, run: Run, at: Option | None = None) -> Outcome:
        """The outcome that counts; attempts that were sent are appended to `run.tried` as they end.

        The first may have been made already, at `at`.
        """
        wishes = run.decision.requirements
        run.attempts = Attempts(self.retries, self._budget, self._rng, run.deadline, wishes.max_cost)
        step = self._first(run) if at is None else self._went_on(run, at, run.tried.pop())
        while step.option is not None:
            if step.delay:
                await self._patience.pause(step.delay, run.call, run.sink, "")
            step = await self._go(run, step.option)
        return step.outcome

    def _went_on(self, run: Run, at: Option, first: Tried) -> Step:
        run.price = first.price
        return self._follow(run, at, first.outcome)

    def _first(self, run: Run) -> Step:
        best = run.decision.ranked[0].endpoint
        options = self._alternatives.ranked(run.decision)
        return Step(Outcome(Verdict.UNREACHABLE, best, 0, GONE), options[0] if options else None)

    async def _go(self, run: Run, option: Option) -> Step:
        """One attempt: a slot, the model loaded, the breaker's permit, then send. All of it is given back."""
        there = self._alternatives.now(option)
        if there is None:
            gone = Outcome(Verdict.UNREACHABLE, option.endpoint.id, 0, GONE)
            return self._refused(run, option, gone)
        option = there
        now = self._clock.monotonic()
        options = self._alternatives.all(run.call, run.decision)
        beside = run.attempts.beside(option, now, options)
        if not self._purse.on:
            return await self._placed(run, option, beside, options)
        return await self._within_budgets(run, option, beside, options)

    async def _within_budgets(
        self, run: Run, option: Option, beside: list[Option], options: list[Option]
    ) -> Step:
        """Money before a slot: who holds a slot never waits for money."""
        purse, task = self._purse, run.decision.task
        stake = await purse.take(run.call, task, run.sink, run.hold, option, beside, run.deadline)
        if not isinstance(stake, Stake):
            run.strict = run.strict or stake.account.budget.over is Over.REFUSE
            return self._refused(run, option, purse.outcome(option, stake))
        run.stake = stake
        try:
            return await self._placed(run, option, stake.beside, options)
        finally:
            run.stake = None
            purse.settle(stake, run.decision)

    async def _placed(self, run: Run, option: Option, beside: list[Option], options: list[Option]) -> Step:
        place = await self._queueing.slot(run.call, run.sink, option, beside, run.deadline)
        if isinstance(place, Outcome):
            return self._refused(run, option, place)
        place = self._alternatives.now(place) or place
        endpoint = place.endpoint
        if run.stake is not None:
            self._purse.place(run.stake, endpoint.id)
        lane = self._lanes.of(endpoint)
        endpoint.inflight += 1
        endpoint.work += place.candidate.work
        token = 0
        outcome: Outcome | None = None
        try:
            refusal = await self._loaded(run, endpoint)
            if refusal is None:
                token, refusal = self._permit(run, lane)
            if refusal is None:
                outcome = await self._send(run, place, options)
        finally:
            self._placement.end(
                lane, endpoint, run.call, run.decision.task, place.candidate, token, outcome, run.sink
            )
        if outcome is not None:
            return self._follow(run, place, outcome)
        assert refusal is not None
        return self._refused(run, place, refusal)

    async def _loaded(self, run: Run, endpoint: Endpoint) -> Outcome | None:
        begun = self._now()
        try:
            return await self._ready(endpoint, run.call, run.sink)
        finally:
            run.loading = self._now() - begun

    def _refused(self, run: Run, at: Option, refusal: Outcome) -> Step:
        return self._move(run, at, run.attempts.refused(refusal, at, self._now(), self._options(run)))

    def _permit(self, run: Run, lane: Lane) -> tuple[int, Outcome | None]:
        """A token of the breaker, or why nothing may be sent: much may have changed while the request waited."""
        endpoint, now = lane.endpoint, self._now()
        token = run.probe or lane.breaker.admit(now)
        if token is None:
            wait = max(1.0, (lane.breaker.retry_at() or now) - now)
            why = f"the breaker of {endpoint.id} is {lane.breaker.state(now)}"
            return 0, Outcome(Verdict.BUSY, endpoint.id, 503, why, retry_after=wait)
        if not endpoint.draining and endpoint.reachable:
            return token, None
        lane.breaker.release(token)
        why = f"{endpoint.id} is being drained" if endpoint.draining else f"{endpoint.id} does not answer"
        return 0, Outcome(Verdict.BUSY, endpoint.id, 503, why, retry_after=1.0)

    async def _send(self, run: Run, at: Option, options: list[Option]) -> Outcome:
        first = None
        if run.call.deadline is not None:
            first = run.attempts.first_token_limit(at.candidate, self._now(), options)
        whole = run.attempts.answer_limit(first, at.candidate)
        told = self._serving(run, at)
        run.price = at.endpoint.spec.price
        stake = run.stake
        if stake is not None:
            # Before every attempt: what the request may have cost if the engine ends now is more each time.
            stake.sent = True
            run.begin(run.call, run.decision, at.candidate, stake.most)
        elif not run.begun:
            run.begin(run.call, run.decision, at.candidate)
        run.begun = True
        try:
            return await self._execute(run.call, at.endpoint, run.sink, told, first, whole)
        except asyncio.CancelledError as gone:
            self._ended(run, cancelled(at, gone, run.sink, run.decision, run.price, run.loading))
            raise

    def _serving(self, run: Run, at: Option) -> Serving:
        return serving(at, run.decision, len(run.tried) + 1, run.failed)

    def _follow(self, run: Run, at: Option, outcome: Outcome) -> Step:
        """Accounts for the attempt and decides what comes next."""
        outcome = charged(outcome, run.decision)
        self._ended(run, Tried(at.candidate, outcome, at.asked != "", run.loading, run.price))
        cost = cost_of(run.price, outcome.usage, outcome.seconds) or 0.0
        if run.sink.committed and not outcome.ok:
            outcome = _interrupted(outcome, run.call)
        following = None
        if outcome.partial is not None and self.retries.continuation:
            following = continued(run.call, outcome.partial)
            if following is None:
                outcome = msgspec.structs.replace(outcome, partial=None)
        step = run.attempts.after(outcome, at, self._now(), self._options(run), cost)
        if step.option is not None and following is not None:
            run.call = following
        return self._move(run, at, step)

    @staticmethod
    def _ended(run: Run, tried: Tried) -> None:
        run.tried.append(tried)
        if run.stake is not None:
            run.stake.tried = tried

    def _move(self, run: Run, at: Option, step: Step) -> Step:
        if step.option is not None and step.option.endpoint is not at.endpoint:
            run.failed = run.failed or step.outcome
            self._failed_over(run.call, step.outcome, step.option.endpoint.id)
        return step

    def _options(self, run: Run) -> list[Option]:
        """As they are now: endpoints come and go while a request waits."""
        if run.probe:
            return []
        options = self._alternatives.all(run.call, run.decision)
        return [option for option in options if not option.asked] if run.strict else options

    def _now(self) -> float:
        return self._clock.monotonic()


def charged(outcome: Outcome, decision: Decision) -> Outcome:
    """With the prompt's tokens estimated where the backend began to work on it and reported nothing."""
    usage = outcome.usage
    worked = outcome.committed or outcome.status == 200 or outcome.verdict is Verdict.TIMEOUT
    # One that was still being connected took no time, and nobody has read its prompt.
    worked = worked or (outcome.verdict is Verdict.CANCELLED and outcome.seconds > 0)
    if outcome.ok or usage.prompt or not worked or outcome.unsent:
        return outcome
    estimate = msgspec.structs.replace(usage, prompt=decision.input_tokens, estimated=True)
    return msgspec.structs.replace(outcome, usage=estimate)


def cancelled(
    at: Option,
    gone: asyncio.CancelledError,
    sink: Sink,
    decision: Decision,
    price: Price | None,
    loading: float = 0.0,
) -> Tried:
    """The attempt that was under way; what had arrived of it comes with the error where that is known."""
    known = gone.args[0] if gone.args and isinstance(gone.args[0], Outcome) else None
    if known is None:
        why = "ended before its answer was complete"
        known = Outcome(Verdict.CANCELLED, at.endpoint.id, 499, why, committed=sink.committed)
    return Tried(at.candidate, charged(known, decision), at.asked != "", loading, price)


def _interrupted(outcome: Outcome, call: Call) -> Outcome:
    """The client has the beginning of an answer: whatever ended this attempt, for the client it was cut.

    An attempt without a partial went on and is not to be continued: what the client has is then more than before
    it. Only one that made no connection has nothing to say of that.
    """
    if outcome.verdict is Verdict.CANCELLED:
        return outcome
    partial = call.so_far if outcome.verdict is Verdict.UNREACHABLE else outcome.partial
    return msgspec.structs.replace(outcome, verdict=Verdict.INTERRUPTED, committed=True, partial=partial)
