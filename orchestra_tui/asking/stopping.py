"""The end of an engine."""

from orchestra_tui.engine import Engine, Nothing


async def shutdown(engine: Engine) -> None:
    """Asks the engine to stop. Raises EngineError."""
    await engine.post("/api/v1/shutdown", {}, Nothing)
