"""What a request waits for besides tokens: a slot, a model that is being loaded, a back-off."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable

from orchestra_core.domain.call import Call
from orchestra_core.domain.catalog import Endpoint, Residency
from orchestra_core.domain.errors import OperationFailed
from orchestra_core.domain.outcome import Outcome, Verdict
from orchestra_core.domain.progress import progress_words
from orchestra_core.domain.sink import Sink

_PERCENT = re.compile(r"\d+(\.\d+)? ?%")


class Waiting:
    """What one request waits for: `note` says it at a monotonic second, `place` its position, if it has one."""

    __slots__ = ("call", "endpoint", "note", "place", "sink", "state")

    def __init__(
        self,
        call: Call,
        sink: Sink,
        state: str,
        note: Callable[[float], str],
        endpoint: str = "",
        place: Callable[[float], int] | None = None,
    ) -> None:
        self.call = call
        self.sink = sink
        self.state = state
        self.note = note
        self.endpoint = endpoint
        self.place = place


class Patience:
    """The requests that wait; those with a stream are told so by one timer for all: `tick`, called about once a
    second.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, Waiting] = {}
        self._told: dict[int, float] = {}

    @property
    def waiting(self) -> Iterable[Waiting]:
        return self._waiting.values()

    def add(self, wait: Waiting) -> None:
        self._waiting[id(wait.sink)] = wait
        if wait.sink.streaming:
            self._told[id(wait.sink)] = wait.call.received

    def discard(self, sink: Sink) -> None:
        self._waiting.pop(id(sink), None)
        self._told.pop(id(sink), None)

    def tick(self, now: float) -> None:
        for key, told in tuple(self._told.items()):
            wait = self._waiting[key]
            if now - told >= wait.call.told_seconds:
                self._told[key] = now
                wait.sink.alive(wait.note(now))

    async def pause(self, seconds: float, call: Call, sink: Sink, note: str) -> None:
        self.add(Waiting(call, sink, "retrying", lambda _: note))
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
            Waiting(
                call,
                sink,
                "loading",
                lambda now: waits_for_load(endpoint, line.index(sink) + 1, now),
                endpoint.id,
                lambda _: line.index(sink) + 1,
            )
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
