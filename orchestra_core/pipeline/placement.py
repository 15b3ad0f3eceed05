"""[Queue Manager] -> [Load Balancer] -> [Model Router]: a slot, a ready model, the breaker's permit, then send.

Whatever is taken here is given back when the call returns, and it returns when the stream has closed.
"""

import asyncio
from collections.abc import Awaitable, Callable
from math import exp

from orchestra_core.clock import Clock
from orchestra_core.domain.call import Call
from orchestra_core.domain.catalog import BackendKind, Circuit, Endpoint, Residency
from orchestra_core.domain.decision import Candidate
from orchestra_core.domain.errors import OperationFailed
from orchestra_core.domain.outcome import Outcome, Verdict
from orchestra_core.domain.sink import Execute, Serving, Sink
from orchestra_core.pipeline.lanes import Lane, Lanes
from orchestra_core.telemetry.performance import observe, output_average, reliability

QUEUE_SECONDS = 30.0
# From here on every fourth answer is learned from: by then one answer moves the estimate by 5 % at most, and
# at any rate of calls that matters for CPU a quarter of them tells as much.
_WELL_KNOWN = 64


class Placement:
    """One attempt with everything it needs to hold. `ensure_ready` loads the model and returns when it is ready."""

    def __init__(
        self,
        lanes: Lanes,
        execute: Execute,
        clock: Clock,
        ensure_ready: Callable[[Endpoint], Awaitable[None]],
        circuit_changed: Callable[[Endpoint, Circuit, str], None],
    ) -> None:
        self._lanes = lanes
        self._execute = execute
        self._clock = clock
        self._ensure_ready = ensure_ready
        self._circuit_changed = circuit_changed

    async def __call__(
        self, call: Call, candidate: Candidate, endpoint: Endpoint, sink: Sink, serving: Serving
    ) -> Outcome:
        lane = self._lanes.of(endpoint)
        endpoint.work += candidate.work
        try:
            if not lane.admission.try_acquire():
                refused = await self._queue(lane, call.priority)
                if refused is not None:
                    return refused
            endpoint.inflight += 1
            try:
                return await self._admitted(call, candidate, lane, sink, serving)
            finally:
                endpoint.inflight -= 1
                lane.admission.release()
        finally:
            endpoint.work -= candidate.work

    async def _queue(self, lane: Lane, priority: int) -> Outcome | None:
        """Waits for a slot by priority, then arrival; None when one is held, else why not."""
        endpoint = lane.endpoint
        woken = asyncio.Event()
        waiter = lane.admission.enqueue(woken.set, priority)
        if waiter is None:
            return Outcome(
                Verdict.BUSY, endpoint.id, 503, f"the queue of {endpoint.id} is full", retry_after=1.0
            )
        endpoint.waiting += 1
        try:
            async with asyncio.timeout(QUEUE_SECONDS):
                await woken.wait()
        except TimeoutError:
            if not lane.admission.withdraw(waiter):
                return None  # the slot was handed over in the same moment
            return Outcome(
                Verdict.BUSY, endpoint.id, 503, f"no free slot on {endpoint.id} within {QUEUE_SECONDS:g} s"
            )
        except asyncio.CancelledError:
            if not lane.admission.withdraw(waiter):
                lane.admission.release()
            raise
        finally:
            endpoint.waiting -= 1
        return None

    async def _admitted(
        self, call: Call, candidate: Candidate, lane: Lane, sink: Sink, serving: Serving
    ) -> Outcome:
        endpoint = lane.endpoint
        if endpoint.residency is not Residency.READY:
            try:
                await self._ensure_ready(endpoint)
            except OperationFailed as error:
                return Outcome(
                    Verdict.FAILED,
                    endpoint.id,
                    503,
                    f"{endpoint.spec.model} could not be loaded: {error.message}",
                )
        token = lane.breaker.admit(self._clock.monotonic())
        if token is None:
            return Outcome(Verdict.BUSY, endpoint.id, 503, f"the breaker of {endpoint.id} is open")
        try:
            outcome = await self._execute(call, endpoint, sink, serving)
        except asyncio.CancelledError:
            lane.breaker.release(token)
            self._blame(call, endpoint, sink)
            raise
        self._learn(call, candidate, lane, token, outcome)
        if (
            outcome.verdict in (Verdict.UNREACHABLE, Verdict.DROPPED)
            and endpoint.spec.kind is BackendKind.MANAGED
        ):
            # A child that cannot be reached has died, even if its end has not been noticed yet: load it again.
            endpoint.residency = Residency.ABSENT
        return outcome

    def _blame(self, call: Call, endpoint: Endpoint, sink: Sink) -> None:
        """A deadline that passed before the first token makes an endpoint less reliable; a client that left not."""
        now = self._clock.monotonic()
        if call.deadline is not None and now >= call.deadline and not sink.committed:
            endpoint.reliability = reliability(endpoint.reliability, False, now)

    def _learn(self, call: Call, candidate: Candidate, lane: Lane, token: int, outcome: Outcome) -> None:
        """Breaker, reliability and speed all take the one outcome. Only successes teach speed (routing.md 4.4)."""
        endpoint = lane.endpoint
        now = self._clock.monotonic()
        if outcome.ok or outcome.trips:
            changed = lane.breaker.record(token, outcome.trips, now, outcome.message)
            endpoint.reliability = reliability(endpoint.reliability, outcome.ok, now)
            if changed is not None:
                endpoint.circuit = changed
                self._circuit_changed(endpoint, changed, outcome.message)
        else:
            lane.breaker.release(token)
        endpoint.calls += 1
        endpoint.last_used = now
        if not outcome.ok:
            endpoint.failed += outcome.trips
            return
        usage = outcome.usage
        endpoint.tokens += usage.completion
        task = call.task
        if task is not None and usage.completion:
            endpoint.outputs[task] = output_average(endpoint.outputs.get(task), usage.completion)
        if endpoint.speed.observations > _WELL_KNOWN and endpoint.calls & 3:
            return
        if outcome.first_token is None:
            _learn_from_whole(endpoint, candidate, outcome)
        elif usage.completion > 1:
            _learn_from_stream(endpoint, candidate, outcome)


def _learn_from_stream(endpoint: Endpoint, candidate: Candidate, outcome: Outcome) -> None:
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


def _learn_from_whole(endpoint: Endpoint, candidate: Candidate, outcome: Outcome) -> None:
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
