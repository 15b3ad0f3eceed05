"""The native surface's audit log: what operators did, newest first. Only for administrators."""

from orchestra_core.domain.errors import InvalidRequest
from orchestra_core.server.exchange import Exchange, Request
from orchestra_core.server.ports import Ports
from orchestra_core.server.replies import reply

_USUAL, _MOST = 50, 500


class AuditFacade:
    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def list(self, request: Request, exchange: Exchange, request_id: str) -> None:
        """GET /api/v1/audit?limit=50&before=PLACE"""
        arguments = request.arguments
        page = await self._ports.audit(arguments.get("before", ""), _limit(arguments.get("limit")))
        reply(exchange, request_id, page, private=True)


def _limit(text: str | None) -> int:
    if text is None:
        return _USUAL
    if not (text.isascii() and text.isdigit()) or len(text) > 4 or not 1 <= int(text) <= _MOST:
        raise InvalidRequest(f"limit must be a whole number from 1 to {_MOST}", param="limit")
    return int(text)
