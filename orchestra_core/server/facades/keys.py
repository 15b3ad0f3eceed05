"""The native surface's keys: list, create, revoke. Only for administrators; a token is shown once."""

from typing import Annotated

import msgspec

from orchestra_core.domain.errors import InvalidRequest
from orchestra_core.domain.principal import Scope
from orchestra_core.server.exchange import Exchange, Request
from orchestra_core.server.ports import Ports
from orchestra_core.server.replies import reply
from orchestra_core.trust.keys import EXPIRY, NAME, expiry
from orchestra_core.wire.bodies import decode

_Name = Annotated[str, msgspec.Meta(pattern=NAME)]
_Limit = Annotated[int, msgspec.Meta(ge=0, le=10**9)]
_Scopes = Annotated[list[Scope], msgspec.Meta(min_length=1, max_length=3)]


class _NewKey(msgspec.Struct, forbid_unknown_fields=True):
    name: _Name
    scopes: _Scopes = msgspec.field(default_factory=lambda: [Scope.USE])
    requests_per_minute: _Limit | None = None
    tokens_per_minute: _Limit | None = None
    expires: str | None = None


_new_key = msgspec.json.Decoder(_NewKey)


class KeysFacade:
    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def list(self, _request: Request, exchange: Exchange, request_id: str) -> None:
        """GET /api/v1/keys"""
        reply(exchange, request_id, {"keys": self._ports.keys.views()}, private=True)

    async def create(self, request: Request, exchange: Exchange, request_id: str) -> None:
        """POST /api/v1/keys"""
        wanted = decode(_new_key, request.body)
        made = await self._ports.keys.create(
            wanted.name,
            tuple(dict.fromkeys(wanted.scopes)),
            wanted.requests_per_minute,
            wanted.tokens_per_minute,
            _expiry(wanted.expires),
        )
        reply(exchange, request_id, made, 201, private=True)

    async def revoke(self, _request: Request, exchange: Exchange, request_id: str, name: str) -> None:
        """DELETE /api/v1/keys/{id}"""
        reply(exchange, request_id, await self._ports.keys.revoke(name), private=True)


def _expiry(given: str | None) -> float | None:
    try:
        return None if given is None else expiry(given)
    except ValueError as error:
        raise InvalidRequest(f"`expires` must be {EXPIRY}", param="expires") from error
