"""Runs a service-time model in real time: one timer, set for the model's next event, and nothing polled."""

import asyncio
from collections.abc import Callable
from math import ceil, inf

import msgspec

from orchestra_core.clock import Clock
from orchestra_core.simulation.service_model import ServiceModel
from orchestra_core.simulation.trace import (
    Crashed,
    Denial,
    Done,
    Event,
    Failed,
    FaultKind,
    InjectedFault,
    Loaded,
    LoadFailed,
    Repaired,
    Request,
    Restarted,
    Tokens,
    Why,
)

# uvloop's timers count whole milliseconds; a shorter delay would spin instead of sleeping.
_TICK = 0.001
OnTokens = Callable[[Tokens], None]


class Denied(Exception):
    """The simulated backend did not take a request, or could not load a model."""

    def __init__(self, denial: Denial) -> None:
        super().__init__(denial.message)
        self.denial = denial


class Driver:
    """The model of one backend on the event loop. With `time_scale` x its seconds pass x times as fast.

    `on_reachable` is told whenever the backend stops or starts taking connections.
    """

    def __init__(
        self, model: ServiceModel, clock: Clock, time_scale: float, on_reachable: Callable[[bool], None]
    ) -> None:
        self.model = model
        self.time_scale = time_scale
        self._clock = clock
        self._origin = clock.monotonic()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._due = inf
        self._on_reachable = on_reachable
        self._reachable = True
        self._work: dict[str, tuple[OnTokens | None, asyncio.Future[Done | Failed]]] = {}
        self._loads: dict[str, list[asyncio.Future[None]]] = {}
        self._repaired = asyncio.Event()
        self._watching: list[asyncio.Future[None]] = []
        self._closed = False
        self.observer: Callable[[Event], None] | None = None

    @property
    def now(self) -> float:
        """Seconds of the simulation since it started."""
        return (self._clock.monotonic() - self._origin) * self.time_scale

    def has(self, id: str) -> bool:
        return id in self._work

    async def run(self, request: Request, on_tokens: OnTokens | None = None) -> Done | Failed:
        """Serves a request to its end; raises Denied. Being cancelled frees its slot at once."""
        ended: asyncio.Future[Done | Failed] = self._loop.create_future()
        self._work[request.id] = on_tokens, ended
        denial = self.model.submit(request, self.now)
        if denial is not None:
            del self._work[request.id]
        self._turn()
        if denial is not None:
            raise Denied(denial)
        try:
            return await ended
        finally:
            if self._work.pop(request.id, None) is not None:
                self.model.cancel(request.id, self.now)
                self._turn()

    async def load(self, model: str, keep_alive: float | None) -> float:
        """Returns, when the model is ready, the seconds of the simulation it took; raises Denied."""
        began = self.now
        denial = self.model.load(model, began, keep_alive)
        if denial is not None:
            raise Denied(denial)
        ready: asyncio.Future[None] = self._loop.create_future()
        self._loads.setdefault(model, []).append(ready)
        self._turn()
        if self.model.is_ready(model):
            self._settle_loads(model, None)
        await ready
        return self.now - began

    def unload(self, model: str) -> None:
        """Unloads a model once nothing runs on it; raises Denied."""
        denial = self.model.unload(model, self.now)
        self._turn()
        if denial is not None:
            raise Denied(denial)

    async def size(self, model: str, context: int) -> None:
        """Returns when the model is loaded with this context, or not loaded and will be: another one waits until
        it is idle, and unloads it. Raises Denied.
        """
        resident = self.model.memory.models[model]
        while resident.spec.context != context:
            await self.until(lambda: not resident.waiting and (resident.idle or not resident.occupies))
            if resident.spec.context == context:
                return
            if resident.idle:
                self.unload(model)
            resident.spec = msgspec.structs.replace(resident.spec, context=context)

    def occupy(self, foreign: int) -> None:
        self.model.occupy(foreign, self.now)
        self._turn()

    def inject(self, fault: InjectedFault) -> None:
        self.model.inject(fault, self.now)
        self._turn()

    def repair(self) -> None:
        self.model.repair(self.now)
        self._turn()

    async def while_hanging(self) -> None:
        """Returns when the backend does not hang (any more)."""
        while self.model.fault is not None and self.model.fault.kind is FaultKind.HANG:
            self._repaired.clear()
            await self._repaired.wait()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Returns once `condition` holds: it is looked at now and after whatever happens here."""
        while not condition():
            happening = self._loop.create_future()
            self._watching.append(happening)
            await happening

    def happened(self) -> None:
        """Lets who waits for a condition look again."""
        watching, self._watching = self._watching, []
        for waiting in watching:
            if not waiting.done():
                waiting.set_result(None)

    def close(self) -> None:
        """Stops the timer; nothing happens any more."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # -- time ------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        """Tells what happened up to now, and sets the timer for what comes next."""
        for event in self.model.advance(self.now):
            if self.observer is not None:
                self.observer(event)
            self._tell(event)
        reachable = self.model.reachable
        if reachable is not self._reachable:
            self._reachable = reachable
            self._on_reachable(reachable)
        if self._watching:
            self.happened()
        self._arm()

    def _arm(self) -> None:
        due = self.model.next_event()
        if self._timer is not None:
            if due == self._due:
                return
            self._timer.cancel()
            self._timer = None
        if due < inf and not self._closed:
            delay = max(_TICK, ceil((due - self.now) / self.time_scale / _TICK) * _TICK)
            self._due = due
            self._timer = self._loop.call_later(delay, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._turn()

    # -- telling ---------------------------------------------------------------------------------------

    def _tell(self, event: Event) -> None:
        match event:
            case Tokens():
                work = self._work.get(event.id)
                if work is not None and work[0] is not None:
                    work[0](event)
            case Done() | Failed():
                work = self._work.pop(event.id, None)
                if work is not None and not work[1].done():
                    work[1].set_result(event)
            case Loaded():
                self._settle_loads(event.model, None)
            case LoadFailed():
                self._settle_loads(event.model, Denial(Why.OUT_OF_MEMORY, event.message))
            case Crashed():
                for model in tuple(self._loads):
                    self._settle_loads(model, Denial(Why.CRASHED, event.message))
            case Repaired() | Restarted():
                self._repaired.set()
            case _:
                pass

    def _settle_loads(self, model: str, denial: Denial | None) -> None:
        for ready in self._loads.pop(model, ()):
            if ready.done():
                continue
            if denial is None:
                ready.set_result(None)
            else:
                ready.set_exception(Denied(denial))
