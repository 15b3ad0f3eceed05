"""The whole life of a request in one place: plan, try, complete. Facades call it, nothing calls past it.

The first attempt of the common case (a free slot, a loaded model, no deadline of its own) is made here, without
a coroutine in between: that is most requests, and each layer costs more than what it does. Everything else goes
through the chain.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from orchestra_core.clock import Clock
from orchestra_core.domain.call import Call
from orchestra_core.domain.catalog import Endpoint
from orchestra_core.domain.decision import Decision
from orchestra_core.domain.errors import Unavailable
from orchestra_core.domain.outcome import Outcome, Verdict
from orchestra_core.domain.result import Result, Tried
from orchestra_core.domain.sink import Execute, Serving, Sink
from orchestra_core.pipeline.announcing import Begin, unannounced
from orchestra_core.pipeline.chain import Chain, Run, cancelled, charged
from orchestra_core.pipeline.lanes import Lanes
from orchestra_core.pipeline.placement import Placement
from orchestra_core.pipeline.planning import Planning
from orchestra_core.pipeline.purse import Purse, free
from orchestra_core.pipeline.whole import Whole
from orchestra_core.resilience.budget import RetryBudget
from orchestra_core.resilience.retry import Option

# Seconds: what an engine that stops tells those it could not serve; it may be back by then.
_COME_BACK: Final = 5.0
_SUCCESS: Final = Verdict.SUCCESS


class Complete(Protocol):
    """[Response Handler]: told of every request that was planned, exactly once."""

    def __call__(
        self, call: Call, decision: Decision, tried: tuple[Tried, ...], outcome: Outcome, seconds: float
    ) -> float | None:
        """Records it and returns its cost, None when a price is unknown."""


class Service:
    """`complete` may be replaced while it runs, by something that calls it; `refused` is told of calls that nothing
    could serve, with what could if its breaker were closed.
    """

    def __init__(
        self,
        *,
        planning: Planning,
        find: Callable[[str], Endpoint | None],
        lanes: Lanes,
        placement: Placement,
        execute: Execute,
        chain: Chain,
        complete: Complete,
        budget: RetryBudget,
        purse: Purse,
        clock: Clock,
        whole: Whole | None = None,
        begin: Begin = unannounced,
    ) -> None:
        self._planning = planning
        self._find = find
        self._lanes = lanes
        self._placement = placement
        self._execute = execute
        self._chain = chain
        self.complete = complete
        self.refused: Callable[[Call, Decision | None], None] = _untold
        self._begin = begin
        self._budget = budget
        self._purse = purse
        self._monotonic = clock.monotonic
        self.whole = whole or Whole()
        self._ending = ""
        # Those on their way through the chain, and by id why a request was cancelled by us.
        self.runs: set[Run] = set()
        self.cancelled: dict[str, str] = {}

    def end(self, why: str) -> None:
        """From now on a cancelled request was cancelled by us, and its client is still there to be told why."""
        self._ending = why

    async def __call__(self, call: Call, sink: Sink) -> Result:
        """Raises OrchestraError when nothing can serve the call; otherwise the outcome tells how it went."""
        self._budget.deposit()
        try:
            decision = self._planning(call)
        except Unavailable as refusal:
            return await self._probe(call, sink, refusal)
        best = decision.ranked[0]
        endpoint = self._find(best.endpoint)
        if (
            endpoint is None
            or call.deadline is not None
            or decision.relaxed is not None
            or decision.asked
            or (self._purse.on and not free(endpoint.spec))
        ):
            return await self._through_chain(call, decision, sink)
        lane = self._lanes.of(endpoint)
        token = self._placement.begin(lane, best, decision.at)
        if not token:
            return await self._through_chain(call, decision, sink)
        price = endpoint.spec.price
        outcome: Outcome | None = None
        try:
            told = Serving(best.model, best.backend, decision.id, 1, False, decision)
            self._begin(call, decision, best)
            outcome = await self._execute(call, endpoint, sink, told)
        except asyncio.CancelledError as gone:
            return self._cancelled(
                call, decision, [cancelled(Option(best, endpoint), gone, sink, decision, price)], sink
            )
        finally:
            now = self._placement.end(lane, endpoint, call, decision.task, best, token, outcome, sink)
        tried = Tried(best, outcome, False, 0.0, price)
        if outcome.verdict is _SUCCESS:
            return self._end(call, decision, (tried,), outcome, now)
        return await self._through_chain(call, decision, sink, tried, Option(best, endpoint))

    async def _through_chain(
        self,
        call: Call,
        decision: Decision,
        sink: Sink,
        first: Tried | None = None,
        at: Option | None = None,
        *,
        probe: int = 0,
    ) -> Result:
        """`first`: the attempt that was made already, at `at`. `probe`: the token of a forced probe."""
        # From here on it may have to be known how long an answer to such a task usually is.
        call = msgspec.structs.replace(call, task=decision.task)
        deadline = call.deadline
        if deadline is None:
            deadline = call.received + (self.whole.streamed if call.stream else self.whole.plain)
        tried = [] if first is None else [first]
        run = Run(call, decision, sink, tried, deadline, probe)
        run.begin, run.begun = self._begin, first is not None
        self.runs.add(run)
        try:
            async with asyncio.timeout(max(0.0, deadline - self._monotonic())):
                outcome = await self._chain(run, at)
            return self._end(call, decision, tuple(tried), outcome)
        except TimeoutError:
            outcome = _late(decision, tried, sink)
            return self._end(call, decision, tuple(tried), outcome)
        except asyncio.CancelledError:
            return self._cancelled(call, decision, tried, sink)
        finally:
            self.runs.discard(run)
            self._purse.close(run.hold)

    async def _probe(self, call: Call, sink: Sink, refusal: Unavailable) -> Result:
        """Nothing can serve it: where only breakers stand in the way, one request at a time finds out."""
        decision = self._planning.behind_breakers(call)
        endpoint = None if decision is None else self._find(decision.ranked[0].endpoint)
        if decision is None or endpoint is None:
            self.refused(call, decision)
            raise refusal
        lane = self._lanes.of(endpoint)
        free = lane.permits.held < lane.permits.allowed
        token = lane.breaker.force_probe(self._monotonic()) if free else None
        if token is None:
            self.refused(call, decision)
            raise refusal
        try:
            return await self._through_chain(call, decision, sink, probe=token)
        finally:
            lane.breaker.release(token)

    def left(self, call: Call, decision: Decision, sink: Sink) -> Result:
        """For a request that was cancelled before it came here: the same as for those that had."""
        return self._cancelled(call, decision, [], sink)

    def _cancelled(self, call: Call, decision: Decision, tried: list[Tried], sink: Sink) -> Result:
        """Accounts for it and lets the cancellation go on, unless it was us who ended it: then its client is told."""
        first = decision.ranked[0].endpoint if decision.ranked else ""
        if self._ending:
            _uncancel()
            return self._end(call, decision, tuple(tried), _with_work(self._ended(first, sink), tried))
        why = self.cancelled.get(call.id)
        gone = Outcome(Verdict.CANCELLED, first, 499, why or "the client left", committed=sink.committed)
        if why is not None:
            _uncancel()
            return self._end(call, decision, tuple(tried), _with_work(gone, tried))
        self._end(call, decision, tuple(tried), _with_work(gone, tried))
        raise asyncio.CancelledError

    def _ended(self, endpoint: str, sink: Sink) -> Outcome:
        verdict = Verdict.INTERRUPTED if sink.committed else Verdict.BUSY
        return Outcome(verdict, endpoint, 503, self._ending, retry_after=_COME_BACK, committed=sink.committed)

    def _end(
        self,
        call: Call,
        decision: Decision,
        tried: tuple[Tried, ...],
        outcome: Outcome,
        now: float | None = None,
    ) -> Result:
        """`now`: monotonic seconds, where they are known."""
        seconds = (self._monotonic() if now is None else now) - call.received
        cost = self.complete(call, decision, tried, outcome, seconds)
        return Result(call, decision, tried, outcome, seconds, cost)


def _uncancel() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.uncancel()


def _untold(call: Call, decision: Decision | None) -> None:
    """Nobody wants to know."""


def _late(decision: Decision, tried: list[Tried], sink: Sink) -> Outcome:
    """The deadline passed; the attempt it cut short failed by it."""
    late = Outcome(
        Verdict.INTERRUPTED if sink.committed else Verdict.TIMEOUT,
        decision.ranked[0].endpoint,
        504,
        "the deadline of the request passed",
        committed=sink.committed,
    )
    late = _with_work(late, tried)
    if tried and tried[-1].outcome.verdict is Verdict.CANCELLED:
        late = charged(late, decision) if late.seconds else late
        tried[-1] = msgspec.structs.replace(tried[-1], outcome=late)
    return late


def _with_work(outcome: Outcome, tried: list[Tried]) -> Outcome:
    """The end of a request that is not the end of an attempt: what the last attempt made and took is its own."""
    if not tried:
        return outcome
    last = tried[-1].outcome
    return msgspec.structs.replace(
        outcome, endpoint=last.endpoint, usage=last.usage, first_token=last.first_token, seconds=last.seconds
    )
