"""The OpenAI surface: chat completions, completions, embeddings, models."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import msgspec

from orchestra_core.domain.call import Call
from orchestra_core.domain.errors import InvalidRequest, NotFound, OrchestraError
from orchestra_core.domain.outcome import Outcome, Partial, Verdict
from orchestra_core.domain.reply import Delta, Embeddings, Usage
from orchestra_core.domain.sink import Serving
from orchestra_core.server.answers import comment, keep_alive, send_error, served_by
from orchestra_core.server.exchange import Exchange, Request
from orchestra_core.server.failures import failure
from orchestra_core.server.ports import Ports
from orchestra_core.server.wishes import CONTROL, OWN, wished
from orchestra_core.wire.openai.answers import Renderer, render_embeddings, render_error, render_models
from orchestra_core.wire.openai.requests import read_chat, read_completion, read_embedding

_DONE: Final = b"data: [DONE]\n\n"
# What is kept of a relayed answer to know its id by, should it have to be continued; a chunk is a fraction of it.
_FIRST_BYTES: Final = 4096
# The format has no field for it: milliseconds within which the whole answer must be there.
DEADLINE: Final = b"x-orchestra-deadline-ms"
_SUCCESS: Final = Verdict.SUCCESS
_LONGEST: Final = 2**31 - 1
Read = Callable[[bytes, str, float, str], Call]


def _seconds(value: str) -> float:
    """The time a deadline header leaves; raises InvalidRequest."""
    if not (value.isascii() and value.isdigit() and 0 < int(value[:11]) <= _LONGEST):
        name = DEADLINE.decode()
        raise InvalidRequest(f"header `{name}` must be whole milliseconds from 1 to {_LONGEST}", param=name)
    return int(value[:11]) / 1000


class OpenAISink:
    """An answer in OpenAI's format. The last bytes wait for `finish`, so that the ledger is always first."""

    relays = "openai"
    # Defaults of the class: most are never set for an answer that comes in one piece.
    _collected: Sequence[Delta] = ()
    _embeddings: Embeddings | None = None
    _first = b""
    _renderer: Renderer | None = None
    serving: Serving | None = None
    _so_far: Partial | None = None
    _tail = b""
    committed = False

    def __init__(self, exchange: Exchange, call: Call, wall: Callable[[], float]) -> None:
        self.exchange = exchange
        self.call = call
        self._wall = wall
        self.streaming = call.stream

    def alive(self, note: str) -> None:
        if self.streaming:
            keep_alive(self.exchange, self.call.id, note)

    def open(self, serving: Serving) -> None:
        self.committed = True
        self.serving = serving
        if not self.streaming:
            return
        if self.exchange.started:
            self.exchange.write(comment(f"answered by {serving.backend}/{serving.model}"))
        else:
            self.exchange.start(200, served_by(self.call.id, serving))

    def resume(self, serving: Serving, so_far: Partial) -> None:
        """Chunks go on under the name of the answer the client knows, read from the first of them."""
        self._render().go_on(self._first)
        self._so_far = so_far
        self.exchange.write(comment(f"continued on {serving.backend}/{serving.model}"))

    def relay(self, data: bytes) -> None:
        if not self.streaming or data.endswith(_DONE):
            self._tail = data
        else:
            if not self._first:
                self._first = data[:_FIRST_BYTES]
            self.exchange.write(data)

    def deltas(self, deltas: Sequence[Delta]) -> None:
        if self.streaming:
            self.exchange.write(self._render().chunks(deltas))
        else:
            self._collected = deltas

    def embeddings(self, embeddings: Embeddings) -> None:
        self._embeddings = embeddings

    def bind_flow(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self.exchange.bind_flow(pause, resume)

    def _render(self) -> Renderer:
        if self._renderer is None:
            assert self.serving is not None
            name, created = self.serving.model, int(self._wall())
            self._renderer = Renderer(self.call.kind, self.call.id, name, created)
        return self._renderer

    def finish(self, outcome: Outcome) -> None:
        """A success: the rest of the answer."""
        assert self.serving is not None
        if self.streaming:
            self.exchange.finish(self._tail or self._last(outcome.usage))
            return
        if self._embeddings is not None:
            body = render_embeddings(self._embeddings, self.serving.model)
        else:
            body = self._tail or self._render().answer(self._collected, outcome.usage)
        self.exchange.send(200, body, served_by(self.call.id, self.serving))

    def _last(self, usage: Usage) -> bytes:
        if self._so_far is None:
            return self._render().last(usage if self.call.wants_usage else None)
        whole = self._so_far.with_rest(usage) if self.call.wants_usage else None
        return comment("x-orchestra-continued: true") + self._render().last(whole)

    def fail(self, error: OrchestraError, attempts: int) -> None:
        """A failure: an error answer, or an error event in a stream that has begun; never `[DONE]`."""
        if self.exchange.started:
            self.exchange.finish(b"data: " + render_error(error, self.call.id) + b"\n\n")
        else:
            send_error(self.exchange, error, self.call.id, attempts)


class OpenAIFacade:
    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        # Read once: of a Struct each costs a request 40 ns, compiled.
        self._clock, self._running = ports.clock, ports.running
        self._ask, self._recall = ports.answer, ports.recall
        self.chat = partial(self._answer, read_chat)
        self.completion = partial(self._answer, read_completion)
        self.embedding = partial(self._answer, read_embedding)

    async def _answer(self, read: Read, request: Request, exchange: Exchange, request_id: str) -> None:
        clock = self._clock
        call = read(request.body, request_id, clock.monotonic(), request.principal.id or request.peer)
        fields = request.fields
        limit = request.header(DEADLINE) if DEADLINE in fields else None
        if limit is not None:
            call = msgspec.structs.replace(call, deadline=call.received + _seconds(limit))
        if CONTROL in fields or OWN in fields:
            call = wished(call, request)
        live = self._running.live
        live[request_id] = sink = OpenAISink(exchange, call, clock.wall)
        try:
            if call.repeatable or call.cache is not None:
                result = await self._recall(call, sink)
            else:
                result = await self._ask(call, sink)
        except OrchestraError as error:
            if not exchange.started:
                raise
            sink.fail(error, 0)
            return
        finally:
            del live[request_id]
        outcome = result.outcome
        if outcome.verdict is _SUCCESS:
            sink.finish(outcome)
        else:
            sink.fail(failure(outcome), len(result.tried))

    async def models(self, _request: Request, exchange: Exchange, request_id: str) -> None:
        exchange.send(200, render_models(self._names()), [("x-request-id", request_id)])

    async def model(self, _request: Request, exchange: Exchange, request_id: str, name: str) -> None:
        found = [entry for entry in self._names() if entry[0] == name]
        if not found:
            raise NotFound(
                f"model {name[:128]!r} is not served by any backend", param="model", code="model_not_found"
            )
        body = render_models(found)
        exchange.send(200, body[body.index(b"[") + 1 : body.rindex(b"]")], [("x-request-id", request_id)])

    def _names(self) -> list[tuple[str, int]]:
        """`auto` first, then every model, with the engine's start as creation time."""
        snapshot = self._ports.snapshot()
        at = int(self._ports.clock.wall() - snapshot.uptime)
        return [("auto", at), *((name, at) for name in sorted({view.model for view in snapshot.models}))]
