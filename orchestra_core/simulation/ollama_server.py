"""The Ollama surface of a simulated backend.

Shapes and status codes as Ollama's `server/routes.go` and `api/types.go` have them; durations are
nanoseconds of real time, so that they agree with what the client measures whatever the time scale.
"""

from collections.abc import Mapping

import msgspec

from orchestra_core.clock import Clock, rfc3339
from orchestra_core.server.exchange import Exchange, Request
from orchestra_core.simulation import ollama_catalog as catalog
from orchestra_core.simulation.dialogue import Asked, ask_chat, ask_text, message_tokens
from orchestra_core.simulation.driver import Denied, Driver
from orchestra_core.simulation.ollama_bodies import (
    Body,
    EmbedBody,
    Options,
    Part,
    ShowBody,
    chat_part,
    generate_part,
    require,
)
from orchestra_core.simulation.reading import BadBody, keep_alive_seconds, read
from orchestra_core.simulation.spec import BackendSpec, ModelSpec
from orchestra_core.simulation.surface import BREAKS_OFF, Identities, Route, View, break_off, send_json
from orchestra_core.simulation.text import count_tokens, span, token, vector
from orchestra_core.simulation.trace import Denial, Done, Failed, Tokens, Why
from orchestra_core.simulation.trace import Request as Work

_STATUS = {
    Why.UNKNOWN_MODEL: 404,
    Why.UNSUPPORTED: 400,
    Why.QUEUE_FULL: 503,
    Why.CONTEXT: 400,
    Why.LOADING: 503,
    Why.UNAVAILABLE: 503,
    Why.NOT_LOADED: 404,
}
_encode = msgspec.json.encode


class OllamaSurface:
    """`/api/*` of one simulated backend."""

    def __init__(self, spec: BackendSpec, driver: Driver, clock: Clock) -> None:
        self._spec = spec
        self._driver = driver
        self._clock = clock
        self._identities = Identities(spec.name, driver)

    @property
    def views(self) -> Mapping[str, View]:
        return {
            "/": self._root,
            "/api/version": self._version,
            "/api/tags": self._tags,
            "/api/ps": self._ps,
        }

    @property
    def routes(self) -> Mapping[str, Route]:
        return {
            "/api/show": self._guarded(self._show),
            "/api/chat": self._guarded(self._chat),
            "/api/generate": self._guarded(self._generate),
            "/api/embed": self._guarded(self._embed),
            "/api/embeddings": self._guarded(self._embeddings),
        }

    def unknown(self, exchange: Exchange) -> None:
        exchange.send(404, b"404 page not found", (), "text/plain")

    @staticmethod
    def _guarded(route: Route) -> Route:
        """Turns what a route raises into Ollama's error shape."""

        async def guarded(request: Request, exchange: Exchange) -> None:
            try:
                await route(request, exchange)
            except BadBody as error:
                send_json(exchange, 400, {"error": str(error)})
            except Denied as error:
                _refuse(exchange, error.denial)

        return guarded

    # -- what there is ---------------------------------------------------------------------------------

    def _root(self, exchange: Exchange) -> None:
        exchange.send(200, b"Ollama is running (simulated)", (), "text/plain; charset=utf-8")

    def _version(self, exchange: Exchange) -> None:
        send_json(exchange, 200, {"version": catalog.VERSION})

    def _tags(self, exchange: Exchange) -> None:
        send_json(exchange, 200, {"models": [catalog.tag(model) for model in self._spec.models]})

    def _ps(self, exchange: Exchange) -> None:
        driver, wall = self._driver, self._clock.wall()
        shown = [
            catalog.loaded(model, driver.now, driver.time_scale, wall)
            for model in driver.model.memory.models.values()
            if model.occupies
        ]
        send_json(exchange, 200, {"models": shown})

    async def _show(self, request: Request, exchange: Exchange) -> None:
        body = read(request.body, ShowBody)
        send_json(exchange, 200, catalog.show(self._find(body.model or body.name)))

    def _find(self, name: str) -> ModelSpec:
        """The model of that name, with Ollama's implied `:latest`; raises BadBody or Denied."""
        if not name:
            raise BadBody("model is required")
        model = self._spec.model(name) or self._spec.model(name.removesuffix(":latest"))
        if model is None:
            raise Denied(Denial(Why.UNKNOWN_MODEL, f"model '{name}' not found"))
        return model

    # -- answers ---------------------------------------------------------------------------------------

    async def _chat(self, request: Request, exchange: Exchange) -> None:
        body = read(request.body, Body)
        model = self._find(body.model)
        if not body.messages:
            await self._load_or_unload(body, model, exchange, chat_part)
            return
        require(model, "chat", body)
        await self._answer(request, exchange, body, model, ask_chat(model.name, body.messages), chat_part)

    async def _generate(self, request: Request, exchange: Exchange) -> None:
        body = read(request.body, Body)
        model = self._find(body.model)
        if not body.prompt:
            await self._load_or_unload(body, model, exchange, generate_part)
            return
        require(model, "generate", body)
        text = body.system + body.prompt
        tokens = message_tokens([{"content": text, "images": body.images or []}])
        await self._answer(request, exchange, body, model, ask_text(model.name, text, tokens), generate_part)

    async def _load_or_unload(self, body: Body, model: ModelSpec, exchange: Exchange, part: Part) -> None:
        keep_alive = keep_alive_seconds(body.keep_alive)
        if keep_alive == 0:
            self._driver.unload(model.name)
        else:
            await self._sized(model, body.options)
            await self._driver.load(model.name, keep_alive)
        reason = "unload" if keep_alive == 0 else "load"
        send_json(exchange, 200, {**self._stamp(model), **part(""), "done": True, "done_reason": reason})

    async def _sized(self, model: ModelSpec, options: Options | None) -> int:
        """The context the model is loaded with for this call, loading it anew if that is another one."""
        named = options.num_ctx if options else None
        context = min(named or model.context, model.context)
        await self._driver.size(model.name, context)
        return context

    async def _answer(
        self, request: Request, exchange: Exchange, body: Body, model: ModelSpec, asked: Asked, part: Part
    ) -> None:
        stream = body.stream is not False
        cap = body.options.num_predict if body.options else None
        context = await self._sized(model, body.options)
        work = Work(
            id=self._identities.of(request),
            model=model.name,
            # Ollama cuts a prompt that is too long instead of refusing it.
            prompt_tokens=min(asked.tokens, context - 1),
            max_tokens=None if cap is None or cap < 0 else cap,
            stream=stream,
            keep_alive=keep_alive_seconds(body.keep_alive),
            content=asked.content,
            position=asked.position,
        )

        def on_tokens(event: Tokens) -> None:
            if not exchange.started:
                exchange.start(200, (), "application/x-ndjson")
            at, stamp = asked.position + event.first, self._stamp(model)
            # A line for every token even where several came at once, as Ollama does: clients count lines.
            texts = [token(asked.content, at + one) for one in range(event.count)]
            exchange.write(b"".join([_line({**stamp, **part(text), "done": False}) for text in texts]))

        end = await self._driver.run(work, on_tokens if stream else None)
        if isinstance(end, Failed):
            _fail(exchange, end)
            return
        text = "" if stream else span(asked.content, asked.position, end.output_tokens)
        final = {**self._stamp(model), **part(text), "done": True, **self._summary(end)}
        if exchange.started:
            exchange.finish(_line(final))
        else:
            send_json(exchange, 200, final)

    def _stamp(self, model: ModelSpec) -> dict[str, object]:
        return {"model": model.name, "created_at": rfc3339(self._clock.wall())}

    def _summary(self, end: Done) -> dict[str, object]:
        times = end.timings
        return {
            "done_reason": end.finish,
            "total_duration": self._nanoseconds(times.finished - times.submitted),
            "load_duration": self._nanoseconds(times.loaded - times.submitted),
            "prompt_eval_count": end.prompt_tokens,
            "prompt_eval_duration": self._nanoseconds(times.prefilled - times.started),
            "eval_count": end.output_tokens,
            "eval_duration": self._nanoseconds(times.finished - times.prefilled),
        }

    def _nanoseconds(self, seconds: float) -> int:
        return round(seconds / self._driver.time_scale * 1e9)

    # -- embeddings ------------------------------------------------------------------------------------

    async def _embed(self, request: Request, exchange: Exchange) -> None:
        body = read(request.body, EmbedBody)
        model = self._find(body.model)
        inputs = [body.input] if isinstance(body.input, str) else body.input
        end = await self._embedded(request, exchange, body, model, inputs)
        if end is not None:
            vectors = [vector(text, model.embedding_length) for text in inputs]
            summary = self._summary(end)
            measured = {
                name: summary[name] for name in ("total_duration", "load_duration", "prompt_eval_count")
            }
            send_json(exchange, 200, {"model": model.name, "embeddings": vectors, **measured})

    async def _embeddings(self, request: Request, exchange: Exchange) -> None:
        body = read(request.body, EmbedBody)
        model = self._find(body.model)
        if await self._embedded(request, exchange, body, model, [body.prompt]) is not None:
            send_json(exchange, 200, {"embedding": vector(body.prompt, model.embedding_length)})

    async def _embedded(
        self, request: Request, exchange: Exchange, body: EmbedBody, model: ModelSpec, inputs: list[str]
    ) -> Done | None:
        """Runs the embedding; None if it failed and was answered so."""
        context = await self._sized(model, body.options)
        work = Work(
            id=self._identities.of(request),
            model=model.name,
            prompt_tokens=min(sum(map(count_tokens, inputs)), context - 1),
            embedding=True,
            keep_alive=keep_alive_seconds(body.keep_alive),
        )
        end = await self._driver.run(work)
        if isinstance(end, Failed):
            _fail(exchange, end)
            return None
        return end


def _line(payload: dict[str, object]) -> bytes:
    return _encode(payload) + b"\n"


def _refuse(exchange: Exchange, denial: Denial) -> None:
    if denial.why in BREAKS_OFF:
        break_off(exchange, denial.why)
    else:
        send_json(exchange, _STATUS.get(denial.why, 500), {"error": denial.message})


def _fail(exchange: Exchange, end: Failed) -> None:
    """A request lost after it was taken: an error line once a stream began, as Ollama sends it."""
    if end.why in BREAKS_OFF:
        break_off(exchange, end.why)
    elif exchange.started:
        exchange.finish(_line({"error": end.message}))
    else:
        send_json(exchange, _STATUS.get(end.why, 500), {"error": end.message})
