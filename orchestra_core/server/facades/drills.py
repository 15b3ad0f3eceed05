"""The native surface's fault drills: begin, list, stop."""

import msgspec

from orchestra_core.domain.drills import DrillWish
from orchestra_core.server.exchange import Exchange, Request
from orchestra_core.server.ports import Ports
from orchestra_core.server.replies import reply
from orchestra_core.wire.bodies import decode
from orchestra_core.wire.native import read_reason

_wish = msgspec.json.Decoder(DrillWish)


class DrillsFacade:
    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def list(self, _request: Request, exchange: Exchange, request_id: str) -> None:
        """GET /api/v1/drills: those that run or whose endpoint recovers, and the last reports, newest first."""
        running, reports = self._ports.drills.all()
        reply(exchange, request_id, {"running": running, "reports": reports})

    async def start(self, request: Request, exchange: Exchange, request_id: str) -> None:
        """POST /api/v1/drills: the drill that has begun, or with `dry_run` what it would be."""
        wish = decode(_wish, request.body)
        if wish.dry_run:
            reply(exchange, request_id, self._ports.drills.plan(wish))
        else:
            reply(exchange, request_id, self._ports.drills.start(wish, request.principal.name), 202)

    async def stop(self, request: Request, exchange: Exchange, request_id: str, name: str) -> None:
        """POST /api/v1/drills/{id}/stop: its report so far."""
        read_reason(request.body)
        reply(exchange, request_id, self._ports.drills.stop(name, request.principal.name))
