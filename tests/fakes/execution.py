"""The seam below the pipeline: a scripted inner service, and a client that takes what comes."""

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from orchestra_core.domain.call import Call
from orchestra_core.domain.catalog import Endpoint
from orchestra_core.domain.outcome import Outcome, Partial, Verdict
from orchestra_core.domain.reply import Delta, Embeddings, Usage
from orchestra_core.domain.sink import Serving, Sink


class TakingSink:
    """A client that accepts everything and remembers it."""

    relays = ""

    def __init__(self, *, streaming: bool = False) -> None:
        self.streaming = streaming
        self.committed = False
        self.opened: list[Serving] = []
        self.text = ""
        self.notes: list[str] = []
        self.resumed: list[Serving] = []

    def open(self, serving: Serving) -> None:
        self.committed = True
        self.opened.append(serving)

    def alive(self, note: str) -> None:
        self.notes.append(note)

    def resume(self, serving: Serving, so_far: Partial) -> None:
        self.resumed.append(serving)

    def relay(self, data: bytes) -> None:
        self.text += data.decode()

    def deltas(self, deltas: Sequence[Delta]) -> None:
        self.text += "".join(delta.text for delta in deltas)

    def embeddings(self, embeddings: Embeddings) -> None:
        self.text += str(embeddings.vectors)

    def bind_flow(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        """Nothing here is ever slow."""


class ScriptedExecution:
    """Ends each attempt at an endpoint with the next verdict of its script (success when it has run out).

    A whole Outcome is returned as it is but for its endpoint; an answer that it says was begun is opened first.
    `gate` holds every attempt until it is set, so that tests need no sleeps.
    """

    def __init__(self, **scripts: Sequence[Verdict | Outcome]) -> None:
        self._scripts = {backend: list(verdicts) for backend, verdicts in scripts.items()}
        self.attempts: list[str] = []
        self.calls: list[Call] = []
        self.servings: list[Serving] = []
        self.limits: list[float | None] = []
        self.answer_limits: list[float | None] = []
        self.cancelled: list[str] = []
        self.gate: asyncio.Event | None = None
        self.started = asyncio.Event()

    async def __call__(
        self,
        call: Call,
        endpoint: Endpoint,
        sink: Sink,
        serving: Serving,
        first_token_limit: float | None = None,
        answer_limit: float | None = None,
    ) -> Outcome:
        self.attempts.append(endpoint.id)
        self.calls.append(call)
        self.servings.append(serving)
        self.limits.append(first_token_limit)
        self.answer_limits.append(answer_limit)
        self.started.set()
        if self.gate is not None:
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.cancelled.append(endpoint.id)
                raise
        script = self._scripts.get(endpoint.spec.backend, [])
        verdict = script.pop(0) if script else Verdict.SUCCESS
        if isinstance(verdict, Outcome):
            if verdict.committed and not sink.committed:
                sink.open(serving)
            return msgspec.structs.replace(verdict, endpoint=endpoint.id)
        if verdict in (Verdict.SUCCESS, Verdict.INTERRUPTED):
            if call.so_far is not None:
                sink.resume(serving, call.so_far)
            else:
                sink.open(serving)
            sink.deltas([Delta("answer")])
            return Outcome(
                verdict, endpoint.id, usage=Usage(5, 3), first_token=0.1, seconds=0.5, committed=True
            )
        partial = None if verdict is Verdict.UNREACHABLE else call.so_far
        return Outcome(verdict, endpoint.id, 503, "scripted", partial=partial)
