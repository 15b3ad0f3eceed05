"""Whether the engine's hot path runs compiled, as `make fast` leaves it, or from its sources."""

import importlib
import sys

PURE = "pure Python"


def build() -> tuple[str, str]:
    """What runs, in words for people, and why a build that is there is not used; empty where nothing is wrong."""
    fast = sys.modules.get("orchestra_fast")
    if fast is None:
        return PURE, ""
    # The build looks at the sources when the first of its modules is imported.
    importlib.import_module("orchestra_core.http1.heads")
    problem: str = fast.build.problem or ""
    return (PURE, problem) if problem else (f"compiled, {len(fast.build.modules) - 1} modules", "")
