"""What the engine answers to a load or unload."""

import msgspec

from orchestra_core.domain.result import Plan


class Operation(msgspec.Struct, frozen=True):
    """An accepted load or unload; without a number it is what would be done."""

    operation: str = ""
    action: str = ""
    model: str = ""
    backend: str = ""
    plan: Plan = Plan()
