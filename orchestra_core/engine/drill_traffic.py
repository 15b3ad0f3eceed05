"""Requests of a drill's own, where nobody asks for its endpoint's model: small prompts, answered to nobody."""

import asyncio
from contextlib import suppress

import msgspec

from orchestra_core.background.probing import Nowhere, one_token
from orchestra_core.background.supervisor import Supervisor
from orchestra_core.clock import Clock
from orchestra_core.domain.call import Kind
from orchestra_core.domain.catalog import Endpoint
from orchestra_core.domain.errors import OrchestraError
from orchestra_core.pipeline.service import Service
from orchestra_core.resilience.drill import Drill

SURFACE = "drill"
# Long enough for an answer to be cut in the middle.
_TOKENS = 16


class Traffic:
    """They go the way of every request, and are recorded like it."""

    def __init__(self, clock: Clock, service: Service, supervisor: Supervisor) -> None:
        self._clock = clock
        self._service = service
        self._supervisor = supervisor

    async def __call__(self, drill: Drill, endpoint: Endpoint) -> None:
        """As many a second as it wishes, until the endpoint is well again: where asking costs money, breakers are
        closed by nobody else. What it may cost says so.
        """
        number = 0
        while drill.active(self._clock.monotonic()) or drill.recovering:
            number += 1
            self._supervisor.start(
                self._ask(f"req-{drill.id}-{number:04d}", endpoint), f"traffic of drill {drill.id}"
            )
            await asyncio.sleep(1 / drill.wish.traffic)

    async def _ask(self, id: str, endpoint: Endpoint) -> None:
        call = one_token(endpoint, self._clock.monotonic())
        if call is None:
            return
        fields = call.fields if call.kind is Kind.EMBEDDING else {**call.fields, "max_tokens": _TOKENS}
        call = msgspec.structs.replace(call, id=id, surface=SURFACE, fields=fields, key=SURFACE)
        # Refused: counted by who refused it, like that of a client.
        with suppress(OrchestraError):
            await self._service(call, Nowhere())
