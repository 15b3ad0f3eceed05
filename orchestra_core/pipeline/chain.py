"""[Fallback Chain]: the ranked endpoints in turn, until one answers or the client has seen a byte."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from orchestra_core.domain.call import Call
from orchestra_core.domain.catalog import Endpoint, Residency
from orchestra_core.domain.decision import Candidate, Decision
from orchestra_core.domain.outcome import Outcome, Verdict
from orchestra_core.domain.result import Tried
from orchestra_core.domain.sink import Serving, Sink
from orchestra_core.pipeline.placement import Placement
from orchestra_core.routing.fallback import order

ATTEMPTS = 2
ENDED = "ended before its answer was complete"
GONE = "the endpoint was removed while the request waited"


class Chain:
    """One failover before the first token. `failed_over` is told each time an attempt moves on."""

    def __init__(
        self,
        placement: Placement,
        find: Callable[[str], Endpoint | None],
        fallbacks: Mapping[str, Sequence[str]],
        failed_over: Callable[[Call, Outcome, str], None],
    ) -> None:
        self._placement = placement
        self._find = find
        self._fallbacks = fallbacks
        self._failed_over = failed_over

    async def __call__(self, call: Call, decision: Decision, sink: Sink, tried: list[Tried]) -> Outcome:
        """The outcome of the last attempt; every attempt is appended to `tried` as it ends."""
        ranked: Sequence[Candidate] = decision.ranked
        last = min(ATTEMPTS, len(ranked))
        number = 0
        while True:
            candidate = ranked[number]
            number += 1
            endpoint = self._find(candidate.endpoint)
            if endpoint is None:
                outcome = Outcome(Verdict.UNREACHABLE, candidate.endpoint, 0, GONE)
            else:
                serving = Serving(
                    candidate.model, candidate.backend, decision.id, number, decision.degraded, decision
                )
                try:
                    outcome = await self._placement(call, candidate, endpoint, sink, serving)
                except asyncio.CancelledError:
                    ended = Outcome(Verdict.CANCELLED, endpoint.id, 499, ENDED, committed=sink.committed)
                    tried.append(Tried(candidate, ended))
                    raise
            tried.append(Tried(candidate, outcome))
            if number == 1 == last and endpoint is not None and _died(endpoint, outcome):
                ranked, last = (candidate, candidate), 2
            if number == last or not outcome.try_elsewhere:
                return outcome
            if number == 1:
                ranked = order(ranked, self._fallbacks.get(decision.task.value, ()))
            self._failed_over(call, outcome, ranked[number].endpoint)


def _died(endpoint: Endpoint, outcome: Outcome) -> bool:
    """Whether the only endpoint was a child of ours that is gone: loading it again answers the request."""
    return (
        outcome.verdict in (Verdict.UNREACHABLE, Verdict.DROPPED) and endpoint.residency is Residency.ABSENT
    )
