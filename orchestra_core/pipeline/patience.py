"""What a client waits for besides tokens: a back-off, a model that is being loaded."""

import asyncio
import re
from collections.abc import Awaitable, Callable

from orchestra_core.domain.call import Call
from orchestra_core.domain.catalog import Endpoint, Residency
from orchestra_core.domain.errors import OperationFailed
from orchestra_core.domain.outcome import Outcome, Verdict
from orchestra_core.domain.progress import progress_words
from orchestra_core.domain.sink import Sink

# How often a streaming client that waits is told that it is not forgotten (reliability.md section 3).
ALIVE_SECONDS = 15.0
_PERCENT = re.compile(r"\d+(\.\d+)? ?%")


class Patience:
    """The streaming clients that wait, told so by one timer for all: `tick`, called about once a second."""

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[Sink, Callable[[float], str]]] = {}
        self._told: dict[int, float] = {}

    def add(self, sink: Sink, since: float, note: Callable[[float], str]) -> None:
        """`note` says at a monotonic second what is waited for."""
        if sink.streaming:
            self._waiting[id(sink)] = (sink, note)
            self._told[id(sink)] = since

    def discard(self, sink: Sink) -> None:
        self._waiting.pop(id(sink), None)
        self._told.pop(id(sink), None)

    def tick(self, now: float) -> None:
        for key, (sink, note) in tuple(self._waiting.items()):
            if now - self._told[key] >= ALIVE_SECONDS:
                self._told[key] = now
                sink.alive(note(now))

    async def pause(self, seconds: float, call: Call, sink: Sink, note: str) -> None:
        self.add(sink, call.received, lambda _: note)
        try:
            await asyncio.sleep(seconds)
        finally:
            self.discard(sink)


def waits_for_load(endpoint: Endpoint, position: int, now: float) -> str:
    """What a client is told that waits for a model: how far its load is, and how many are before it."""
    model, residency = endpoint.spec.model, endpoint.residency
    if residency is not Residency.LOADING:
        return f"waiting for {model} to be loaded, position {position}"
    said = _PERCENT.search(endpoint.progress)
    seconds = now - endpoint.changing_since if endpoint.changing_since else None
    return f"{progress_words(f'loading {model}', said[0] if said else '', seconds)}, position {position}"


class Readiness:
    """`ensure_ready` loads a model and returns when it is ready; waited for up to `limit` seconds."""

    def __init__(
        self, ensure_ready: Callable[[Endpoint], Awaitable[None]], patience: Patience, limit: float
    ) -> None:
        self._ensure_ready = ensure_ready
        self._patience = patience
        self._limit = limit
        self._lines: dict[str, list[Sink]] = {}

    async def __call__(self, endpoint: Endpoint, call: Call, sink: Sink) -> Outcome | None:
        """Returns when the model can be asked, or why it cannot.

        A server that loads by itself and cannot be told to is asked for the answer while it loads.
        """
        if endpoint.residency is Residency.READY or (
            endpoint.residency is Residency.LOADING and not endpoint.spec.loadable
        ):
            return None
        model = endpoint.spec.model
        line = self._lines.setdefault(endpoint.id, [])
        line.append(sink)
        self._patience.add(
            sink, call.received, lambda now: waits_for_load(endpoint, line.index(sink) + 1, now)
        )
        try:
            async with asyncio.timeout(self._limit):
                await self._ensure_ready(endpoint)
        except OperationFailed as error:
            why = f"{model} could not be loaded: {error.message}"
            again = error.retry_after
            verdict = Verdict.FAILED if again is None else Verdict.BUSY
            return Outcome(verdict, endpoint.id, 503, why, retry_after=again)
        except TimeoutError:
            why = f"{model} is not loaded after {self._limit:g} s"
            return Outcome(Verdict.LOADING, endpoint.id, 503, why, retry_after=10.0)
        finally:
            self._patience.discard(sink)
            line.remove(sink)
            if not line:
                self._lines.pop(endpoint.id, None)
        return None
