"""Saying something to an alert."""

from urllib.parse import quote

from orchestra_tui.engine import Engine, Nothing


async def alert(engine: Engine, verb: str, name: str, seconds: float | None = None) -> None:
    """`ack`, `silence` (for so many seconds) or `unsilence` an alert or rule. Raises EngineError."""
    wish: dict[str, object] = {} if seconds is None else {"seconds": seconds}
    await engine.post(f"/api/v1/alerts/{quote(name, safe='')}/{verb}", wish, Nothing)
