"""The native surface's alerts: what fires, and taking note of it or keeping it quiet."""

from typing import Annotated

import msgspec

from orchestra_core.server.exchange import Exchange, Request
from orchestra_core.server.ports import Ports
from orchestra_core.server.replies import reply
from orchestra_core.wire.bodies import decode
from orchestra_core.wire.native import read_reason

_LONGEST = 200


class _NewSilence(msgspec.Struct, forbid_unknown_fields=True):
    seconds: Annotated[float, msgspec.Meta(gt=0, le=30 * 86_400)]
    reason: str = ""


_new_silence = msgspec.json.Decoder(_NewSilence)


class AlertsFacade:
    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def list(self, request: Request, exchange: Exchange, request_id: str) -> None:
        """GET /api/v1/alerts: what fires; with `all=1` also what is pending and what is over."""
        every = request.arguments.get("all", "") in ("1", "true")
        views = self._ports.alerts.views
        body = {
            "alerts": [view for view in views if every or view.firing],
            "firing": sum(view.firing and not view.silenced for view in views),
            "silences": self._ports.alerts.silences,
            "deliveries": self._ports.alerts.deliveries,
        }
        reply(exchange, request_id, body)

    async def acknowledge(self, request: Request, exchange: Exchange, request_id: str, name: str) -> None:
        """POST /api/v1/alerts/{id}/ack"""
        reason = read_reason(request.body)
        reply(exchange, request_id, self._ports.alerts.acknowledge(name, request.principal.name, reason))

    async def silence(self, request: Request, exchange: Exchange, request_id: str, name: str) -> None:
        """POST /api/v1/alerts/{id}/silence"""
        wish = decode(_new_silence, request.body)
        who = request.principal.name
        reply(
            exchange, request_id, self._ports.alerts.silence(name, wish.seconds, who, wish.reason[:_LONGEST])
        )

    async def unsilence(self, request: Request, exchange: Exchange, request_id: str, name: str) -> None:
        """POST /api/v1/alerts/{id}/unsilence"""
        read_reason(request.body)
        reply(exchange, request_id, self._ports.alerts.unsilence(name, request.principal.name))
