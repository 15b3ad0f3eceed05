"""The native surface's reports: usage, the list of requests, one request and why it went where it went."""

from collections.abc import Mapping
from datetime import datetime

from orchestra_core.accounting.listing import spell
from orchestra_core.accounting.usage import By, UsageQuery
from orchestra_core.clock import rfc3339
from orchestra_core.domain.errors import Forbidden, NotFound
from orchestra_core.domain.principal import Scope
from orchestra_core.server.exchange import Exchange, Request
from orchestra_core.server.ports import Ports, Reports
from orchestra_core.server.questions import read_listing, read_running, read_usage, wants_running
from orchestra_core.server.refusals import given_before
from orchestra_core.server.replies import reply

# The contract's names for what the ledger calls otherwise; "" is no value there.
_NAMES = {"model_served": "model"}
_EMPTY_IS_UNKNOWN = ("model_served", "backend", "tier_asked", "tier_served", "cache", "error", "decision_id")


class ReportsFacade:
    """A key that may only use the engine sees its own requests and nobody else's."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def usage(self, request: Request, exchange: Exchange, request_id: str) -> None:
        """GET /api/v1/usage"""
        reports = self._ports.reports
        arguments, own = self._own(request)
        now = self._now()
        query, limit = read_usage(arguments, now)
        # Advice is about the whole; to whoever asks about a part it would look like advice about that.
        advise = now.date().toordinal() if own is None and not query.where else None
        told = await reports.usage(query, limit, advise=advise)
        reply(exchange, request_id, usage_body(reports, query, self._ports.clock.wall(), told), private=True)

    async def requests(self, request: Request, exchange: Exchange, request_id: str) -> None:
        """GET /api/v1/requests"""
        arguments, own = self._own(request)
        if wants_running(arguments):
            self._list_running(exchange, request_id, arguments, own)
            return
        page = await self._ports.reports.page(read_listing(arguments, self._now()))
        body = {
            "requests": [told(row) for row in page.rows],
            "next": None if page.after is None else spell(page.after),
            "pending": self._ports.reports.pending,
            "currency": self._ports.reports.currency,
            "timestamp": rfc3339(self._ports.clock.wall()),
        }
        reply(exchange, request_id, body, private=True)

    def _list_running(
        self, exchange: Exchange, request_id: str, arguments: Mapping[str, str], own: str | None
    ) -> None:
        """Those that came first first: who looks for what hangs finds it there."""
        key, limit = read_running(arguments)
        views, total = self._ports.running.views(limit, key if own is None else own)
        now = rfc3339(self._ports.clock.wall())
        reply(exchange, request_id, {"requests": views, "total": total, "timestamp": now}, private=True)

    async def request(self, request: Request, exchange: Exchange, request_id: str, name: str) -> None:
        """GET /api/v1/requests/{id}"""
        found = await self._ports.reports.recorded(name)
        row = None if found is None else found["request"]
        scopes = request.principal.scopes
        if found is None or not isinstance(row, dict):
            raise _missing(name, request_id)
        if Scope.OPERATE not in scopes and row["key"] != request.principal.id:
            # As if it were not there: whose requests there are is nobody else's business.
            raise _missing(name, "")
        body = {**found, "request": told(row), "currency": self._ports.reports.currency}
        if Scope.ADMIN not in scopes:
            body |= {"prompt": None, "answer": None}
        reply(exchange, request_id, body, private=True)

    def _own(self, request: Request) -> tuple[Mapping[str, str], str | None]:
        """The arguments, narrowed to the key that asks unless it may operate."""
        arguments = request.arguments
        if Scope.OPERATE in request.principal.scopes:
            return arguments, None
        own = request.principal.id
        if arguments.get(By.KEY.value, own) != own:
            raise Forbidden("this key sees its own requests only: it lacks the scope operate", param="key")
        return {**arguments, By.KEY.value: own}, own

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._ports.clock.wall(), self._ports.reports.zone)


def usage_body(
    reports: Reports, query: UsageQuery, now: float, told: Mapping[str, object]
) -> dict[str, object]:
    """The whole answer about who used what; `now` in Unix seconds."""
    return {
        "by": [by.value for by in query.by],
        "since": _date(query.since),
        "until": _date(query.until),
        "where": {by.value: value for by, value in query.where.items()},
        "currency": reports.currency,
        "timezone": reports.timezone,
        "timestamp": rfc3339(now),
        "pending": reports.pending,
        **told,
    }


def _missing(name: str, asking: str) -> NotFound:
    if given_before(name, asking):
        return NotFound(
            f"request {name!r} has not ended yet, or was refused before a model was asked: only requests that "
            "ended are in the ledger",
            param="id",
            code="not_recorded",
        )
    return NotFound(f"the ledger has no request {name!r}", param="id")


def told(row: Mapping[str, object]) -> dict[str, object]:
    """A row of the ledger in the names of the contract."""
    told = {_NAMES.get(name, name): value for name, value in row.items()}
    for name in _EMPTY_IS_UNKNOWN:
        told[_NAMES.get(name, name)] = row[name] or None
    at, day = row["at"], row["day"]
    assert isinstance(at, float)
    assert isinstance(day, int)
    return {**told, "at": rfc3339(at), "day": _date(day) if day else None}


def _date(ordinal: int | None) -> str | None:
    return None if ordinal is None else datetime.fromordinal(ordinal).date().isoformat()
