"""The native surface's budgets: how they stand, and another limit by an operator's word."""

from typing import Annotated

import msgspec

from orchestra_core.server.exchange import Exchange, Request
from orchestra_core.server.ports import Ports
from orchestra_core.server.replies import reply
from orchestra_core.wire.bodies import decode
from orchestra_core.wire.native import read_reason

# As in the configuration: a trillion of any currency is not a budget but a slip.
_MOST = 1e12


class _NewLimit(msgspec.Struct, forbid_unknown_fields=True):
    limit: Annotated[float, msgspec.Meta(ge=0, le=_MOST)]


_new_limit = msgspec.json.Decoder(_NewLimit)


class BudgetsFacade:
    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def list(self, _request: Request, exchange: Exchange, request_id: str) -> None:
        """GET /api/v1/budgets, as they are at this moment."""
        reply(exchange, request_id, {"budgets": self._ports.budgets()})

    async def set(self, request: Request, exchange: Exchange, request_id: str, name: str) -> None:
        """POST /api/v1/budgets/{name}"""
        await self._limit(request, exchange, request_id, name, decode(_new_limit, request.body).limit)

    async def reset(self, request: Request, exchange: Exchange, request_id: str, name: str) -> None:
        """POST /api/v1/budgets/{name}/reset"""
        read_reason(request.body)
        await self._limit(request, exchange, request_id, name, None)

    async def _limit(
        self, request: Request, exchange: Exchange, request_id: str, name: str, limit: float | None
    ) -> None:
        found = await self._ports.limit(name, limit, request.principal.name)
        reply(exchange, request_id, {"name": name, "budgets": found})
