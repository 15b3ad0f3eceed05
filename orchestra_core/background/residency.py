"""Carries out the loads and unloads that `residency.scheduler` decides, and tells it how they ended.

A load outlives whoever asked for it; whoever waits is told by one future for each model when it is ready, or why
it will not be.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Protocol

from orchestra_core.clock import Clock
from orchestra_core.domain.catalog import Endpoint, Residency
from orchestra_core.domain.errors import OperationFailed, OrchestraError
from orchestra_core.domain.result import Plan
from orchestra_core.domain.text import safe_text
from orchestra_core.residency.scheduler import PERMANENT, Load, Refuse, Scheduler, Unload
from orchestra_core.residency.wording import gib

log = logging.getLogger(__name__)
PROGRESS_SECONDS = 1.0
# Whoever runs on a model that drains is looked at this often.
_DRAIN_STEP = 0.1
# When to come back to what no time is known for.
_LATER_SECONDS = 5.0
_READY = Residency.READY
Say = Callable[[str, str, str, str], None]


class Loader(Protocol):
    async def load(self, model: str, progress: Callable[[str], None]) -> None: ...

    async def unload(self, model: str) -> None: ...


class Residencies:
    """`loader` is a backend's control side; `current` finds an endpoint as it is now: a reload may have made it anew,
    or removed it.

    `looked` asks for a new look at a backend, `exhausted` is told of a model that died for want of memory.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        scheduler: Scheduler,
        current: Callable[[str], Endpoint | None],
        loader: Callable[[str], Loader],
        start: Callable[[Coroutine[object, object, None], str], object],
        say: Say,
        looked: Callable[[str], None],
        exhausted: Callable[[Endpoint], None],
    ) -> None:
        self._clock = clock
        self._scheduler = scheduler
        self._current = current
        self._loader = loader
        self._start = start
        self._say = say
        self._looked = looked
        self._exhausted = exhausted
        self._waited: dict[str, tuple[Endpoint, asyncio.Future[None]]] = {}
        self._unloading: set[str] = set()
        self._forced: set[str] = set()
        self._ended: set[str] = set()  # loads that failed while they were aborted

    async def ensure_ready(self, endpoint: Endpoint) -> None:
        """Returns when the model is ready; joins a load that is under way. Raises OperationFailed.

        A model that is just leaving is loaded again when it is gone: somebody needs it after all.
        """
        since = self._clock.monotonic()
        plan = self._scheduler.want(endpoint, since)
        if plan.code in PERMANENT:
            raise _later(endpoint, plan)
        endpoint.awaiting += 1
        try:
            if endpoint.awaiting == 1:  # else that is being seen to, and looking again costs what all do
                self.act()
            if plan.evicts or plan.waits_for:
                self._say("model.planned", endpoint.id, planned(plan), "info")
            while self._now(endpoint).residency is not _READY:
                await asyncio.shield(self._turn(endpoint))
        finally:
            endpoint.awaiting -= 1
            self._scheduler.unwant(endpoint, self._clock.monotonic(), since)

    def _turn(self, endpoint: Endpoint) -> asyncio.Future[None]:
        """Done when the model is ready, or failed with the reason why it will not be."""
        found = self._waited.get(endpoint.id)
        if found is None:
            found = self._waited[endpoint.id] = endpoint, asyncio.get_running_loop().create_future()
        return found[1]

    def _now(self, endpoint: Endpoint) -> Endpoint:
        return self._current(endpoint.id) or endpoint

    def force(self, endpoint: Endpoint) -> None:
        """Its next unload does not spare who is still served when its patience is over."""
        self._forced.add(endpoint.id)

    def tick(self) -> None:
        """Call once a second, after memory was read."""
        now = self._clock.monotonic()
        self._scheduler.publish(now)
        self.act()

    def act(self) -> None:
        """Begins what can begin now."""
        for action in self._scheduler.actions(self._clock.monotonic()):
            endpoint = action.endpoint
            if isinstance(action, Load):
                self._start(self._load(action), f"loading {endpoint.id}")
            elif isinstance(action, Unload):
                self._unloading.add(endpoint.id)
                self._start(self._unload(action), f"unloading {endpoint.id}")
            elif isinstance(action, Refuse):
                self._say("model.refused", endpoint.id, action.plan.reason, "warning")
                self._fail(endpoint, _later(endpoint, action.plan))
        for endpoint, _ in tuple(self._waited.values()):
            self._wake(endpoint)

    def _wake(self, endpoint: Endpoint) -> None:
        """Who waits for a model that is ready goes on; nobody waits for one that has left."""
        now = self._current(endpoint.id)
        if now is None:
            self._fail(endpoint, OperationFailed(f"{endpoint.id} was removed while it was waited for"))
        elif now.residency is _READY:
            self._waited.pop(endpoint.id)[1].set_result(None)

    def _fail(self, endpoint: Endpoint, error: OperationFailed) -> None:
        waited = self._waited.pop(endpoint.id, None)
        if waited is not None:
            waited[1].set_exception(error)
            waited[1].exception()  # nobody may be waiting any more: the event has told it

    # -- one load ----------------------------------------------------------------------------------------

    async def _load(self, action: Load) -> None:
        endpoint = action.endpoint
        endpoint.changing_since = self._clock.monotonic()
        self._say("model.loading", endpoint.id, loading(action), "info")
        try:
            model, progress = endpoint.spec.model, self._progress(endpoint)
            error = await self._asked(endpoint, lambda loader: loader.load(model, progress))
            if error is None:
                self._ready(self._now(endpoint))
            else:
                self._failed(endpoint, error)
        finally:
            self._over(endpoint)

    async def _asked(
        self, endpoint: Endpoint, ask: Callable[[Loader], Awaitable[None]]
    ) -> OrchestraError | None:
        """How asking its backend failed, if it did."""
        try:
            await ask(self._loader(endpoint.spec.backend))
        except OrchestraError as error:
            return error
        except Exception as error:  # or the model would be loading or leaving for ever, and its pool with it
            log.exception("%s of %s failed", endpoint.residency, endpoint.id)
            return OperationFailed(_unforeseen(error))
        return None

    def _progress(self, endpoint: Endpoint) -> Callable[[str], None]:
        told = self._clock.monotonic()

        def progress(text: str) -> None:
            nonlocal told
            now = self._clock.monotonic()
            if endpoint.residency is _READY:  # as its backend has said meanwhile
                return
            endpoint.progress = text
            if now - told >= PROGRESS_SECONDS:
                told = now
                self._say("model.progress", endpoint.id, text, "info")

        return progress

    def _ready(self, endpoint: Endpoint) -> None:
        self._scheduler.loaded(endpoint, None, self._clock.monotonic())
        took = f" after {endpoint.took:.1f} s" if endpoint.took is not None else ""
        self._say("model.ready", endpoint.id, f"{endpoint.spec.model} is ready{took}", "info")

    def _failed(self, endpoint: Endpoint, error: OrchestraError) -> None:
        if endpoint.id in self._unloading:  # it was aborted: its unload tells how that ended
            self._ended.add(endpoint.id)
            return
        endpoint = self._now(endpoint)
        out_of_memory = error.code == "out_of_memory"
        if out_of_memory:
            self._exhausted(endpoint)
        self._scheduler.failed(endpoint, self._clock.monotonic(), out_of_memory=out_of_memory)
        self._say("model.failed", endpoint.id, error.message, "error")
        self._fail(endpoint, OperationFailed(error.message, code=error.code))

    def died(self, endpoint_id: str, *, out_of_memory: bool) -> None:
        """A loaded model has ended by itself; one that ran out of memory is left alone for a while."""
        endpoint = self._current(endpoint_id)
        if endpoint is None:
            return
        if out_of_memory:
            self._exhausted(endpoint)
        endpoint.changed = self._clock.monotonic()
        self._scheduler.lost(endpoint, endpoint.changed, out_of_memory=out_of_memory)
        self.act()

    def _over(self, endpoint: Endpoint) -> None:
        endpoint.progress = ""
        endpoint.changing_since = 0.0
        self._now(endpoint).changed = self._clock.monotonic()
        self._looked(endpoint.spec.backend)
        self.act()

    # -- one unload --------------------------------------------------------------------------------------

    async def _unload(self, action: Unload) -> None:
        endpoint = action.endpoint
        endpoint.changing_since = self._clock.monotonic()
        try:
            left = await self._drained(endpoint, action.patience)
            if left and endpoint.id not in self._forced:
                self._kept(
                    endpoint, f"{left} requests are still running after {action.patience:g} s", busy=True
                )
                return
            going = f"unloading {endpoint.spec.model}: {reason(action)}"
            self._say("model.unloading", endpoint.id, going, "info")
            endpoint.residency = Residency.UNLOADING
            error = await self._asked(endpoint, lambda loader: loader.unload(endpoint.spec.model))
            if error is not None:
                self._kept(endpoint, error.message)
                return
            self._scheduler.unloaded(self._now(endpoint), self._clock.monotonic())
            self._say("model.absent", endpoint.id, f"{endpoint.spec.model} is unloaded", "info")
            if action.why in _EVICTED:
                self._say(
                    "model.evicted", endpoint.id, f"{endpoint.spec.model} had to go: {reason(action)}", "info"
                )
        finally:
            self._unloading.discard(endpoint.id)
            self._forced.discard(endpoint.id)
            self._ended.discard(endpoint.id)
            self._over(endpoint)

    async def _drained(self, endpoint: Endpoint, patience: float) -> int:
        """How many are still served when all have gone or `patience` seconds have passed."""
        deadline = self._clock.monotonic() + patience
        while (left := endpoint.served) > 0 and self._clock.monotonic() < deadline:
            endpoint.progress = f"draining {left}"
            await asyncio.sleep(_DRAIN_STEP)
        return max(0, left)

    def _kept(self, endpoint: Endpoint, why: str, *, busy: bool = False) -> None:
        now = self._clock.monotonic()
        if endpoint.id in self._ended:  # there is nothing left to unload
            self._scheduler.failed(self._now(endpoint), now)
            return
        self._scheduler.kept(self._now(endpoint), now, busy=busy)
        self._say("model.failed", endpoint.id, f"{endpoint.spec.model} stays loaded: {why}", "error")


def _unforeseen(error: Exception) -> str:
    return safe_text(str(error) or type(error).__name__)


def refused(endpoint: Endpoint, plan: Plan) -> OperationFailed:
    """The plan's reason as an error."""
    return OperationFailed(f"{endpoint.id}: {plan.reason}", code=plan.code, retry_after=plan.retry_after)


def _later(endpoint: Endpoint, plan: Plan) -> OperationFailed:
    """For a client: nothing has failed at its endpoint, and what forbids it now may have changed when it comes back."""
    error = refused(endpoint, plan)
    error.retry_after = error.retry_after or _LATER_SECONDS
    return error


def planned(plan: Plan) -> str:
    """What a load needs before it can begin, in words."""
    words = [f"evicts {', '.join(plan.evicts)}"] if plan.evicts else []
    words += [f"waits for {', '.join(plan.waits_for)}"] if plan.waits_for else []
    return "; ".join(words)


def loading(action: Load) -> str:
    endpoint = action.endpoint
    need = "" if endpoint.need is None else f", {gib(endpoint.need.bytes)} GiB reserved"
    evicted = f", evicted {', '.join(action.evicts)}" if action.evicts else ""
    early = " before it is asked for" if action.speculative else ""
    return f"loading {endpoint.spec.model}{early}{need}{evicted}"


_EVICTED = ("room", "pressure")
_WHY = {
    "asked": "as asked",
    "idle": "nobody has used it for its idle time",
    "pressure": "memory is short",
    "aborted": "a request needs the room",
}


def reason(action: Unload) -> str:
    return f"room for {action.room_for}" if action.why == "room" else _WHY.get(action.why, action.why)
