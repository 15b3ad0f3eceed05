"""What the two simulated surfaces share: routes, the identity of a request, broken-off answers."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import msgspec

from orchestra_core.server.exchange import Exchange, Request
from orchestra_core.simulation.driver import Driver
from orchestra_core.simulation.trace import Why

View = Callable[[Exchange], None]
Route = Callable[[Request, Exchange], Awaitable[None]]

# How a lost connection shows: nothing more is written, and the server aborts an unfinished answer.
BREAKS_OFF = frozenset({Why.CUT, Why.CRASHED, Why.DOWN})


class Surface(Protocol):
    """One wire format served from one driver: views by path for GET and HEAD, routes by path for POST."""

    @property
    def views(self) -> Mapping[str, View]: ...

    @property
    def routes(self) -> Mapping[str, Route]: ...

    def unknown(self, exchange: Exchange) -> None:
        """Answers a path or method there is nothing for."""


class Identities:
    """Ids of the requests of one backend: what the client names in `x-request-id`, else numbers in order.

    The id decides how fast a request is, so a client that names its requests is served the same way again.
    """

    def __init__(self, backend: str, driver: Driver) -> None:
        self._backend = backend
        self._driver = driver
        self._count = 0

    def of(self, request: Request) -> str:
        self._count += 1
        named = request.header(b"x-request-id")
        if named and not self._driver.has(named):
            return named
        return f"{self._backend}-{self._count}"


def send_json(
    exchange: Exchange, status: int, payload: object, headers: tuple[tuple[str, str], ...] = ()
) -> None:
    exchange.send(status, msgspec.json.encode(payload), headers)


def break_off(exchange: Exchange, why: Why) -> None:
    """Resets the connection: an answer that is cut has begun and gets no end."""
    if why is Why.CUT and not exchange.started:
        exchange.start(200, (), "application/json")
    exchange.reset()
