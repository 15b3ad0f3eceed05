"""How a client finds an answer: the baselines run inside the load generator, the engine behind its own port."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Protocol

from benchmarks.open_loop import Reply, exchange, render

PATH = "/v1/chat/completions"
ATTEMPTS = 3
BACKOFF = 0.1
# What client libraries try again: OpenAI's takes these, lost connections, and 5xx.
_AGAIN = frozenset({408, 409, 429})


class Strategy(Protocol):
    async def __call__(self, id: str, body: bytes, stream: bool, left: float, reply: Reply) -> None:
        """Fills `reply` in place, so that what there is of it is there when time is up."""


class FirstModel:
    """Everything to the first backend, once."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._port = ports[0]

    async def __call__(self, id: str, body: bytes, stream: bool, left: float, reply: Reply) -> None:  # noqa: ARG002  one signature
        await exchange(self._port, render(self._port, PATH, body), reply)


class FirstModelWithRetries:
    """The same, up to three times, with full jitter after 0.1 and 0.2 s.

    Generous to it: any answer that did not come whole is asked for again, a stream as long as it has not begun.
    """

    def __init__(self, ports: Sequence[int], rng: Random) -> None:
        self._port = ports[0]
        self._rng = rng

    async def __call__(self, id: str, body: bytes, stream: bool, left: float, reply: Reply) -> None:  # noqa: ARG002  one signature
        request = render(self._port, PATH, body)
        for attempt in range(1, ATTEMPTS + 1):
            reply.status, reply.body, reply.complete, reply.lost = 0, b"", False, ""
            await exchange(self._port, request, reply)
            if attempt == ATTEMPTS or not _worth_another(reply, stream):
                return
            await asyncio.sleep(self._rng.uniform(0, BACKOFF * 2 ** (attempt - 1)))


def _worth_another(reply: Reply, stream: bool) -> bool:
    if reply.complete:
        return reply.status >= 500 or reply.status in _AGAIN
    return not (stream and reply.body)


class LeastBusy:
    """The backend with the fewest requests of this client under way, in turn among equals; no retry."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._busy = dict.fromkeys(ports, 0)

    async def __call__(self, id: str, body: bytes, stream: bool, left: float, reply: Reply) -> None:  # noqa: ARG002  one signature
        port = min(self._busy, key=self._busy.__getitem__)
        # Moved to the end: the next among equals is another.
        self._busy[port] = self._busy.pop(port) + 1
        try:
            await exchange(port, render(port, PATH, body), reply)
        finally:
            self._busy[port] -= 1


class ThroughEngine:
    """Everything to the engine, which is told the deadline; no retry of its own."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._port = ports[0]

    async def __call__(self, id: str, body: bytes, stream: bool, left: float, reply: Reply) -> None:  # noqa: ARG002  one signature
        headers = f"x-request-id: {id}\r\nx-orchestra-deadline-ms: {max(1, int(left * 1000))}\r\n"
        await exchange(self._port, render(self._port, PATH, body, headers), reply)


FIRST, RETRIES, LEAST_BUSY = "first-model", "first-model with retries", "least-busy"
ENGINE, UNCONTINUED = "this engine", "this engine, no continuation"
MAKE: Mapping[str, Callable[[Sequence[int], int], Strategy]] = {
    FIRST: lambda ports, _: FirstModel(ports),
    RETRIES: lambda ports, seed: FirstModelWithRetries(ports, Random(f"retries {seed}")),
    LEAST_BUSY: lambda ports, _: LeastBusy(ports),
    ENGINE: lambda ports, _: ThroughEngine(ports),
    UNCONTINUED: lambda ports, _: ThroughEngine(ports),
}
