"""Answers of the native surface that are JSON and done at once."""

import msgspec

from orchestra_core.server.exchange import Exchange


def reply(
    exchange: Exchange, request_id: str, body: object, status: int = 200, *, private: bool = False
) -> None:
    """`private`: nothing on the way may keep it."""
    headers = [("x-request-id", request_id)]
    if private:
        headers.append(("cache-control", "no-store"))
    exchange.send(status, msgspec.json.encode(body), headers)
