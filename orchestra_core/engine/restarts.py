"""Restarting a backend whose processes are ours: its models are unloaded, with time for what runs, and loaded again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING

from orchestra_core.background.orders import Orders
from orchestra_core.domain.catalog import BackendKind, Endpoint, Residency
from orchestra_core.domain.errors import OperationFailed, OrchestraError
from orchestra_core.domain.result import Restarting
from orchestra_core.engine.members import Member

if TYPE_CHECKING:
    from orchestra_core.engine.build import Engine

# Beyond the time for what runs: a child that ignores its end is killed well before that.
_ENDING_SECONDS = 60.0
_STEP_SECONDS = 0.05


def restarts(engine: Engine) -> Restarts:
    """Those of an engine, to be called when it has its orders."""
    return Restarts(
        find=engine.steering.member,
        of=engine.catalog.of,
        orders=engine.loading.orders,
        start=engine.supervisor.start,
        say=engine.hub.publish,
    )


class Restarts:
    """`find` gets a backend by its name, or raises NotFound; `of` the endpoints of one."""

    def __init__(
        self,
        *,
        find: Callable[[str], Member],
        of: Callable[[str], Sequence[Endpoint]],
        orders: Orders,
        start: Callable[[Coroutine[object, object, None], str], object],
        say: Callable[[str, str, str, str], None],
    ) -> None:
        self._find = find
        self._of = of
        self._orders = orders
        self._start = start
        self._say = say
        self._running: set[str] = set()

    def __call__(self, name: str, drain_seconds: float | None) -> Restarting:
        """Begins one. What runs may finish for `drain_seconds` and is ended then; None: nothing may run."""
        member = self._find(name)
        if member.settings.kind is not BackendKind.MANAGED:
            raise _not_ours(member)
        loaded = self._loaded(name)
        inflight = sum(endpoint.inflight for endpoint in loaded)
        if inflight and drain_seconds is None:
            requests = "one request" if inflight == 1 else f"{inflight} requests"
            raise OperationFailed(
                f"{name} is busy with {requests}: give `drain_seconds` to let them finish first", code="busy"
            )
        for endpoint in loaded:
            force = drain_seconds is not None
            self._orders("unload", endpoint.spec.model, name, drain_seconds=drain_seconds, force=force)
        self._running.add(name)
        models = tuple(endpoint.spec.model for endpoint in loaded)
        wait = f"; {inflight} in flight may finish for {drain_seconds:g} s" if inflight else ""
        self._say("backend.restarting", name, f"stopping {', '.join(models)}{wait}", "warning")
        self._start(self._again(name, loaded, drain_seconds or 0.0), f"restart of {name}")
        return Restarting(name, models, inflight, drain_seconds or 0.0)

    def _loaded(self, name: str) -> list[Endpoint]:
        endpoints = self._of(name)
        moving = [e for e in endpoints if e.residency not in (Residency.READY, Residency.ABSENT)]
        if name in self._running or moving:
            what = f"{moving[0].id} is {moving[0].residency}" if moving else f"{name} is being restarted"
            raise OperationFailed(f"{what}: wait until that has ended", code="busy")
        loaded = [endpoint for endpoint in endpoints if endpoint.residency is Residency.READY]
        if not loaded:
            raise OperationFailed(
                f"no process of {name} runs, as none of its models is loaded: there is nothing to restart",
                code="nothing_to_do",
            )
        return loaded

    async def _again(self, name: str, stopped: Sequence[Endpoint], drain: float) -> None:
        try:
            await self._gone(stopped, drain + _ENDING_SECONDS)
            left = [endpoint.id for endpoint in stopped if endpoint.residency not in _AFTER]
            for endpoint in stopped:
                if endpoint.id not in left:
                    self._load(endpoint)
            if left:
                self._say("backend.restart_failed", name, f"{', '.join(left)} could not be stopped", "error")
                return
            self._say("backend.restarted", name, "its processes have ended; they are started again", "info")
        finally:
            self._running.discard(name)

    @staticmethod
    async def _gone(stopped: Sequence[Endpoint], seconds: float) -> None:
        """Looked at often: who carries the unloads out tells nobody, and restarts are rare."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while loop.time() < deadline:
            # One that somebody wants already is on its way up again.
            if all(endpoint.residency in _AFTER for endpoint in stopped):
                return
            await asyncio.sleep(_STEP_SECONDS)

    def _load(self, endpoint: Endpoint) -> None:
        try:
            self._orders("load", endpoint.spec.model, endpoint.spec.backend)
        except OrchestraError as error:
            if error.code not in ("nothing_to_do", "busy"):
                self._say("model.refused", endpoint.id, error.message, "warning")


_AFTER = (Residency.ABSENT, Residency.RESERVED, Residency.LOADING)


def _not_ours(member: Member) -> OperationFailed:
    name, kind = member.settings.name, member.settings.kind
    return OperationFailed(
        f"{name} ({kind} at {member.label}) was not started by this engine, so it is not ours to restart: restart "
        f"it where it runs; `ai-orchestra drain {name} --wait` lets its requests finish first, and `resume` ends that",
        code="not_managed",
    )
