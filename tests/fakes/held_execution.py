"""The seam below the pipeline, every attempt held until the test says how it goes on; time moved by hand as well."""

import asyncio
from collections.abc import Callable

from orchestra_core.domain.call import Call
from orchestra_core.domain.catalog import Endpoint
from orchestra_core.domain.outcome import Outcome, Partial, Verdict
from orchestra_core.domain.reply import Delta, Usage
from orchestra_core.domain.sink import Serving, Sink
from tests.fakes.clock import ManualClock
from tests.fakes.execution import TakingSink


class ClockLoop(asyncio.SelectorEventLoop):
    """Its timers follow a clock that is moved by hand: nothing ever waits for real."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        super().__init__()

    def time(self) -> float:
        return self._clock.monotonic()


class Held:
    """One attempt under way. `tokens` are unlike all others ever made."""

    def __init__(self, call: Call, endpoint: Endpoint, sink: TakingSink, serving: Serving) -> None:
        self.call = call
        self.endpoint = endpoint
        self.sink = sink
        self.serving = serving
        self.begun = False
        self.tokens: list[str] = []
        self.ended: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()

    def token(self, text: str) -> None:
        """The first one commits the answer, or goes on with it."""
        if not self.begun:
            self.begun = True
            if self.call.so_far is None:
                self.sink.open(self.serving)
            else:
                self.sink.resume(self.serving, self.call.so_far)
        self.tokens.append(text)
        self.sink.deltas([Delta(text)])

    def end(self, verdict: Verdict) -> None:
        if not self.ended.done():
            self.ended.set_result(verdict)

    def outcome(self, verdict: Verdict) -> Outcome:
        """As the data plane classifies it: what was begun and is no success was interrupted."""
        usage = Usage(5, len(self.tokens), estimated=verdict is not Verdict.SUCCESS)
        partial = None if verdict in (Verdict.SUCCESS, Verdict.UNREACHABLE) else self.call.so_far
        if self.begun and verdict is not Verdict.SUCCESS:
            verdict = Verdict.INTERRUPTED
            before = self.call.so_far
            made = len(self.tokens) + (before.tokens if before is not None else 0)
            partial = Partial(self.sink.text, made) if self.call.stream else None
        return Outcome(
            verdict,
            self.endpoint.id,
            200 if self.begun else 503,
            "scripted",
            usage,
            seconds=0.1,
            committed=self.begun,
            partial=partial,
        )


class HeldExecution:
    """`watch` is told of every attempt before it is held: the place for what must hold at that moment."""

    def __init__(self, watch: Callable[[Held], None]) -> None:
        self._watch = watch
        self.open: list[Held] = []

    async def __call__(
        self,
        call: Call,
        endpoint: Endpoint,
        sink: Sink,
        serving: Serving,
        first_token_limit: float | None = None,
        answer_limit: float | None = None,
    ) -> Outcome:
        assert isinstance(sink, TakingSink)
        held = Held(call, endpoint, sink, serving)
        self._watch(held)
        self.open.append(held)
        try:
            return held.outcome(await held.ended)
        finally:
            self.open.remove(held)
