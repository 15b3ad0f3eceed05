"""The whole life of a request in one place: plan, try, complete. Facades call it, nothing calls past it."""

import asyncio
from typing import Protocol

import msgspec

from orchestra_core.clock import Clock
from orchestra_core.domain.call import Call
from orchestra_core.domain.decision import Decision
from orchestra_core.domain.outcome import Outcome, Verdict
from orchestra_core.domain.result import Result, Tried
from orchestra_core.domain.sink import Sink
from orchestra_core.pipeline.chain import Chain
from orchestra_core.pipeline.planning import Planning

# Seconds: what an engine that stops tells those it could not serve; it may be back by then.
_COME_BACK = 5.0


class Complete(Protocol):
    """[Response Handler]: told of every request that was planned, exactly once."""

    def __call__(
        self, call: Call, decision: Decision, tried: tuple[Tried, ...], outcome: Outcome, seconds: float
    ) -> float | None:
        """Records it and returns its cost, None when a price is unknown."""


class Service:
    def __init__(self, planning: Planning, chain: Chain, complete: Complete, clock: Clock) -> None:
        self._planning = planning
        self._chain = chain
        self._complete = complete
        self._clock = clock
        self._ending = ""

    def end(self, why: str) -> None:
        """From now on a cancelled request was cancelled by us, and its client is still there to be told why."""
        self._ending = why

    async def __call__(self, call: Call, sink: Sink) -> Result:
        """Raises OrchestraError when nothing can serve the call; otherwise the outcome tells how it went."""
        decision = self._planning(call)
        if call.task is not decision.task:
            call = msgspec.structs.replace(call, task=decision.task)
        tried: list[Tried] = []
        try:
            if call.deadline is None:
                outcome = await self._chain(call, decision, sink, tried)
            else:
                outcome = await self._within(call.deadline, call, decision, sink, tried)
        except asyncio.CancelledError:
            last = tried[-1].outcome.endpoint if tried else decision.ranked[0].endpoint
            if self._ending:
                return self._end(call, decision, tried, self._ended(last, sink))
            gone = Outcome(Verdict.CANCELLED, last, 499, "the client left", committed=sink.committed)
            self._end(call, decision, tried, gone)
            raise
        return self._end(call, decision, tried, outcome)

    def _ended(self, endpoint: str, sink: Sink) -> Outcome:
        task = asyncio.current_task()
        assert task is not None
        task.uncancel()
        verdict = Verdict.INTERRUPTED if sink.committed else Verdict.BUSY
        return Outcome(verdict, endpoint, 503, self._ending, retry_after=_COME_BACK, committed=sink.committed)

    async def _within(
        self, deadline: float, call: Call, decision: Decision, sink: Sink, tried: list[Tried]
    ) -> Outcome:
        left = deadline - self._clock.monotonic()
        try:
            async with asyncio.timeout(left):
                return await self._chain(call, decision, sink, tried)
        except TimeoutError:
            late = Outcome(
                Verdict.TIMEOUT,
                tried[-1].outcome.endpoint if tried else decision.ranked[0].endpoint,
                504,
                "the deadline of the request passed",
                committed=sink.committed,
            )
            if tried and tried[-1].outcome.verdict is Verdict.CANCELLED:
                tried[-1] = Tried(tried[-1].candidate, late)
            return late

    def _end(self, call: Call, decision: Decision, tried: list[Tried], outcome: Outcome) -> Result:
        seconds = self._clock.monotonic() - call.received
        attempts = tuple(tried)
        cost = self._complete(call, decision, attempts, outcome, seconds)
        return Result(call, decision, attempts, outcome, seconds, cost)
