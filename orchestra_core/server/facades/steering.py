"""The native surface's verbs of the operator: drain and resume, trip and reset, intake, cancel, reload."""

from orchestra_core.domain.errors import NotFound, OperationFailed
from orchestra_core.server.exchange import Exchange, Request
from orchestra_core.server.ports import Ports
from orchestra_core.server.refusals import given_before
from orchestra_core.server.replies import reply
from orchestra_core.wire.native import read_reason, read_restart, read_trip


class Steering:
    """Every verb answers with the new state."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def drain(self, request: Request, exchange: Exchange, request_id: str, name: str) -> None:
        read_reason(request.body)
        reply(exchange, request_id, self._ports.steer("drain", name))

    async def resume(self, request: Request, exchange: Exchange, request_id: str, name: str) -> None:
        read_reason(request.body)
        reply(exchange, request_id, self._ports.steer("resume", name))

    async def trip(self, request: Request, exchange: Exchange, request_id: str, name: str) -> None:
        wish = read_trip(request.body)
        reply(exchange, request_id, self._ports.guard("trip", name, wish.reason, wish.seconds))

    async def reset(self, request: Request, exchange: Exchange, request_id: str, name: str) -> None:
        reply(exchange, request_id, self._ports.guard("reset", name, read_reason(request.body)))

    async def probe(self, request: Request, exchange: Exchange, request_id: str, name: str) -> None:
        """POST /api/v1/breakers/{endpoint}/probe: what one token now has found."""
        read_reason(request.body)
        reply(exchange, request_id, await self._ports.probe(name))

    async def restart(self, request: Request, exchange: Exchange, request_id: str, name: str) -> None:
        """POST /api/v1/backends/{name}/restart: accepted; events tell its end."""
        wish = read_restart(request.body)
        reply(exchange, request_id, self._ports.restart(name, wish.drain_seconds), 202)

    async def cancel(self, request: Request, exchange: Exchange, request_id: str, name: str) -> None:
        """POST /api/v1/requests/{id}/cancel: accepted; its client is told and the ledger has it a moment later."""
        reason = read_reason(request.body)
        try:
            view = self._ports.running.cancel(name, reason)
        except NotFound as error:
            if given_before(name, request_id):
                why = f"request {name} has ended already"
                raise OperationFailed(why, param="id", code=error.code) from error
            raise
        reply(exchange, request_id, view, 202)

    async def pause_intake(self, request: Request, exchange: Exchange, request_id: str) -> None:
        reply(exchange, request_id, self._ports.intake("pause", read_reason(request.body)))

    async def resume_intake(self, request: Request, exchange: Exchange, request_id: str) -> None:
        reply(exchange, request_id, self._ports.intake("resume", read_reason(request.body)))

    async def reload(self, request: Request, exchange: Exchange, request_id: str) -> None:
        read_reason(request.body)
        reply(exchange, request_id, await self._ports.reload())

    async def clear_cache(self, request: Request, exchange: Exchange, request_id: str) -> None:
        """POST /api/v1/cache/clear: what was dropped."""
        read_reason(request.body)
        reply(exchange, request_id, await self._ports.clear_cache())
