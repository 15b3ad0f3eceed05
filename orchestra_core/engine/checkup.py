"""An operator's probe: one token of one endpoint, now; where asking makes no sense it says why."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from orchestra_core.background.probing import Probing, one_token
from orchestra_core.clock import Clock
from orchestra_core.domain.catalog import Endpoint, Residency
from orchestra_core.domain.errors import OperationFailed
from orchestra_core.domain.snapshot import ProbeView
from orchestra_core.domain.text import safe_text
from orchestra_core.engine.members import Members
from orchestra_core.pipeline.lanes import Lanes

if TYPE_CHECKING:
    from orchestra_core.engine.build import Engine

# Consoles give up on an answer after ten.
SECONDS = 8.0


def checkup(engine: Engine) -> Checkup:
    """That of an engine, to be called when it has its probing."""
    return Checkup(
        clock=engine.clock,
        find=engine.steering.endpoint,
        down=_ailing(engine.members),
        lanes=engine.lanes,
        probing=engine.probing,
    )


def _ailing(members: Members) -> Callable[[str], str | None]:
    """Why the backend of a name is down, as its monitor tells; None: it is not."""

    def down(name: str) -> str | None:
        member = members.get(name)
        return member.monitor.error if member is not None and member.monitor.health == "down" else None

    return down


class Checkup:
    """`find` gets an endpoint by its id, or raises NotFound; `down` says why a backend is down, None: it is not."""

    def __init__(
        self,
        *,
        clock: Clock,
        find: Callable[[str], Endpoint],
        down: Callable[[str], str | None],
        lanes: Lanes,
        probing: Probing,
    ) -> None:
        self._clock = clock
        self._find = find
        self._down = down
        self._lanes = lanes
        self._probing = probing

    async def __call__(self, endpoint_id: str) -> ProbeView:
        """What it found; OperationFailed where it could not be asked."""
        endpoint = self._find(endpoint_id)
        self._check(endpoint)
        outcome = await self._probing.now(endpoint, SECONDS)
        if outcome is None:
            raise OperationFailed(
                f"{endpoint.id} was not asked: a probe or a request is finding out already", code="busy"
            )
        now = self._clock.monotonic()
        message = "it generates" if outcome.ok else safe_text(outcome.message)[:300] or str(outcome.verdict)
        breaker = self._lanes.of(endpoint).breaker.view(endpoint.id, now)
        return ProbeView(endpoint.id, outcome.ok, message, round(outcome.seconds, 3), breaker)

    def _check(self, endpoint: Endpoint) -> None:
        spec, why = endpoint.spec, self._down(endpoint.spec.backend)
        if why is not None:
            raise OperationFailed(
                f"backend {spec.backend} is down{f' ({why})' if why else ''}, so nothing was asked; it is looked at "
                "every few seconds, and its breakers are probed as soon as it is back",
                code="backend_down",
            )
        if endpoint.residency is not Residency.READY:
            raise OperationFailed(
                f"{endpoint.id} is {endpoint.residency}, so nothing was asked: a probe never loads a model; "
                f"ai-orchestra load {spec.model} --backend {spec.backend} does",
                code="not_loaded",
            )
        if one_token(endpoint, 0.0) is None:
            raise OperationFailed(
                f"{endpoint.id} has nothing that a probe could ask for", code="not_supported"
            )
        if endpoint.inflight >= spec.slots:
            raise OperationFailed(
                f"all {spec.slots} slots of {endpoint.id} are taken: what runs there tells", code="busy"
            )
