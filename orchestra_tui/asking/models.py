"""Loading and unloading."""

from urllib.parse import quote

import msgspec

from orchestra_core.domain.result import Plan
from orchestra_tui.engine import Engine


class Operation(msgspec.Struct, frozen=True):
    """An accepted load or unload; without a number it is what would be done."""

    operation: str = ""
    action: str = ""
    model: str = ""
    backend: str = ""
    plan: Plan = Plan()


async def plan(engine: Engine, verb: str, model: str, backend: str) -> Operation:
    """What a load or unload would do; nothing is changed. Raises EngineError."""
    return await engine.post(_path(model, verb), {"backend": backend, "dry_run": True}, Operation)


async def operate(
    engine: Engine, verb: str, model: str, backend: str, drain: float | None = None
) -> Operation:
    """Starts a load or unload and returns its plan. Raises EngineError.

    What runs on a model that is unloaded may finish for `drain` seconds; None: it is refused while it is busy.
    """
    wish: dict[str, object] = {"backend": backend}
    wish |= {} if drain is None else {"drain_seconds": drain}
    return await engine.post(_path(model, verb), wish, Operation)


def _path(model: str, verb: str) -> str:
    return f"/api/v1/models/{quote(model, safe='')}/{verb}"
