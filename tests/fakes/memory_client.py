"""A client in memory: the real sink of a surface over an exchange whose bytes are kept."""

import asyncio
from typing import Any

import msgspec

from orchestra_core.domain.call import Call
from orchestra_core.domain.outcome import Outcome
from orchestra_core.server.date import refresh
from orchestra_core.server.exchange import Exchange
from orchestra_core.server.facades.native import NativeSink
from orchestra_core.server.facades.openai import OpenAISink
from orchestra_core.server.failures import failure
from orchestra_core.wire.framing import SseSplitter
from orchestra_core.wire.native import Answer, Metrics
from tests.fakes.transport import FakeTransport

CREATED = 1_800_000_000


class MemoryClient:
    """`surface` is openai or native. What it got is in `body`, its events in `events`."""

    def __init__(self, call: Call, surface: str = "openai") -> None:
        refresh(CREATED)
        self.transport = FakeTransport()
        self.exchange = Exchange(self.transport, keep_alive=True, chunked=False, head_only=False)
        self.sink: OpenAISink | NativeSink = (
            OpenAISink(self.exchange, call, lambda: CREATED)
            if surface == "openai"
            else NativeSink(self.exchange, call)
        )

    @property
    def head(self) -> bytes:
        return self.transport.written.partition(b"\r\n\r\n")[0]

    @property
    def body(self) -> bytes:
        return self.transport.written.partition(b"\r\n\r\n")[2]

    @property
    def events(self) -> list[bytes]:
        return [event for event in self.body.split(b"\n\n") if event]

    @property
    def chunks(self) -> list[dict[str, Any]]:
        """The JSON of every event that has any."""
        found = []
        for payload in SseSplitter().feed(self.body):
            try:
                value = msgspec.json.decode(payload)
            except (ValueError, RecursionError):
                continue
            found += [value] if isinstance(value, dict) else []
        return found

    @property
    def comments(self) -> list[bytes]:
        return [line for line in self.body.split(b"\n") if line.startswith(b":")]

    @property
    def text(self) -> str:
        """All the text of the answer, in either surface's words."""
        found = []
        for chunk in self.chunks:
            if "response" not in chunk:
                found.append(chunk.get("text") or "")
            choices = chunk.get("choices", ())
            found += [one.get("delta", {}).get("content") or one.get("text") or "" for one in choices]
        return "".join(found)

    def end(self, outcome: Outcome) -> None:
        """What the facade does when the pipeline has returned."""
        if not outcome.ok:
            self.sink.fail(failure(outcome), 1)
        elif isinstance(self.sink, OpenAISink):
            self.sink.finish(outcome)
        else:
            metrics = Metrics(0, 0, 0, 0, False, None, None, None, 1)
            self.sink.finish(
                lambda text, serving, so_far: Answer(
                    text,
                    serving.model,
                    serving.backend,
                    "",
                    None,
                    metrics,
                    "",
                    "",
                    "",
                    "",
                    False,
                    so_far is not None,
                )
            )


async def after(task: "asyncio.Task[Outcome]", client: MemoryClient) -> Outcome:
    """The outcome, told to the client."""
    outcome = await asyncio.wait_for(task, 5)
    client.end(outcome)
    return outcome
