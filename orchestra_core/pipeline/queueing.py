"""[Queue Manager]: a slot now, or a place in the model's queue until one comes free, or the reason why not."""

import asyncio
from collections.abc import Sequence
from functools import partial

from orchestra_core.clock import Clock
from orchestra_core.domain.call import Call
from orchestra_core.domain.catalog import Endpoint, Residency
from orchestra_core.domain.outcome import Outcome, Verdict
from orchestra_core.domain.sink import Sink
from orchestra_core.pipeline.lanes import Lane, Lanes
from orchestra_core.pipeline.patience import Patience, Waiting, waits_for_load
from orchestra_core.resilience.admission import ModelQueue, Waiter
from orchestra_core.resilience.retry import Option

# The longest Retry-After, seconds, a full queue answers with.
_COME_BACK = 30.0


class Queueing:
    """Waits for slots. Whoever gets one holds it: it must be released (see Placement.end)."""

    def __init__(self, lanes: Lanes, clock: Clock, patience: Patience, seconds: float) -> None:
        """Nobody waits for longer than `seconds`."""
        self._seconds = seconds
        self._lanes = lanes
        self._clock = clock
        self._patience = patience

    async def slot(
        self, call: Call, sink: Sink, option: Option, others: Sequence[Option], deadline: float
    ) -> Option | Outcome:
        """The option whose slot is now held: this one, or one of the same model among `others`."""
        model = option.endpoint.spec.model
        accepted = {option.endpoint.id: option}
        accepted |= {o.endpoint.id: o for o in others if o.endpoint.spec.model == model and o is not option}
        lanes = [self._lanes.of(o.endpoint) for o in accepted.values()]
        queue = lanes[0].permits.queue
        name = queue.take(list(accepted))
        if name:
            return accepted[name]
        now = self._clock.monotonic()
        # Who cannot be answered in the time that is left after waiting would only keep others from theirs.
        service = option.candidate.work if option.candidate.observations else 0.0
        limit = min(self._seconds, deadline - now - service)
        wait, doubt = self._expected(queue, lanes, call, option)
        # At the very edge every second one would have waited for nothing, and be told so at the end of it.
        if wait + doubt > limit and option.candidate.observations:
            return _busy(option, f"the wait would be about {wait:.0f} s", min(wait, _COME_BACK))
        waiter = await self._wait(call, sink, queue, option, set(accepted), limit)
        if waiter.granted:
            return accepted[waiter.granted]
        reopens = self._lanes.retry_at(list(accepted))
        if reopens is not None:
            wait = reopens - self._clock.monotonic()
        return _busy(option, waiter.refused, min(max(wait, 1.0), _COME_BACK))

    def _expected(
        self, queue: ModelQueue, lanes: Sequence[Lane], call: Call, option: Option
    ) -> tuple[float, float]:
        at = option.candidate
        running = max(0.0, sum(lane.endpoint.work for lane in lanes) - queue.line.work)
        return queue.expected_wait(call.priority, call.key, at.work, running, at.variance)

    async def _wait(
        self,
        call: Call,
        sink: Sink,
        queue: ModelQueue,
        option: Option,
        accepted: set[str],
        limit: float,
    ) -> Waiter:
        """Granted or refused. Until then its predicted work is counted with the endpoint it was planned for."""
        now = self._clock.monotonic()
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        work = option.candidate.work
        waiter = Waiter(
            accepted,
            now,
            key=call.key,
            priority=call.priority,
            work=work,
            wake=partial(_wake, woken),
        )
        if not queue.enqueue(waiter):
            waiter.refused = f"the queue of {queue.model} is full"
            return waiter
        option.endpoint.waiting += 1
        option.endpoint.work += work
        note = partial(_note, option.endpoint, queue, waiter)
        place = partial(queue.line.position, waiter)
        self._patience.add(Waiting(call, sink, "queued", note, option.endpoint.id, place))
        try:
            async with asyncio.timeout(limit):
                await woken
        except TimeoutError:
            if queue.withdraw(waiter):
                waiter.refused = f"no free slot for {queue.model} within {limit:.3g} s"
        except asyncio.CancelledError:
            if not queue.withdraw(waiter) and waiter.granted:
                queue.permits[waiter.granted].release(self._clock.monotonic())
            raise
        finally:
            option.endpoint.waiting -= 1
            option.endpoint.work -= work
            self._patience.discard(sink)
        return waiter


def _note(endpoint: Endpoint, queue: ModelQueue, waiter: Waiter, now: float) -> str:
    """Those that hold its slots wait for a model that is being loaded too, and are before all in the queue."""
    position = queue.line.position(waiter, now)
    if endpoint.residency is Residency.READY:
        return f"queued, position {position}"
    return waits_for_load(endpoint, endpoint.inflight + position, now)


def _wake(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)


def _busy(option: Option, why: str, retry_after: float) -> Outcome:
    return Outcome(Verdict.BUSY, option.endpoint.id, 503, why, retry_after=retry_after)
