"""Requests: what runs, the ledger page by page, and everything of one."""

from urllib.parse import quote

from orchestra_tui.engine import Engine
from orchestra_tui.present.requests.ledger import Page, Report, Running


async def running(engine: Engine, limit: int = 200) -> Running:
    """Raises EngineError."""
    return await engine.get(f"/api/v1/requests?running=1&limit={limit}", Running)


async def page(engine: Engine, limit: int, *, failed: bool = False, cursor: str = "") -> Page:
    """The newest, or those older than a cursor; only those that failed, if that is wanted. Raises EngineError."""
    more = ("&failed=true" if failed else "") + (f"&cursor={quote(cursor, safe='')}" if cursor else "")
    return await engine.get(f"/api/v1/requests?limit={limit}{more}", Page)


async def report(engine: Engine, request_id: str) -> Report:
    """Raises EngineError, also for one that has not ended."""
    return await engine.get(f"/api/v1/requests/{quote(request_id, safe='')}", Report)
