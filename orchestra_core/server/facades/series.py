"""The native surface's course of traffic over the last minutes or hours."""

from orchestra_core.server.exchange import Exchange, Request
from orchestra_core.server.ports import Ports
from orchestra_core.server.questions import read_series
from orchestra_core.server.replies import reply


class SeriesFacade:
    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def series(self, request: Request, exchange: Exchange, request_id: str) -> None:
        """GET /api/v1/series"""
        view = self._ports.series(*read_series(request.arguments))
        reply(exchange, request_id, view, private=True)
