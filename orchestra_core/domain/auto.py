"""The virtual model name `auto`: lets any client of any surface ask the engine to choose.

`auto`, `auto:code_generation`, `auto:quality=high`, `auto:reasoning,speed=low,quality=high`.
"""

import msgspec

from orchestra_core.domain.call import NO_REQUIREMENTS, TASK_ALIASES, Level, Requirements, Task
from orchestra_core.domain.errors import InvalidRequest


class Asked(msgspec.Struct, frozen=True):
    """What a model field asked for: a real name, or None with wishes."""

    model: str | None = None
    task: Task | None = None
    requirements: Requirements = NO_REQUIREMENTS


AUTO = Asked()


def task_named(name: str, param: str = "task") -> Task:
    """The task of that name, the older aliases included; InvalidRequest lists what is allowed."""
    if name in TASK_ALIASES:
        return TASK_ALIASES[name]
    try:
        return Task(name)
    except ValueError:
        allowed = ", ".join(Task)
        raise InvalidRequest(f"unknown task {name[:64]!r}; allowed: {allowed}", param=param) from None


def read_model(name: str | None) -> Asked:
    """The model field of a request, on every surface."""
    if name is None or name == "auto":
        return AUTO
    if not name.startswith("auto:"):
        return Asked(model=name)
    task: Task | None = None
    wishes: dict[str, Level] = {}
    for part in name[5:].split(","):
        key, equals, value = part.strip().partition("=")
        if not equals:
            task = task_named(key, "model")
        elif key in ("speed", "quality") and value in Level.__members__.values():
            wishes[key] = Level(value)
        else:
            raise InvalidRequest(
                f"cannot read {part[:64]!r} in the model name; use auto, auto:TASK, "
                "auto:quality=low|medium|high or auto:speed=low|medium|high",
                param="model",
            )
    return Asked(None, task, Requirements(wishes.get("speed"), wishes.get("quality")))
