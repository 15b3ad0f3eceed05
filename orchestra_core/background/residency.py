"""Loads and unloads: one at a time per endpoint, announced before they act, outliving whoever asked."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Protocol

from orchestra_core.clock import Clock
from orchestra_core.domain.catalog import Endpoint, Residency
from orchestra_core.domain.errors import OperationFailed, OrchestraError, UnknownModel
from orchestra_core.domain.result import Operation, Plan

DRAIN_SECONDS = 30.0
PROGRESS_SECONDS = 1.0
Say = Callable[[str, str, str, str], None]


class Loader(Protocol):
    async def load(self, model: str, progress: Callable[[str], None]) -> None: ...

    async def unload(self, model: str) -> None: ...


class Residencies:
    """`serving` finds a model's endpoints, `loader` a backend's control side, `free` its free memory in bytes."""

    def __init__(
        self,
        *,
        clock: Clock,
        serving: Callable[[str], tuple[Endpoint, ...]],
        loader: Callable[[str], Loader],
        free: Callable[[str], int | None],
        start: Callable[[Coroutine[object, object, None], str], None],
        say: Say,
        looked: Callable[[str], None],
    ) -> None:
        self._clock = clock
        self._serving = serving
        self._loader = loader
        self._free = free
        self._start = start
        self._say = say
        self._looked = looked
        self._running: dict[str, asyncio.Future[None]] = {}
        self._took: dict[str, float] = {}
        self._count = 0

    async def ensure_ready(self, endpoint: Endpoint) -> None:
        """Returns when the model is ready; joins a load that is under way. Raises OperationFailed."""
        if endpoint.residency is Residency.READY:
            return
        running = self._running.get(endpoint.id)
        if running is None:
            running = self._load(endpoint)
        await asyncio.shield(running)

    def operate(self, action: str, model: str, backend: str | None) -> Operation:
        """Accepts a load or unload; its progress is published as events. Raises what forbids it."""
        endpoint = self._target(action, model, backend)
        if endpoint.id in self._running:
            raise OperationFailed(f"{endpoint.id} is {endpoint.residency}: wait until that has ended")
        plan = self._plan(endpoint, action)
        if action == "load":
            self._allow(endpoint, plan)
            self._load(endpoint)
        else:
            self._unload(endpoint)
        self._count += 1
        return Operation(f"op-{self._count}", action, endpoint.spec.model, endpoint.spec.backend, plan)

    def _target(self, action: str, model: str, backend: str | None) -> Endpoint:
        endpoints = [e for e in self._serving(model) if backend is None or e.spec.backend == backend]
        if not endpoints:
            where = f" on backend {backend!r}" if backend else ""
            raise UnknownModel(
                f"model {model!r} is not known{where}; ai-orchestra models lists them", param="name"
            )
        ready = [e for e in endpoints if e.residency is Residency.READY]
        wanted = ready if action == "unload" else [e for e in endpoints if e.residency is Residency.ABSENT]
        if not wanted:
            raise OperationFailed(
                f"{model} is already {'loaded' if action == 'load' else 'not loaded'}", code="nothing_to_do"
            )
        able = [e for e in wanted if e.spec.loadable]
        if not able:
            raise OperationFailed(
                f"{wanted[0].spec.backend} cannot {action} models over its API", code="not_supported"
            )
        return min(able, key=lambda e: (e.inflight, e.spec.load_seconds, e.id))

    def _plan(self, endpoint: Endpoint, action: str) -> Plan:
        took = self._took.get(endpoint.id)
        if action == "unload":
            return Plan(frees_bytes=endpoint.memory_bytes)
        free, needs = self._free(endpoint.spec.backend), endpoint.spec.size_bytes
        fits = None if free is None or needs is None else needs <= free
        return Plan(needs_bytes=needs, fits=fits, expected_seconds=None if took is None else round(took, 1))

    def _allow(self, endpoint: Endpoint, plan: Plan) -> None:
        if plan.fits is False:
            raise OperationFailed(
                f"{endpoint.spec.model} needs at least {_gib(plan.needs_bytes)} and "
                f"{endpoint.spec.backend} has {_gib(self._free(endpoint.spec.backend))} free",
                code="does_not_fit",
            )

    def _load(self, endpoint: Endpoint) -> asyncio.Future[None]:
        self._allow(endpoint, self._plan(endpoint, "load"))
        return self._begin(endpoint, Residency.LOADING, self._do_load(endpoint))

    def _unload(self, endpoint: Endpoint) -> asyncio.Future[None]:
        return self._begin(endpoint, Residency.DRAINING, self._do_unload(endpoint))

    def _begin(
        self, endpoint: Endpoint, residency: Residency, work: Coroutine[object, object, None]
    ) -> asyncio.Future[None]:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._running[endpoint.id] = done
        endpoint.residency = residency
        self._start(self._finish(endpoint, work, done), f"{residency} {endpoint.id}")
        return done

    async def _finish(
        self, endpoint: Endpoint, work: Coroutine[object, object, None], done: asyncio.Future[None]
    ) -> None:
        before = endpoint.residency
        try:
            await work
        except OrchestraError as error:
            endpoint.residency = Residency.ABSENT if before is Residency.LOADING else Residency.READY
            self._say("model.failed", endpoint.id, error.message, "error")
            done.set_exception(OperationFailed(error.message))
            done.exception()  # nobody may be waiting: the event has told it
        else:
            done.set_result(None)
        finally:
            if not done.done():
                done.cancel()
            endpoint.progress = ""
            del self._running[endpoint.id]
            self._looked(endpoint.spec.backend)

    async def _do_load(self, endpoint: Endpoint) -> None:
        model = endpoint.spec.model
        self._say("model.loading", endpoint.id, f"loading {model}", "info")
        started = told = self._clock.monotonic()

        def progress(text: str) -> None:
            nonlocal told
            endpoint.progress = text
            if self._clock.monotonic() - told >= PROGRESS_SECONDS:
                told = self._clock.monotonic()
                self._say("model.progress", endpoint.id, text, "info")

        await self._loader(endpoint.spec.backend).load(model, progress)
        self._took[endpoint.id] = self._clock.monotonic() - started
        endpoint.residency = Residency.READY
        self._say(
            "model.ready", endpoint.id, f"{model} is ready after {self._took[endpoint.id]:.1f} s", "info"
        )

    async def _do_unload(self, endpoint: Endpoint) -> None:
        model = endpoint.spec.model
        self._say("model.unloading", endpoint.id, f"unloading {model}", "info")
        deadline = self._clock.monotonic() + DRAIN_SECONDS
        while endpoint.inflight and self._clock.monotonic() < deadline:
            endpoint.progress = f"draining {endpoint.inflight}"
            await asyncio.sleep(0.1)
        if endpoint.inflight:
            raise OperationFailed(f"{endpoint.inflight} requests are still running after {DRAIN_SECONDS:g} s")
        endpoint.residency = Residency.UNLOADING
        await self._loader(endpoint.spec.backend).unload(model)
        endpoint.residency = Residency.ABSENT
        endpoint.memory_bytes = None
        self._say("model.absent", endpoint.id, f"{model} is unloaded", "info")


def _gib(size: int | None) -> str:
    return "an unknown amount" if size is None else f"{size / 1024**3:.1f} GiB"
