"""What a playground prompt is sent with beside its text."""

from collections.abc import Mapping

from orchestra_core.domain.call import Level, Task
from orchestra_tui.present.answer import AUTO
from orchestra_tui.present.form import Field, number, one_of, whole

_LEVELS = tuple(level.value for level in Level)
_TASKS = tuple(task.value for task in Task if task not in (Task.EMBEDDING, Task.VISION))
# The ranges are those of /api/v1/route.
FIELDS = (
    Field("system", "system", "what the model is told first", lambda text: text),
    Field("temperature", "temperature", "0 to 2; 0 answers the same each time", number(0, 2)),
    Field("max_tokens", "max tokens", "the longest answer", whole(1, 10_000_000)),
    Field("task", "task", "inferred if empty: code_generation, analysis, …", one_of(_TASKS)),
    Field("quality", "quality", "low, medium, high: what auto looks for", one_of(_LEVELS)),
    Field("speed", "speed", "low, medium, high: what auto looks for", one_of(_LEVELS)),
    Field("max_cost", "max cost", "no answer that could cost more", number(0, 1e6)),
    Field(
        "priority", "priority", "low, normal, high: its place in a queue", one_of(("low", "normal", "high"))
    ),
    Field("deadline", "deadline s", "given up after so many seconds", number(0.001, 10_000)),
)
BY_NAME = {field.name: field for field in FIELDS}


def wish(prompt: str, model: str, typed: Mapping[str, str]) -> dict[str, object]:
    """The body of /api/v1/route for a prompt; `typed` has no mistakes."""
    given = {name: BY_NAME[name].read(text.strip()) for name, text in typed.items() if text.strip()}
    body: dict[str, object] = {} if model == AUTO else {"model": model}
    system = given.pop("system", None)
    if system is None:
        body["prompt"] = prompt
    else:
        told = {"role": "system", "content": system}
        body["messages"] = [told, {"role": "user", "content": prompt}]
    levels = {name: given.pop(name) for name in ("quality", "speed") if name in given}
    if levels:
        body["requirements"] = levels
    deadline = given.pop("deadline", None)
    if isinstance(deadline, float):
        body["deadline_ms"] = max(round(deadline * 1000), 1)
    return body | given


def told(typed: Mapping[str, str]) -> str:
    """What differs from the defaults, in one line; empty if nothing does."""
    parts = [f"{BY_NAME[name].label} {text.strip()}" for name, text in typed.items() if text.strip()]
    return ", ".join(parts)
