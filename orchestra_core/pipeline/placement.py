"""[Load Balancer] -> [Model Router]: what an attempt holds while it runs, and what its outcome changes.

A slot, the breaker's permit and a place in the dead reckoning of work are taken together in `begin` and given
back together in `end`, which is called once for each, when the stream has closed, however it closed.
"""

from collections.abc import Callable
from typing import Final

from orchestra_core.clock import Clock
from orchestra_core.domain.call import Call, Task
from orchestra_core.domain.catalog import BackendKind, Circuit, Endpoint, Residency
from orchestra_core.domain.decision import Candidate
from orchestra_core.domain.outcome import Outcome, Verdict
from orchestra_core.domain.sink import Sink
from orchestra_core.pipeline.lanes import Lane, Lanes
from orchestra_core.pipeline.learning import learn_speed
from orchestra_core.telemetry.performance import reliability

# For how long an endpoint is left alone that says 429 without saying for how long (reliability.md section 3).
COOLDOWN_SECONDS: Final = 5.0
_PUSHES_BACK: Final = frozenset({Verdict.LIMITED, Verdict.BUSY, Verdict.TIMEOUT})
_LOST: Final = frozenset({Verdict.UNREACHABLE, Verdict.DROPPED})
_READY: Final = Residency.READY
_LOADING: Final = Residency.LOADING
_SUCCESS: Final = Verdict.SUCCESS


class Placement:
    """All bookkeeping of one attempt, without waiting for anything."""

    def __init__(
        self,
        lanes: Lanes,
        clock: Clock,
        circuit_changed: Callable[[Endpoint, Circuit, str], None],
        misconfigured: Callable[[Endpoint, Outcome], None],
    ) -> None:
        self._lanes = lanes
        self._monotonic = clock.monotonic
        self._circuit_changed = circuit_changed
        self._misconfigured = misconfigured

    def begin(self, lane: Lane, candidate: Candidate, now: float) -> int:
        """The breaker's token, with everything held; 0: not without waiting."""
        permits = lane.permits
        endpoint = lane.endpoint
        if permits.held >= permits.allowed or endpoint.residency is not _READY:
            return 0
        token = lane.breaker.admit(now)
        if token is None:
            return 0
        permits.held += 1
        endpoint.inflight += 1
        endpoint.work += candidate.work
        return token

    def end(
        self,
        lane: Lane,
        endpoint: Endpoint,
        call: Call,
        task: Task,
        candidate: Candidate,
        token: int,
        outcome: Outcome | None,
        sink: Sink,
    ) -> float:
        """When that was. `outcome` None: the attempt was cancelled. `token` 0: the breaker was never asked.

        `endpoint` is the one the attempt was counted at: a reload may have put another in its lane since.
        """
        now = self._monotonic()
        endpoint.inflight -= 1
        endpoint.work -= candidate.work
        endpoint.last_done = now
        permits = lane.permits
        if not token:
            pass
        elif outcome is None:
            lane.breaker.release(token)
            self._blame(call, endpoint, sink, now)
        else:
            endpoint.calls += 1
            endpoint.last_used = now
            if outcome.verdict is _SUCCESS:
                endpoint.reliability = reliability(endpoint.reliability, True, now)
                if (changed := lane.breaker.record(token, False, now)) is not None:
                    self._changed(lane, endpoint, changed, outcome.message, now)
                if permits.limit.value < permits.limit.slots:
                    permits.succeeded(now)
                if endpoint.residency is _LOADING and not endpoint.spec.loadable:
                    endpoint.residency = _READY
                endpoint.tokens += outcome.usage.completion
                learn_speed(endpoint, candidate, outcome, task)
            else:
                self._learn_fault(call, lane, endpoint, token, outcome, now)
        permits.release(now)
        return now

    def _blame(self, call: Call, endpoint: Endpoint, sink: Sink, now: float) -> None:
        """A deadline that passed before the first token makes an endpoint less reliable; a client that left not."""
        if call.deadline is not None and now >= call.deadline and not sink.committed:
            endpoint.reliability = reliability(endpoint.reliability, False, now)

    def _changed(self, lane: Lane, endpoint: Endpoint, circuit: Circuit, why: str, now: float) -> None:
        self._lanes.changed(lane, circuit, now)
        self._circuit_changed(endpoint, circuit, why)

    def _learn_fault(
        self, call: Call, lane: Lane, endpoint: Endpoint, token: int, outcome: Outcome, now: float
    ) -> None:
        verdict = outcome.verdict
        if outcome.trips:
            endpoint.failed += 1
            endpoint.reliability = reliability(endpoint.reliability, False, now)
            changed = lane.breaker.record(token, True, now, outcome.message, call.id)
            if changed is not None:
                self._changed(lane, endpoint, changed, outcome.message, now)
        else:
            lane.breaker.release(token)
        if verdict in _PUSHES_BACK:
            lane.permits.pushed_back(now, now - outcome.seconds)
        if verdict is Verdict.LIMITED or (verdict is Verdict.BUSY and outcome.retry_after):
            pause = COOLDOWN_SECONDS if outcome.retry_after is None else outcome.retry_after
            endpoint.cooling_until = max(endpoint.cooling_until, now + pause)
        elif verdict is Verdict.MISCONFIGURED:
            endpoint.reliability = reliability(endpoint.reliability, False, now)
            self._misconfigured(endpoint, outcome)
        elif verdict is Verdict.LOADING and endpoint.residency is Residency.READY:
            endpoint.residency = Residency.LOADING
        elif verdict in _LOST and endpoint.spec.kind is BackendKind.MANAGED:
            # A child that cannot be reached has died, even if its end has not been noticed yet: load it again.
            endpoint.residency = Residency.ABSENT
