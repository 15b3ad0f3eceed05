"""The answer to what is refused before any surface saw it (shape of api.md)."""

from collections.abc import Callable
from itertools import count

import msgspec

from orchestra_core.http1.checks import METHODS, Refusal
from orchestra_core.http1.heads import Pair
from orchestra_core.server.exchange import Exchange

_ALLOW = ("allow", ", ".join(sorted(METHODS)))
_TYPES = {500: "internal_error", 503: "unavailable_error"}
_RETRY = ("retry-after", "1")


class Refusals:
    """Sends refusals, each with a request id of its own; `next_id` is the engine's, so that ids are unique."""

    def __init__(self, next_id: Callable[[], str]) -> None:
        self._next_id = next_id

    def __call__(self, refusal: Refusal, exchange: Exchange) -> None:
        request_id = self._next_id()
        headers: list[Pair] = [("x-request-id", request_id)]
        if refusal.status == 405:
            headers.append(_ALLOW)
        if refusal.status in (429, 503):
            headers.append(_RETRY)
        error = {
            "type": _TYPES.get(refusal.status, "invalid_request_error"),
            "code": refusal.code,
            "message": refusal.message,
            "param": None,
            "request_id": request_id,
        }
        exchange.send(refusal.status, msgspec.json.encode({"error": error}), headers)


def own_ids(origin: str = "refused") -> Callable[[], str]:
    """Ids of requests, numbered; `origin` tells one engine's from another's, or those of a listener without one."""
    numbers = count(1)
    return lambda: f"req-{origin}-{next(numbers):06x}"


def given_before(name: str, asking: str) -> bool:
    """Whether an engine gave that id to a request before the one that asks: they are numbered."""
    engine, _, number = asking.rpartition("-")
    theirs, _, earlier = name.rpartition("-")
    return bool(engine) and theirs == engine and len(earlier) == len(number) and earlier < number


plain_refusal = Refusals(own_ids())
