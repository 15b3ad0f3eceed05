"""The OpenAI surface of a simulated backend, as vLLM, llama-server or a cloud serves it.

One prompt a request and one choice an answer; sampling fields, stop sequences and response formats are
accepted and change nothing, as the words mean nothing anyway.
"""

from base64 import b64encode
from collections.abc import Mapping
from struct import pack

import msgspec

from orchestra_core.clock import Clock
from orchestra_core.domain.catalog import BackendKind
from orchestra_core.server.exchange import Exchange, Request
from orchestra_core.simulation import openai_dialects as dialects
from orchestra_core.simulation.dialogue import Asked, ask_chat, ask_text
from orchestra_core.simulation.driver import Denied, Driver
from orchestra_core.simulation.openai_answers import ChatShape, CompletionShape, Shape
from orchestra_core.simulation.openai_bodies import (
    Body,
    EmbedBody,
    embedding_inputs,
    prompt_text,
    prompt_tokens_of,
)
from orchestra_core.simulation.reading import BadBody, read
from orchestra_core.simulation.spec import BackendSpec, ModelSpec
from orchestra_core.simulation.surface import BREAKS_OFF, Identities, Route, View, break_off, send_json
from orchestra_core.simulation.text import count_tokens, span, token, vector
from orchestra_core.simulation.trace import Denial, Failed, Tokens, Why
from orchestra_core.simulation.trace import Request as Work

_encode = msgspec.json.encode


class OpenAISurface:
    """`/v1/*` of one simulated backend, in the dialect of its kind."""

    def __init__(self, spec: BackendSpec, driver: Driver, clock: Clock) -> None:
        self._spec = spec
        self._driver = driver
        self._clock = clock
        self._identities = Identities(spec.name, driver)

    @property
    def views(self) -> Mapping[str, View]:
        views: dict[str, View] = {"/v1/models": self._models, "/health": self._health}
        if self._spec.kind is BackendKind.VLLM:
            views |= {"/version": self._version, "/metrics": self._metrics}
        if self._spec.kind is BackendKind.LLAMACPP:
            views |= {
                "/v1/health": self._health,
                "/models": self._models,
                "/props": self._props,
                "/slots": self._slots,
            }
        return views

    @property
    def routes(self) -> Mapping[str, Route]:
        return {
            "/v1/chat/completions": self._guarded(self._chat),
            "/v1/completions": self._guarded(self._completion),
            "/v1/embeddings": self._guarded(self._embeddings),
        }

    def unknown(self, exchange: Exchange) -> None:
        send_json(exchange, 404, dialects.error(self._spec.kind, 404, "Not Found"))

    def _guarded(self, route: Route) -> Route:
        """Turns what a route raises into the dialect's error shape."""

        async def guarded(request: Request, exchange: Exchange) -> None:
            try:
                await route(request, exchange)
            except BadBody as error:
                send_json(exchange, 400, dialects.error(self._spec.kind, 400, str(error)))
            except Denied as error:
                self._refuse(exchange, error.denial)

        return guarded

    # -- what there is ---------------------------------------------------------------------------------

    def _models(self, exchange: Exchange) -> None:
        if self._loading and self._spec.kind is BackendKind.LLAMACPP:
            self._refuse(exchange, Denial(Why.LOADING, "Loading model"))
        else:
            send_json(exchange, 200, dialects.models(self._spec))

    def _health(self, exchange: Exchange) -> None:
        if self._loading:
            self._refuse(exchange, Denial(Why.LOADING, "Loading model"))
        elif self._spec.kind is BackendKind.LLAMACPP:
            send_json(exchange, 200, {"status": "ok"})
        else:
            exchange.send(200, b"", (), "text/plain")

    @property
    def _loading(self) -> bool:
        return not all(
            self._driver.model.is_ready(model.name) for model in self._spec.models if model.resident
        )

    def _version(self, exchange: Exchange) -> None:
        send_json(exchange, 200, dialects.version())

    def _metrics(self, exchange: Exchange) -> None:
        model = self._driver.model
        exchange.send(200, dialects.metrics(self._spec, model.running, model.waiting), (), "text/plain")

    def _props(self, exchange: Exchange) -> None:
        send_json(exchange, 200, dialects.props(self._spec))

    def _slots(self, exchange: Exchange) -> None:
        send_json(exchange, 200, dialects.slots(self._spec, self._driver.model.running))

    def _find(self, name: str | None) -> ModelSpec:
        if self._spec.kind is BackendKind.LLAMACPP:
            # A single-model llama-server answers whatever model is named.
            return self._spec.models[0]
        if not name:
            raise BadBody("you must provide a model parameter")
        model = self._spec.model(name)
        if model is None:
            raise Denied(Denial(Why.UNKNOWN_MODEL, f"The model `{name}` does not exist."))
        return model

    # -- answers ---------------------------------------------------------------------------------------

    async def _chat(self, request: Request, exchange: Exchange) -> None:
        body = read(request.body, Body)
        if not body.messages:
            raise BadBody("messages: at least one message is required")
        model = self._find(body.model)
        await self._answer(request, exchange, body, model, ask_chat(model.name, body.messages), ChatShape)

    async def _completion(self, request: Request, exchange: Exchange) -> None:
        body = read(request.body, Body)
        if body.prompt is None:
            raise BadBody("prompt: field required")
        model = self._find(body.model)
        asked = ask_text(model.name, prompt_text(body.prompt), prompt_tokens_of(body.prompt))
        await self._answer(request, exchange, body, model, asked, CompletionShape)

    async def _answer(
        self,
        request: Request,
        exchange: Exchange,
        body: Body,
        model: ModelSpec,
        asked: Asked,
        shape: type[Shape],
    ) -> None:
        if body.n not in (None, 1):
            raise BadBody("n: a simulated server gives one choice")
        if "completion" not in model.capabilities:
            raise Denied(Denial(Why.UNSUPPORTED, f"The model `{model.name}` does not generate text."))
        id = self._identities.of(request)
        work = Work(
            id=id,
            model=model.name,
            prompt_tokens=asked.tokens,
            max_tokens=body.cap,
            stream=bool(body.stream),
            content=asked.content,
            position=asked.position,
        )
        usage = body.stream_options is not None and body.stream_options.include_usage
        answer = shape(id, model.name, int(self._clock.wall()), usage)

        def on_tokens(event: Tokens) -> None:
            first = b""
            if not exchange.started:
                exchange.start(200)
                first = answer.opening()
            # A chunk for every token even where several came at once, as servers do: clients count chunks.
            at = asked.position + event.first
            chunks = [answer.chunk(token(asked.content, at + one)) for one in range(event.count)]
            exchange.write(first + b"".join(chunks))

        end = await self._driver.run(work, on_tokens if body.stream else None)
        if isinstance(end, Failed):
            self._fail(exchange, end)
        elif body.stream:
            if not exchange.started:
                exchange.start(200)
            exchange.finish(answer.ending(end))
        else:
            text = span(asked.content, asked.position, end.output_tokens)
            send_json(exchange, 200, answer.whole(text, end))

    async def _embeddings(self, request: Request, exchange: Exchange) -> None:
        body = read(request.body, EmbedBody)
        model = self._find(body.model)
        texts = embedding_inputs(body.input)
        tokens = sum(map(count_tokens, texts))
        work = Work(id=self._identities.of(request), model=model.name, prompt_tokens=tokens, embedding=True)
        end = await self._driver.run(work)
        if isinstance(end, Failed):
            self._fail(exchange, end)
            return
        data = [
            {"object": "embedding", "index": index, "embedding": _encoded(text, model, body.encoding_format)}
            for index, text in enumerate(texts)
        ]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        send_json(exchange, 200, {"object": "list", "data": data, "model": model.name, "usage": usage})

    # -- failures --------------------------------------------------------------------------------------

    def _refuse(self, exchange: Exchange, denial: Denial) -> None:
        if denial.why in BREAKS_OFF:
            break_off(exchange, denial.why)
            return
        status = dialects.status_of(self._spec.kind, denial.why)
        headers = (("retry-after", "1"),) if status == 429 else ()
        send_json(
            exchange, status, dialects.error(self._spec.kind, status, denial.message, denial.why), headers
        )

    def _fail(self, exchange: Exchange, end: Failed) -> None:
        """A request lost after it was taken: an error event once a stream began, and then no `[DONE]`."""
        if end.why in BREAKS_OFF or not exchange.started:
            self._refuse(exchange, Denial(end.why, end.message))
        else:
            payload = dialects.error(self._spec.kind, 500, end.message, end.why)
            exchange.finish(b"data: " + _encode(payload) + b"\n\n")


def _encoded(text: str, model: ModelSpec, encoding: str | None) -> list[float] | str:
    values = vector(text, model.embedding_length)
    return b64encode(pack(f"<{len(values)}f", *values)).decode("ascii") if encoding == "base64" else values
