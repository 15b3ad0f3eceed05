"""How traffic went."""

from urllib.parse import quote

from orchestra_core.domain.series import SeriesView
from orchestra_tui.engine import Engine


async def series(engine: Engine, window: str, by: str) -> SeriesView:
    """Of everything, and of the busiest models or backends. Raises EngineError."""
    return await engine.get(f"/api/v1/series?window={quote(window)}&by={quote(by)}", SeriesView)
