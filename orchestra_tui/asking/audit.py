"""What operators did."""

from urllib.parse import quote

from orchestra_tui.engine import Engine
from orchestra_tui.present.happenings.entry import Audit


async def audit(engine: Engine, limit: int = 200, before: str = "") -> Audit:
    """The newest, or those before a place. Raises EngineError, also where the key may not read it."""
    more = f"&before={quote(before, safe='')}" if before else ""
    return await engine.get(f"/api/v1/audit?limit={limit}{more}", Audit)
