"""The tables a configuration file may have, and what each key in them may be."""

import ipaddress
import re
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from orchestra_core.config.accounting import ACCOUNTING
from orchestra_core.config.alerts import ALERTS
from orchestra_core.config.caching import CACHE
from orchestra_core.config.document import Document
from orchestra_core.config.fields import (
    LEVEL_OF_LOG,
    LISTEN,
    SIZE,
    SWITCH,
    TEXT,
    TEXT_TABLE,
    TEXTS,
    URL,
    Field,
    number,
    one_of,
    some_of,
    whole,
)
from orchestra_core.config.lines import Path
from orchestra_core.config.recorder import RECORDER
from orchestra_core.config.settings import BackendSettings, ModelSettings, Secret, TimeoutSettings
from orchestra_core.config.storage import STORAGE
from orchestra_core.domain.call import TASK_ALIASES, Level, Task
from orchestra_core.domain.catalog import BackendKind
from orchestra_core.domain.principal import Scope
from orchestra_core.trust.addresses import refused_host
from orchestra_core.trust.hosts import split
from orchestra_core.trust.keys import EXPIRY, ApiKey, declared_id, expiry
from orchestra_core.trust.origins import is_origin

_CAPABILITIES = frozenset({"chat", "completion", "embedding", "vision", "tools", "thinking"})
_DEVICE = re.compile(r"host|gpu:\d{1,2}")
_HOST_NAME = re.compile(
    r"(?=.{1,253}$)(?!.*\.\d+$)(?!\d+$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_-]+)*"
)
_DIGEST = re.compile(r"sha256:[0-9A-Fa-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MANAGED_ONLY = ("command", "files", "parallel")


def _host(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError
    if _HOST_NAME.fullmatch(value):
        return value.lower()
    return str(ipaddress.ip_address(value))


def _allowed_hosts(value: object) -> tuple[str, ...]:
    hosts = TEXTS.read(value)
    found = [split(host) for host in hosts]
    if any(one is None or not _is_host(one[0]) for one in found):
        raise ValueError
    return tuple(hosts)


def _is_host(name: str) -> bool:
    try:
        return bool(_host(name))
    except ValueError:
        return False


def _origins(value: object) -> tuple[str, ...]:
    origins = TEXTS.read(value)
    if not all(is_origin(origin) for origin in origins):
        raise ValueError
    return tuple(origins)


def _digest(value: object) -> str:
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise ValueError
    return value.removeprefix("sha256:").lower()


def _kind(value: object) -> BackendKind:
    return BackendKind(str(value))


def _backend_name(value: object) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError
    return value


def _environment(value: object) -> str:
    name = _backend_name(value)
    if len(name) > 24:  # it has to fit into the first line of a terminal
        raise ValueError
    return name


def _device(value: object) -> str:
    if not isinstance(value, str) or not _DEVICE.fullmatch(value):
        raise ValueError
    return value


def _expiry(value: object) -> float:
    """TOML has dates and times of its own."""
    if isinstance(value, date):
        return expiry(value.isoformat())
    return expiry(TEXT.read(value))


class Color(StrEnum):
    """Those that every terminal has."""

    RED = "red"
    YELLOW = "yellow"
    GREEN = "green"
    BLUE = "blue"
    MAGENTA = "magenta"
    CYAN = "cyan"


_TIMEOUTS = {name: number(0, 86_400, above=True) for name in TimeoutSettings.__struct_fields__}

SCALARS: dict[str, dict[str, Field]] = {
    "accounting": ACCOUNTING,
    "cache": CACHE,
    "server": {
        "host": Field(
            _host,
            "an IP address or a host name; beyond this machine the engine listens only once there is an API key",
        ),
        "port": LISTEN,
        "socket": TEXT,
        "allowed_hosts": Field(_allowed_hosts, 'a list of host names or addresses, such as ["gateway.lan"]'),
        "cors_origins": Field(
            _origins,
            'a list of origins exactly as browsers send them, such as ["https://app.example.com"]; '
            'neither "*" nor "null" is accepted',
        ),
        "require_key": SWITCH,
        "grace_seconds": number(0, 86_400),
        "environment": Field(_environment, "up to 24 letters, digits, dots, dashes or underscores"),
        "environment_color": one_of(Color),
        "read_only": SWITCH,
    },
    "recorder": RECORDER,
    "storage": STORAGE,
    "discovery": {"enabled": SWITCH},
    "embedded": {"enabled": SWITCH},
    "queue": {"seconds": number(0, 3600), "per_slot": whole(1, 1024), "total": whole(1, 65536)},
    "limits": {"requests_per_minute": whole(0, 10**9), "tokens_per_minute": whole(0, 10**9)},
    "logging": {"access": TEXT},
    "timeouts": _TIMEOUTS,
    "resilience": {
        "attempts": whole(1, 10),
        "retry_budget": number(0, 1),
        "continuation": SWITCH,
        "retry_non_idempotent": SWITCH,
    },
    "memory": {
        "evict": number(0, 1, above=True),
        "headroom": SIZE,
        "ttl_seconds": number(0, 86_400 * 30),
        "swap_seconds": number(1, 3600),
        "predict": SWITCH,
    },
    "alerts": ALERTS,
}
TOP: dict[str, Field] = {"log_level": LEVEL_OF_LOG}
TABLES = (
    "accounting",
    "budgets",
    "cache",
    "server",
    "recorder",
    "storage",
    "discovery",
    "embedded",
    "backends",
    "models",
    "fallbacks",
    "alerts",
    "webhooks",
    "keys",
    "limits",
    "logging",
    "timeouts",
    "resilience",
    "queue",
    "memory",
)

KEY: dict[str, Field] = {
    "name": Field(_backend_name, "up to 64 letters, digits, dots, dashes or underscores"),
    "digest": Field(_digest, '"sha256:" and the 64 hexadecimal digits of the SHA-256 of the whole token'),
    "scopes": some_of(frozenset(Scope)),
    "requests_per_minute": whole(0, 10**9),
    "tokens_per_minute": whole(0, 10**9),
    "expires": Field(_expiry, EXPIRY),
}

BACKEND: dict[str, Field] = {
    "name": Field(_backend_name, "up to 64 letters, digits, dots, dashes or underscores"),
    "kind": Field(_kind, "one of " + ", ".join(BackendKind) + " (anthropic is not in this version)"),
    "url": URL,
    "api_key_env": TEXT,
    "models": TEXTS,
    "slots": whole(1, 4096),
    "memory": SIZE,
    "max_loaded": whole(1, 4096),
    "device": Field(_device, '"host", or "gpu:" and a number from 0, as in "gpu:0"'),
    "weight": number(0, above=True),
    "region": TEXT,
    "command": TEXTS,
    "files": TEXT_TABLE,
    "context": whole(256),
    "parallel": whole(1, 256),
    "prefill": SWITCH,
    "cost_per_hour": number(0),
    "watts": number(0),
    "timeouts": Field(lambda table: table, "a table"),  # read by itself, below
}
# A client that waits is told so by the engine, whatever backend it waits for.
BACKEND_TIMEOUTS = {name: field for name, field in _TIMEOUTS.items() if name != "keep_alive"}

MODEL: dict[str, Field] = {
    "capabilities": some_of(frozenset(Task) | frozenset(TASK_ALIASES) | _CAPABILITIES),
    "quality": one_of(Level),
    "cost_per_million_input": number(0),
    "cost_per_million_output": number(0),
    "cost_per_million_cached": number(0),
    "context": whole(256),
    "pinned": SWITCH,
    "group": TEXT,
    "ttl_seconds": number(0, 86_400 * 30),
    "copies": whole(1, 4096),
    "memory": SIZE,
}


def read_scalars(document: Document) -> dict[str, Any]:
    """Values of the simple tables by dotted name, as `server.port`."""
    values: dict[str, Any] = {}
    for key, item in document.values.items():
        if key in SCALARS:
            good = document.table((key,), item, SCALARS[key])
            values |= {f"{key}.{name}": value for name, value in good.items()}
        elif key in TOP:
            values |= document.table((), {key: item}, TOP)
        elif key not in TABLES:
            document.unknown((key,), (*TABLES, *TOP))
    return values


def read_backends(document: Document, environ: Mapping[str, str]) -> tuple[BackendSettings, ...]:
    """The configured backends; names are unique, keys are taken from the environment."""
    entries = document.values.get("backends", [])
    if not isinstance(entries, list):
        document.problem(("backends",), "backends must be an array of tables, each written [[backends]]")
        return ()
    found: dict[str, BackendSettings] = {}
    for position, entry in enumerate(entries):
        path: Path = ("backends", position)
        values = document.table(path, entry, BACKEND)
        if "timeouts" in values:
            values["timeouts"] = document.table((*path, "timeouts"), values["timeouts"], BACKEND_TIMEOUTS)
        if not _complete(document, path, entry, values):
            continue
        refused = refused_host(urlsplit(values.get("url", "")).hostname or "")
        if refused is not None:
            document.problem((*path, "url"), f"no backend can be there: {refused}")
        if values["name"] in found:
            document.problem((*path, "name"), f'there is already a backend named "{values["name"]}"')
        found[values["name"]] = _backend(values, environ)
    return tuple(found.values())


def _complete(document: Document, path: Path, entry: object, values: dict[str, Any]) -> bool:
    if not isinstance(entry, Mapping):
        return False
    for key in ("name", "kind"):
        if key not in entry:
            document.problem(path, f"this backend has no {key}; it must be {BACKEND[key].allowed}")
    kind = values.get("kind")
    if kind is BackendKind.MANAGED and "url" in entry:
        document.problem(
            (*path, "url"), "a managed backend has no url: the engine starts it and chooses its port"
        )
    if kind not in (None, BackendKind.MANAGED):
        if "url" not in entry:
            document.problem(path, f"a backend of kind {kind} needs a url, such as {URL.allowed}")
        for key in _MANAGED_ONLY:
            if key in entry:
                document.problem((*path, key), f"{key} is only for backends of kind managed")
    nameless = not values.get("models") and not values.get("files")
    if kind is BackendKind.MANAGED and values.get("command") and nameless:
        document.problem(
            path, "a managed backend with a command needs the models it can serve: models or files"
        )
    return "name" in values and "kind" in values


def _backend(values: dict[str, Any], environ: Mapping[str, str]) -> BackendSettings:
    key = environ.get(values.get("api_key_env", ""))
    embedded = values["kind"] is BackendKind.MANAGED and not values.get("command") and not values.get("files")
    return BackendSettings(**values, api_key=Secret(key) if key else None, embedded=embedded)


def read_keys(document: Document) -> tuple[ApiKey, ...]:
    """The declared keys. Each is known by its digest alone: the file holds nothing that opens anything."""
    entries = document.values.get("keys", [])
    if not isinstance(entries, list):
        document.problem(("keys",), "keys must be an array of tables, each written [[keys]]")
        return ()
    found: dict[str, ApiKey] = {}
    for position, entry in enumerate(entries):
        path: Path = ("keys", position)
        values = document.table(path, entry, KEY)
        for name in ("name", "digest"):
            if isinstance(entry, Mapping) and name not in entry:
                document.problem(path, f"this key has no {name}; it must be {KEY[name].allowed}")
        if "name" not in values or "digest" not in values:
            continue
        if values["digest"] in found:
            document.problem((*path, "digest"), "there is already a key with this digest")
        found[values["digest"]] = _key(values)
    return tuple(found.values())


def _key(values: dict[str, Any]) -> ApiKey:
    scopes = tuple(Scope(name) for name in values.pop("scopes", ())) or (Scope.USE,)
    return ApiKey(id=declared_id(values["digest"]), scopes=scopes, declared=True, **values)


def read_models(document: Document) -> dict[str, ModelSettings]:
    tables = document.values.get("models", {})
    if not isinstance(tables, Mapping):
        document.problem(("models",), 'models must be tables, each written [models."name"]')
        return {}
    return {
        name: ModelSettings(**document.table(("models", name), table, MODEL))
        for name, table in tables.items()
    }


def read_fallbacks(document: Document) -> dict[str, tuple[str, ...]]:
    """Lists of models by task, by the task's present name."""
    names = {**{task.value: task for task in Task}, **TASK_ALIASES}
    table = document.values.get("fallbacks", {})
    if isinstance(table, Mapping):
        table = {name: models for name, models in table.items() if name != "models"}
    good = document.table(("fallbacks",), table, dict.fromkeys(names, TEXTS))
    return {names[name].value: models for name, models in good.items()}


def read_model_fallbacks(document: Document) -> dict[str, tuple[str, ...]]:
    """Lists of models by the name of the model they may stand in for."""
    table = document.values.get("fallbacks", {})
    models = table.get("models", {}) if isinstance(table, Mapping) else {}
    path: Path = ("fallbacks", "models")
    return document.table(path, models, dict.fromkeys(models, TEXTS) if isinstance(models, Mapping) else {})
