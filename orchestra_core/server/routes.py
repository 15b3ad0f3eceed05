"""Which path is answered by what; paths are compared raw and exactly, only model names are decoded."""

import re
from collections.abc import Awaitable, Callable
from urllib.parse import unquote

from orchestra_core.domain.errors import MethodNotAllowed, NotFound, OrchestraError, UnsupportedMedia
from orchestra_core.server.answers import require_json, send_error
from orchestra_core.server.exchange import Exchange, Request
from orchestra_core.server.facades.native import NativeFacade
from orchestra_core.server.facades.openai import OpenAIFacade
from orchestra_core.server.facades.operations import Operations
from orchestra_core.server.ports import Ports

Answer = Callable[[Request, Exchange, str], Awaitable[None]]
NamedAnswer = Callable[[Request, Exchange, str, str], Awaitable[None]]
_REQUEST_ID = re.compile(r"^[\w.:-]{1,128}$", re.ASCII)
_MODEL = re.compile(r"^[\w.:/@+ -]{1,256}$")
_LATER = {
    "/v1/responses": "the Responses API",
    "/v1/messages": "the Anthropic surface",
    "/api/chat": "the Ollama surface",
    "/api/generate": "the Ollama surface",
    "/api/tags": "the Ollama surface",
}


class Routes:
    """The handler of every connection."""

    def __init__(self, ports: Ports) -> None:
        self.next_id = ports.next_id
        native, openai, operations = NativeFacade(ports), OpenAIFacade(ports), Operations(ports)
        self._exact: dict[str, dict[str, Answer]] = {
            "/v1/chat/completions": {"POST": openai.chat},
            "/v1/completions": {"POST": openai.completion},
            "/v1/embeddings": {"POST": openai.embedding},
            "/v1/models": {"GET": openai.models},
            "/api/v1/route": {"POST": native.route},
            "/api/v1/select-model": {"POST": native.select},
            "/api/v1/health": {"GET": operations.health},
            "/api/health": {"GET": operations.health},
            "/health": {"GET": operations.health},
            "/livez": {"GET": operations.live},
            "/readyz": {"GET": operations.ready},
            "/api/v1/models": {"GET": operations.models},
            "/api/v1/metrics": {"GET": operations.metrics},
            "/metrics": {"GET": operations.prometheus},
            "/api/v1/snapshot": {"GET": operations.snapshot},
            "/api/v1/events": {"GET": operations.events},
            "/api/v1/shutdown": {"POST": operations.shutdown},
        }
        self._named: list[tuple[re.Pattern[str], str, NamedAnswer]] = [
            (re.compile(r"^/v1/models/(.+)$"), "GET", openai.model),
            (re.compile(r"^/api/v1/models/(.+)/load$"), "POST", operations.load),
            (re.compile(r"^/api/v1/models/(.+)/unload$"), "POST", operations.unload),
        ]

    @property
    def paths(self) -> list[tuple[str, str]]:
        """Every method and path, for the documentation and its test."""
        exact = [(method, path) for path, methods in self._exact.items() for method in methods]
        named = [
            (method, pattern.pattern.strip("^$").replace("(.+)", "{name}"))
            for pattern, method, _ in self._named
        ]
        return exact + named

    async def __call__(self, request: Request, exchange: Exchange) -> None:
        given = request.header(b"x-request-id")
        request_id = given if given is not None and _REQUEST_ID.match(given) else self.next_id()
        try:
            methods = self._exact.get(request.path)
            if methods is None:
                await self._by_name(request, exchange, request_id)
                return
            answer = methods.get(request.method) or methods.get("GET" if request.method == "HEAD" else "")
            if answer is None:
                raise _wrong_method(request, tuple(methods))
            if request.body and not require_json(request.header(b"content-type")):
                raise UnsupportedMedia("send the body as content-type: application/json")
            await answer(request, exchange, request_id)
        except OrchestraError as error:
            send_error(exchange, error, request_id)

    async def _by_name(self, request: Request, exchange: Exchange, request_id: str) -> None:
        for pattern, method, answer in self._named:
            match = pattern.match(request.path)
            if match is None:
                continue
            name = unquote(match[1])
            if not _MODEL.match(name):
                raise NotFound("that is not a model name", param="name")
            if request.method != method and (request.method, method) != ("HEAD", "GET"):
                raise _wrong_method(request, (method,))
            if request.body and not require_json(request.header(b"content-type")):
                raise UnsupportedMedia("send the body as content-type: application/json")
            await answer(request, exchange, request_id, name)
            return
        later = _LATER.get(request.path)
        hint = (
            f"{later} is not in this version; use /v1 or /api/v1"
            if later
            else "see the README for what there is"
        )
        raise NotFound(f"there is nothing at {request.path[:128]}: {hint}")


def _wrong_method(request: Request, methods: tuple[str, ...]) -> MethodNotAllowed:
    allow = (*methods, "HEAD") if "GET" in methods else methods
    return MethodNotAllowed(f"{request.path} answers {' and '.join(methods)}, not {request.method}", allow)
