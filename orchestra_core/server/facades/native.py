"""The native surface's two inference calls: `/api/v1/route` and `/api/v1/select-model`."""

from collections.abc import Callable, Sequence

import msgspec

from orchestra_core.clock import rfc3339
from orchestra_core.domain.call import Call
from orchestra_core.domain.errors import OrchestraError
from orchestra_core.domain.outcome import Partial
from orchestra_core.domain.reply import Delta, Embeddings
from orchestra_core.domain.result import Result
from orchestra_core.domain.sink import Serving
from orchestra_core.routing.explain import explain, sentence
from orchestra_core.server.answers import keep_alive, send_error, served_by
from orchestra_core.server.exchange import Exchange, Request
from orchestra_core.server.failures import failure
from orchestra_core.server.ports import Ports
from orchestra_core.server.wishes import CONTROL, OWN, PROGRESS, watched, wished
from orchestra_core.wire.native import Answer, event, metrics_of, read_route, read_selection
from orchestra_core.wire.openai.answers import render_error


class NativeSink:
    """Text only: increments become `token` events, the whole becomes `response`."""

    relays = ""
    __slots__ = ("_so_far", "_text", "call", "committed", "exchange", "serving", "streaming")

    def __init__(self, exchange: Exchange, call: Call) -> None:
        self.exchange = exchange
        self.call = call
        self.serving: Serving | None = None
        self._so_far: Partial | None = None
        self._text: list[str] = []
        self.streaming = call.stream
        self.committed = False

    def alive(self, note: str) -> None:
        if self.streaming:
            keep_alive(self.exchange, self.call.id, note)

    def resume(self, serving: Serving, so_far: Partial) -> None:
        self.serving, self._so_far = serving, so_far
        went_on = {"model": serving.model, "backend": serving.backend, "attempt": serving.attempt}
        self.exchange.write(event("continued", went_on))

    def open(self, serving: Serving) -> None:
        self.committed = True
        self.serving = serving
        if self.streaming:
            if not self.exchange.started:
                self.exchange.start(200, served_by(self.call.id, serving))
            started = {
                "request_id": self.call.id,
                "model": serving.model,
                "backend": serving.backend,
                "decision_id": serving.decision_id,
                "reasoning": serving.reason if serving.decision is None else sentence(serving.decision),
            }
            self.exchange.write(event("start", started))

    def relay(self, data: bytes) -> None:
        raise AssertionError(f"nothing is relayed to the native surface: {data[:80]!r}")

    def deltas(self, deltas: Sequence[Delta]) -> None:
        text = "".join(delta.text for delta in deltas)
        self._text.append(text)
        if self.streaming and text:
            self.exchange.write(event("token", {"text": text}))

    def embeddings(self, embeddings: Embeddings) -> None:
        raise AssertionError(f"the native surface refuses embeddings, got {len(embeddings.vectors)}")

    def bind_flow(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self.exchange.bind_flow(pause, resume)

    def finish(self, answer: Callable[[str, Serving, Partial | None], Answer]) -> None:
        assert self.serving is not None
        body = answer("".join(self._text), self.serving, self._so_far)
        if self.streaming:
            self.exchange.finish(event("done", body))
        else:
            self.exchange.send(200, msgspec.json.encode(body), served_by(self.call.id, self.serving))

    def fail(self, error: OrchestraError, attempts: int) -> None:
        if self.exchange.started:
            self.exchange.finish(b"event: error\ndata: " + render_error(error, self.call.id) + b"\n\n")
        else:
            send_error(self.exchange, error, self.call.id, attempts)


class NativeFacade:
    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def route(self, request: Request, exchange: Exchange, request_id: str) -> None:
        """POST /api/v1/route."""
        key = request.principal.id or request.peer
        call = read_route(request.body, request_id, self._ports.clock.monotonic(), key)
        if CONTROL in request.fields or OWN in request.fields:
            call = wished(call, request)
        if PROGRESS in request.fields:
            call = watched(call)
        live = self._ports.running.live
        live[request_id] = sink = NativeSink(exchange, call)
        try:
            if call.repeatable or call.cache is not None:
                result = await self._ports.recall(call, sink)
            else:
                result = await self._ports.answer(call, sink)
        except OrchestraError as error:
            if not exchange.started:
                raise
            sink.fail(error, 0)
            return
        finally:
            del live[request_id]
        if result.outcome.ok:
            sink.finish(lambda text, serving, so_far: self._body(text, serving, so_far, result))
        else:
            sink.fail(failure(result.outcome), len(result.tried))

    def _body(self, text: str, serving: Serving, so_far: Partial | None, result: Result) -> Answer:
        outcome = result.outcome
        if so_far is not None:
            outcome = msgspec.structs.replace(outcome, usage=so_far.with_rest(outcome.usage))
        metrics = metrics_of(
            outcome,
            seconds=result.seconds,
            cost=result.cost,
            attempts=len(result.tried),
            cache=result.cache,
            age=result.age,
            saved=result.saved,
        )
        # What was given again was not decided about.
        why = sentence(result.decision) if result.tried else ""
        return Answer(
            response=text,
            model_used=serving.model,
            backend=serving.backend,
            task=result.decision.task.value,
            finish_reason=result.outcome.finish,
            metrics=metrics,
            timestamp=rfc3339(self._ports.clock.wall()),
            request_id=result.call.id,
            decision_id=result.decision.id,
            reasoning=f"{why} {serving.reason}".strip(),
            degraded=serving.degraded,
            continued=so_far is not None,
        )

    async def select(self, request: Request, exchange: Exchange, request_id: str) -> None:
        """POST /api/v1/select-model: the decision, without sending anything."""
        call = read_selection(request.body, request_id, self._ports.clock.monotonic())
        decision = self._ports.plan(call)
        best = decision.ranked[0]
        alternatives = list(dict.fromkeys(c.model for c in decision.ranked[1:] if c.model != best.model))
        body = {
            "selected_model": best.model,
            "endpoint": best.endpoint,
            "backend": best.backend,
            "task": decision.task.value,
            "reasoning": sentence(decision),
            "alternatives": alternatives,
            "timestamp": rfc3339(self._ports.clock.wall()),
            "decision_id": decision.id,
            "degraded": decision.degraded,
            "explanation": explain(decision),
        }
        exchange.send(200, msgspec.json.encode(body), [("x-request-id", request_id)])
