"""The one reader of the process environment, and which of its variables set what."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from orchestra_core.config.document import must_be
from orchestra_core.config.fields import LEVEL_OF_LOG, LISTEN, PORT, Field
from orchestra_core.config.sections import SCALARS

_YES = frozenset({"1", "true", "yes", "on"})


def process_environment() -> Mapping[str, str]:
    """A copy, so that nothing after this reads or writes the real one."""
    return dict(os.environ)


def _as_number(text: str) -> object:
    return int(text) if text.strip().isdecimal() else text


# Later names win over earlier ones for the same key.
_NAMES: tuple[tuple[str, str, Field, Callable[[str], object]], ...] = (
    ("ORCHESTRATOR_HOST", "server.host", SCALARS["server"]["host"], str),
    ("ORCHESTRATOR_API_PORT", "server.port", LISTEN, _as_number),
    ("API_PORT", "server.port", LISTEN, _as_number),
    ("LOG_LEVEL", "log_level", LEVEL_OF_LOG, str),
    ("RESOURCE_PORTS_POSTGRES", "storage.port", PORT, _as_number),
    ("DATABASE_URL", "storage.url", SCALARS["storage"]["url"], str),
    ("RESOURCE_PORTS_REDIS", "storage.redis_port", PORT, _as_number),
    ("RESOURCE_PORTS_OLLAMA", "discovery.ports", PORT, _as_number),
)

_UNUSED = {
    "UI_PORT": "this version serves no web page; the console is `ai-orchestra` in a terminal",
}


def read_environment(environ: Mapping[str, str], problems: list[str]) -> dict[str, tuple[Any, str]]:
    """Values by dotted key with the variable each came from; wrong ones become problems."""
    values: dict[str, tuple[Any, str]] = {}
    for name, key, field, convert in _NAMES:
        if not environ.get(name):
            continue
        given = convert(environ[name])
        try:
            value = field.read(given)
        except ValueError:
            problems.append(f"environment {must_be(name, given, field)}")
            continue
        values[key] = ((value,) if key == "discovery.ports" else value, f"environment {name}")
    if environ.get("ORCHESTRATOR_DEBUG", "").lower() in _YES:
        values["log_level"] = ("debug", "environment ORCHESTRATOR_DEBUG")
    return values


def unused(environ: Mapping[str, str]) -> list[str]:
    """A sentence for each variable that is accepted and has no effect in this version."""
    return [
        f"{name} is set and has no effect: {reason}" for name, reason in _UNUSED.items() if environ.get(name)
    ]
