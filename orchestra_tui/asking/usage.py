"""Who used what."""

from urllib.parse import quote

from orchestra_tui.engine import Engine
from orchestra_tui.present.usage import Report


async def usage(engine: Engine, by: str, since: str) -> Report:
    """Sums by one column from a day on; all days where `since` is empty. Raises EngineError."""
    query = f"by={quote(by)}" + (f"&since={quote(since)}" if since else "")
    return await engine.get(f"/api/v1/usage?{query}", Report)


async def days(engine: Engine, number: int) -> Report:
    """Sums by day of so many, today being the last. Raises EngineError."""
    return await engine.get(f"/api/v1/usage?by=day&since={number}d&until=today", Report)
