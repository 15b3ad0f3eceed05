"""What operators did."""

from orchestra_tui.engine import Engine
from orchestra_tui.present.happenings.entry import Audit


async def audit(engine: Engine, limit: int = 200) -> Audit:
    """The newest. Raises EngineError, also where the key may not read it."""
    return await engine.get(f"/api/v1/audit?limit={limit}", Audit)
