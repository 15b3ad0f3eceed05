"""Loads and unloads: one at a time per endpoint, announced before they act, outliving whoever asked."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import Protocol

from orchestra_core.clock import Clock
from orchestra_core.domain.catalog import Endpoint, Residency
from orchestra_core.domain.errors import OperationFailed, OrchestraError, UnknownModel
from orchestra_core.domain.result import Operation, Plan

DRAIN_SECONDS = 30.0
_LEAVING = (Residency.DRAINING, Residency.UNLOADING)
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
        beside: Callable[[str], Sequence[Endpoint]],
        loader: Callable[[str], Loader],
        free: Callable[[str], int | None],
        start: Callable[[Coroutine[object, object, None], str], object],
        say: Say,
        looked: Callable[[str], None],
    ) -> None:
        self._clock = clock
        self._serving = serving
        self._beside = beside
        self._loader = loader
        self._free = free
        self._start = start
        self._say = say
        self._looked = looked
        self._running: dict[str, asyncio.Future[None]] = {}
        self._awaiting: Counter[str] = Counter()
        self._took: dict[str, float] = {}
        self._count = 0

    async def ensure_ready(self, endpoint: Endpoint) -> None:
        """Returns when the model is ready; joins a load that is under way. Raises OperationFailed.

        A model that is just leaving is loaded again when it is gone: somebody needs it after all.
        """
        self._awaiting[endpoint.id] += 1
        try:
            await self._until_ready(endpoint)
        finally:
            self._awaiting[endpoint.id] -= 1

    async def _until_ready(self, endpoint: Endpoint) -> None:
        while endpoint.residency is not Residency.READY:
            running = self._running.get(endpoint.id)
            if running is None:
                running = self._load(endpoint)
            elif endpoint.residency in _LEAVING:
                await asyncio.wait({running})
                continue
            await asyncio.shield(running)

    def _served(self, endpoint: Endpoint) -> int:
        """Calls in service: those admitted, less those that wait here for the model to come back."""
        return endpoint.inflight - self._awaiting[endpoint.id]

    def operate(
        self,
        action: str,
        model: str,
        backend: str | None,
        *,
        dry_run: bool = False,
        drain_seconds: float | None = None,
        force: bool = False,
    ) -> Operation:
        """Accepts a load or unload; its progress is published as events. Raises what forbids it."""
        endpoint = self._target(action, model, backend)
        plan = self._plan(endpoint, action)
        number = "" if dry_run else f"op-{self._count + 1}"
        operation = Operation(number, action, endpoint.spec.model, endpoint.spec.backend, plan)
        if dry_run:
            return operation
        if action == "load":
            self._allow(endpoint, plan)
            self._load(endpoint)
        else:
            if drain_seconds is None and not force:
                self._refuse_busy(endpoint)
            self._unload(endpoint, drain_seconds or 0.0, force)
        self._count += 1
        return operation

    def _refuse_busy(self, endpoint: Endpoint) -> None:
        served = self._served(endpoint)
        if served > 0:
            raise OperationFailed(
                f"{endpoint.id} is busy with {served} requests: give `drain_seconds` to let them finish, or `force`",
                code="busy",
            )

    def _target(self, action: str, model: str, backend: str | None) -> Endpoint:
        endpoints = [e for e in self._serving(model) if backend is None or e.spec.backend == backend]
        if not endpoints:
            where = f" on backend {backend!r}" if backend else ""
            raise UnknownModel(
                f"model {model!r} is not known{where}; ai-orchestra models lists them", param="name"
            )
        ready = [e for e in endpoints if e.residency is Residency.READY]
        wanted = ready if action == "unload" else [e for e in endpoints if e.residency is Residency.ABSENT]
        busy = next((e for e in endpoints if e.id in self._running), None)
        if not wanted and busy is not None:
            raise OperationFailed(f"{busy.id} is {busy.residency}: wait until that has ended", code="busy")
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
        free, needs = self._unclaimed(endpoint.spec.backend), endpoint.spec.size_bytes
        expected = None if took is None else round(took, 1)
        if free is None or needs is None:
            return Plan(needs_bytes=needs, expected_seconds=expected)
        victims = self._victims(endpoint, needs - free)
        frees = sum(victim.memory_bytes or 0 for victim in victims)
        return Plan(
            evicts=tuple(victim.id for victim in victims),
            frees_bytes=frees or None,
            needs_bytes=needs,
            fits=needs <= free + frees,
            expected_seconds=expected,
        )

    def _unclaimed(self, backend: str) -> int | None:
        """Free bytes less what loads under way will take, which no backend reports yet."""
        free = self._free(backend)
        if free is None:
            return None
        coming = (e for e in self._beside(backend) if e.residency is Residency.LOADING and not e.memory_bytes)
        return free - sum(e.spec.size_bytes or 0 for e in coming)

    def _victims(self, endpoint: Endpoint, missing: int) -> list[Endpoint]:
        """Idle models on the same backend whose end makes room, longest unused first; none if all are too few."""
        victims: list[Endpoint] = []
        for other in sorted(self._beside(endpoint.spec.backend), key=lambda e: (e.last_used, e.id)):
            if missing <= 0:
                break
            if (
                other is not endpoint
                and other.memory_bytes
                and _idle(other)
                and other.id not in self._running
            ):
                victims.append(other)
                missing -= other.memory_bytes
        return victims if missing <= 0 else []

    def _allow(self, endpoint: Endpoint, plan: Plan) -> None:
        if plan.fits is False:
            raise OperationFailed(
                f"{endpoint.spec.model} needs at least {_gib(plan.needs_bytes)} and "
                f"{endpoint.spec.backend} has {_gib(self._unclaimed(endpoint.spec.backend))} free",
                code="does_not_fit",
            )

    def _load(self, endpoint: Endpoint) -> asyncio.Future[None]:
        plan = self._plan(endpoint, "load")
        self._allow(endpoint, plan)
        # Begun here, before anything else can run: from now on nobody is sent to them.
        going = [
            self._unload(other) for other in self._beside(endpoint.spec.backend) if other.id in plan.evicts
        ]
        return self._begin(endpoint, Residency.LOADING, self._do_load(endpoint, going))

    def _unload(
        self, endpoint: Endpoint, patience: float = DRAIN_SECONDS, force: bool = False
    ) -> asyncio.Future[None]:
        return self._begin(endpoint, Residency.DRAINING, self._do_unload(endpoint, patience, force))

    def _begin(
        self, endpoint: Endpoint, residency: Residency, work: Coroutine[object, object, None]
    ) -> asyncio.Future[None]:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._running[endpoint.id] = done
        endpoint.residency = residency
        endpoint.changing_since = self._clock.monotonic()
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
            endpoint.changing_since = 0.0
            del self._running[endpoint.id]
            self._looked(endpoint.spec.backend)

    async def _do_load(self, endpoint: Endpoint, going: Sequence[asyncio.Future[None]]) -> None:
        model = endpoint.spec.model
        if going:
            endpoint.progress = "making room"
            await asyncio.gather(*map(asyncio.shield, going))
        self._say("model.loading", endpoint.id, f"loading {model}", "info")
        started = told = self._clock.monotonic()

        def progress(text: str) -> None:
            nonlocal told
            if endpoint.residency is Residency.READY:  # as its backend has said meanwhile
                return
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

    async def _do_unload(self, endpoint: Endpoint, patience: float, force: bool) -> None:
        model = endpoint.spec.model
        self._say("model.unloading", endpoint.id, f"unloading {model}", "info")
        deadline = self._clock.monotonic() + patience
        while (served := self._served(endpoint)) > 0 and self._clock.monotonic() < deadline:
            endpoint.progress = f"draining {served}"
            await asyncio.sleep(0.1)
        if served > 0 and not force:
            raise OperationFailed(f"{served} requests are still running after {patience:g} s")
        endpoint.residency = Residency.UNLOADING
        await self._loader(endpoint.spec.backend).unload(model)
        endpoint.residency = Residency.ABSENT
        endpoint.memory_bytes = None
        self._say("model.absent", endpoint.id, f"{model} is unloaded", "info")


def _idle(endpoint: Endpoint) -> bool:
    """Loaded, unloadable by us, and nobody is being served or waits: what is busy is never evicted."""
    busy = endpoint.inflight or endpoint.waiting
    return endpoint.residency is Residency.READY and endpoint.spec.loadable and not busy


def _gib(size: int | None) -> str:
    return "an unknown amount" if size is None else f"{size / 1024**3:.1f} GiB"
