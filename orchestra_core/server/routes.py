"""Which path is answered by what, for whom; paths are compared raw and exactly, only names in them are decoded."""

import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final
from urllib.parse import unquote

from orchestra_core.domain.errors import MethodNotAllowed, NotFound, OrchestraError, UnsupportedMedia
from orchestra_core.domain.principal import Scope
from orchestra_core.server.answers import require_json, send_error
from orchestra_core.server.exchange import Exchange, Request
from orchestra_core.server.facades.alerts import AlertsFacade
from orchestra_core.server.facades.audit import AuditFacade
from orchestra_core.server.facades.budgets import BudgetsFacade
from orchestra_core.server.facades.drills import DrillsFacade
from orchestra_core.server.facades.keys import KeysFacade
from orchestra_core.server.facades.native import NativeFacade
from orchestra_core.server.facades.openai import OpenAIFacade
from orchestra_core.server.facades.operations import Operations
from orchestra_core.server.facades.recording import RecordingFacade
from orchestra_core.server.facades.reports import ReportsFacade
from orchestra_core.server.facades.series import SeriesFacade
from orchestra_core.server.facades.steering import Steering
from orchestra_core.server.gate import Gate
from orchestra_core.server.ports import Ports

_USE: Final = Scope.USE
Answer = Callable[[Request, Exchange, str], Awaitable[None]]
# What is answered, and the scope it needs; None: everybody may see it.
Entry = tuple[Answer, Scope | None]
NamedAnswer = Callable[..., Awaitable[None]]
# What a client may call its own request; anything else is not repeated to it.
_CLIENT_ID: Final = re.compile(rb"[\w.:-]{1,128}")
_NAME: Final = re.compile(r"^[\w.:/@+ -]{1,256}\Z")
# What is still answered while the engine lets running requests finish.
_WHILE_STOPPING: Final = frozenset(
    {
        "/api/v1/health",
        "/api/health",
        "/health",
        "/livez",
        "/readyz",
        "/metrics",
        "/api/v1/metrics",
        "/api/v1/snapshot",
        "/api/v1/events",
        "/api/v1/shutdown",
    }
)
_WORK: Final = frozenset({"/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/api/v1/route"})
_LATER: Final = {
    "/v1/responses": "the Responses API",
    "/v1/messages": "the Anthropic surface",
    "/api/chat": "the Ollama surface",
    "/api/generate": "the Ollama surface",
    "/api/tags": "the Ollama surface",
}


class Routes:
    """The handler of every connection. `audit` is told of every request to operate or administrate, and its end."""

    def __init__(
        self, ports: Ports, gate: Gate, audit: Callable[[Request, Exchange, Scope], None] | None = None
    ) -> None:
        self.next_id = ports.next_id
        self._refusing = ports.refusing
        self._gate = gate
        self._audit = audit
        native, openai, operations = NativeFacade(ports), OpenAIFacade(ports), Operations(ports)
        keys, steering, alerts = KeysFacade(ports), Steering(ports), AlertsFacade(ports)
        reports, drills, budgets = ReportsFacade(ports), DrillsFacade(ports), BudgetsFacade(ports)
        use, operate, admin = Scope.USE, Scope.OPERATE, Scope.ADMIN
        self._exact: dict[str, dict[str, Entry]] = {
            "/v1/chat/completions": {"POST": (openai.chat, use)},
            "/v1/completions": {"POST": (openai.completion, use)},
            "/v1/embeddings": {"POST": (openai.embedding, use)},
            "/v1/models": {"GET": (openai.models, use)},
            "/api/v1/route": {"POST": (native.route, use)},
            "/api/v1/select-model": {"POST": (native.select, use)},
            "/api/v1/health": {"GET": (operations.health, None)},
            "/api/health": {"GET": (operations.health, None)},
            "/health": {"GET": (operations.health, None)},
            "/livez": {"GET": (operations.live, None)},
            "/readyz": {"GET": (operations.ready, None)},
            "/api/v1/models": {"GET": (operations.models, use)},
            "/api/v1/metrics": {"GET": (operations.metrics, use)},
            "/metrics": {"GET": (operations.prometheus, use)},
            "/api/v1/snapshot": {"GET": (operations.snapshot, use)},
            "/api/v1/events": {"GET": (operations.events, use)},
            "/api/v1/budgets": {"GET": (budgets.list, use)},
            "/api/v1/usage": {"GET": (reports.usage, use)},
            "/api/v1/series": {"GET": (SeriesFacade(ports).series, use)},
            "/api/v1/requests": {"GET": (reports.requests, use)},
            "/api/v1/keys": {"GET": (keys.list, admin), "POST": (keys.create, admin)},
            "/api/v1/alerts": {"GET": (alerts.list, use)},
            "/api/v1/recording": {"GET": (RecordingFacade(ports).stream, operate)},
            "/api/v1/drills": {"GET": (drills.list, use), "POST": (drills.start, operate)},
            "/api/v1/audit": {"GET": (AuditFacade(ports).list, admin)},
            "/api/v1/shutdown": {"POST": (operations.shutdown, admin)},
            "/api/v1/cache/clear": {"POST": (steering.clear_cache, operate)},
            "/api/v1/reload": {"POST": (steering.reload, admin)},
            "/api/v1/intake/pause": {"POST": (steering.pause_intake, operate)},
            "/api/v1/intake/resume": {"POST": (steering.resume_intake, operate)},
        }
        self._named = _named(openai, operations, steering, alerts, reports, drills, keys, budgets)

    @property
    def paths(self) -> list[tuple[str, str]]:
        """Every method and path, for the documentation and its test."""
        exact = [(method, path) for path, methods in self._exact.items() for method in methods]
        named = [
            (method, pattern.pattern.strip("^$").replace("(.+)", "{name}"))
            for pattern, method, _, _ in self._named
        ]
        return exact + named

    async def __call__(self, request: Request, exchange: Exchange) -> None:
        fields = request.fields
        # Always ours: it is the identity of the ledger's row, which no client may take or repeat.
        request_id = request.id = self.next_id()
        if b"x-request-id" in fields:
            _echo(request)
        scope = None
        try:
            refusal = self._refusing()
            if refusal is not None and _turns_away(refusal, request.path):
                exchange.keep_alive = refusal.code == "intake_paused" and exchange.keep_alive
                raise refusal
            methods = self._exact.get(request.path)
            found = methods.get(request.method) if methods is not None else None
            if found is None:
                found = self._find(request, methods)
            answer, scope = found
            if scope is None:
                request.principal = self._gate.welcome(request)
            else:
                request.principal = self._gate.admit(request, scope)
                if scope is not _USE:
                    self._gate.let_change(request)
            if request.extra:
                exchange.extra = request.extra
            if (
                request.body
                and fields.get(b"content-type") != b"application/json"
                and not require_json(request.header(b"content-type"))
            ):
                raise UnsupportedMedia("send the body as content-type: application/json")
            await answer(request, exchange, request_id)
        except OrchestraError as error:
            exchange.extra = request.extra
            send_error(exchange, error, request_id)
        finally:
            if self._audit is not None and scope is not None and scope is not _USE:
                self._audit(request, exchange, scope)

    def invites(self, request: Request) -> bool:
        """Whether the body of a request may come, as its head says: where not, it is refused without one."""
        refusal = self._refusing()
        if refusal is not None and _turns_away(refusal, request.path):
            return False
        try:
            methods = self._exact.get(request.path)
            found = methods.get(request.method) if methods is not None else None
            _, scope = found or self._find(request, methods)
            if scope is None:
                self._gate.welcome(request)
        except OrchestraError:
            return False
        return scope is None or self._gate.foresees(request, scope)

    def _find(self, request: Request, methods: dict[str, Entry] | None) -> Entry:
        """What answers a request that is not simply in the table; raises what it is answered with instead."""
        preflight = self._gate.preflight(request)
        if preflight is not None:
            return partial(_allow, lines=preflight), None
        # Nobody learns what there is by a page that may not ask.
        self._gate.welcome(request)
        if methods is None:
            return self._by_name(request)
        found = methods.get("GET") if request.method == "HEAD" else None
        if found is None:
            raise _wrong_method(request, tuple(methods))
        return found

    def _by_name(self, request: Request) -> Entry:
        for pattern, method, answer, scope in self._named:
            match = pattern.match(request.path)
            if match is None:
                continue
            name = unquote(match[1])
            if not _NAME.match(name):
                raise NotFound("that is not a name", param="name")
            if request.method != method and (request.method, method) != ("HEAD", "GET"):
                raise _wrong_method(request, (method,))
            return partial(answer, name=name), scope
        later = _LATER.get(request.path)
        hint = (
            f"{later} is not in this version; use /v1 or /api/v1"
            if later
            else "see the README for what there is"
        )
        raise NotFound(f"there is nothing at {request.path[:128]}: {hint}")


def _named(
    openai: OpenAIFacade,
    operations: Operations,
    steering: Steering,
    alerts: AlertsFacade,
    reports: ReportsFacade,
    drills: DrillsFacade,
    keys: KeysFacade,
    budgets: BudgetsFacade,
) -> list[tuple[re.Pattern[str], str, NamedAnswer, Scope]]:
    """The paths with a name in them, the longer ones first."""
    use, operate, admin = Scope.USE, Scope.OPERATE, Scope.ADMIN
    return [
        (re.compile(r"^/v1/models/(.+)$"), "GET", openai.model, use),
        (re.compile(r"^/api/v1/models/(.+)/load$"), "POST", operations.load, operate),
        (re.compile(r"^/api/v1/models/(.+)/unload$"), "POST", operations.unload, operate),
        (re.compile(r"^/api/v1/backends/(.+)/drain$"), "POST", steering.drain, operate),
        (re.compile(r"^/api/v1/backends/(.+)/resume$"), "POST", steering.resume, operate),
        (re.compile(r"^/api/v1/breakers/(.+)/trip$"), "POST", steering.trip, operate),
        (re.compile(r"^/api/v1/breakers/(.+)/reset$"), "POST", steering.reset, operate),
        (re.compile(r"^/api/v1/breakers/(.+)/probe$"), "POST", steering.probe, operate),
        (re.compile(r"^/api/v1/backends/(.+)/restart$"), "POST", steering.restart, operate),
        (re.compile(r"^/api/v1/alerts/(.+)/ack$"), "POST", alerts.acknowledge, operate),
        (re.compile(r"^/api/v1/alerts/(.+)/silence$"), "POST", alerts.silence, operate),
        (re.compile(r"^/api/v1/alerts/(.+)/unsilence$"), "POST", alerts.unsilence, operate),
        (re.compile(r"^/api/v1/requests/(.+)/cancel$"), "POST", steering.cancel, operate),
        (re.compile(r"^/api/v1/budgets/(.+)/reset$"), "POST", budgets.reset, operate),
        (re.compile(r"^/api/v1/budgets/(.+)$"), "POST", budgets.set, operate),
        (re.compile(r"^/api/v1/drills/(.+)/stop$"), "POST", drills.stop, operate),
        (re.compile(r"^/api/v1/requests/(.+)$"), "GET", reports.request, use),
        (re.compile(r"^/api/v1/keys/(.+)$"), "DELETE", keys.revoke, admin),
    ]


def _turns_away(refusal: OrchestraError, path: str) -> bool:
    """Whether a request gets the refusal: a paused intake stops only new work, an engine that stops nearly all."""
    return path in _WORK if refusal.code == "intake_paused" else path not in _WHILE_STOPPING


def _echo(request: Request) -> None:
    """The client finds its own id in the answer, beside ours."""
    given = request.fields[b"x-request-id"]
    if _CLIENT_ID.fullmatch(given):
        request.echo = request.extra = f"x-client-request-id: {given.decode('ascii')}\r\n"


async def _allow(_request: Request, exchange: Exchange, request_id: str, lines: str) -> None:
    exchange.extra = lines
    exchange.send(200, b"", [("x-request-id", request_id)])


def _wrong_method(request: Request, methods: tuple[str, ...]) -> MethodNotAllowed:
    allow = (*methods, "HEAD") if "GET" in methods else methods
    return MethodNotAllowed(f"{request.path} answers {' and '.join(methods)}, not {request.method}", allow)
