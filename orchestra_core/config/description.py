"""The effective configuration, a line for each value, with where the value came from."""

from collections.abc import Iterator

import msgspec

from orchestra_core.clock import rfc3339
from orchestra_core.config.settings import (
    BackendSettings,
    Config,
    StorageSettings,
    WebhookSettings,
    hide_password,
)
from orchestra_core.trust.redaction import redact_command

Line = tuple[str, str, str]


def describe(config: Config) -> list[Line]:
    """(key, value, source) of everything in effect; secrets are said to be set and never shown."""
    lines = [(key, value, config.sources.get(key, "default")) for key, value in _plain(config).items()]
    for backend in config.backends:
        lines += _backend(backend, config.sources.get(f"backends.{backend.name}", "default"))
    for webhook in config.webhooks:
        lines += _webhook(webhook, config.sources.get(f"webhooks.{webhook.name}", "default"))
    for key in config.keys:
        lines.append(
            (
                f"keys.{key.name}",
                f"{key.id}, {_spell(key.scopes)}"
                + ("" if key.expires is None else f", until {rfc3339(key.expires)}"),
                config.sources.get(f"keys.{key.name}", "default"),
            )
        )
    lines += _budgets(config)
    for name, model in config.models.items():
        source = config.sources.get(f"models.{name}", "default")
        given = msgspec.structs.asdict(model)
        lines += [
            (f'models."{name}".{key}', _spell(value), source)
            for key, value in given.items()
            if value is not None and value is not False
        ]
    for task, models in config.fallbacks.items():
        lines.append(
            (f"fallbacks.{task}", _spell(models), config.sources.get(f"fallbacks.{task}", "default"))
        )
    for name, models in config.model_fallbacks.items():
        at = f'fallbacks.models."{name}"'
        lines.append((at, _spell(models), config.sources.get(at, "default")))
    return lines + list(_paths(config))


def _storage(settings: StorageSettings) -> dict[str, str]:
    days = settings.retention_days
    return {
        "storage.url": hide_password(settings.url),
        "storage.retention_days": "for ever" if days is None else _spell(days),
        "storage.max_bytes": str(settings.max_bytes or "(none)"),
        "storage.journal_bytes": str(settings.journal_bytes),
        "storage.keep_texts": _spell(settings.keep_texts),
        "storage.text_bytes": str(settings.text_bytes),
        "storage.redis": hide_password(settings.redis) if settings.redis else "(none)",
    }


def _plain(config: Config) -> dict[str, str]:
    """What stands in tables of which there is one each."""
    return {
        "server.host": config.server.host,
        "server.port": str(config.server.port),
        "server.socket": config.server.socket,
        "server.allowed_hosts": _spell(config.server.allowed_hosts),
        "server.cors_origins": _spell(config.server.cors_origins),
        "server.require_key": "as soon as there is a key"
        if config.server.require_key is None
        else _spell(config.server.require_key),
        "limits.requests_per_minute": str(config.limits.requests_per_minute or "(none)"),
        "limits.tokens_per_minute": str(config.limits.tokens_per_minute or "(none)"),
        "logging.access": str(config.logging.access or "(none)"),
        "server.grace_seconds": _spell(config.server.grace_seconds),
        "server.environment": config.server.environment or "(none)",
        "server.environment_color": config.server.environment_color or "(none)",
        "server.read_only": _spell(config.server.read_only),
        **_table("accounting", config.accounting),
        **_table("cache", config.cache),
        **_table("recorder", config.recorder),
        **_storage(config.storage),
        "discovery.enabled": _spell(config.discovery.enabled),
        "discovery.ports": _spell(config.discovery.ports),
        "embedded.enabled": _spell(config.embedded),
        **_table("timeouts", config.timeouts),
        **_table("resilience", config.resilience),
        **_table("queue", config.queue),
        **_table("memory", config.memory),
        "memory.headroom": "8 %, at least 1 GiB of more than 8"
        if config.memory.headroom is None
        else _spell(config.memory.headroom),
        **_table("alerts", config.alerts),
        "alerts.command": _spell(tuple(redact_command(config.alerts.command))),
        "log_level": config.log_level,
    }


def _table(name: str, settings: msgspec.Struct) -> dict[str, str]:
    return {f"{name}.{key}": _spell(value) for key, value in msgspec.structs.asdict(settings).items()}


def _budgets(config: Config) -> Iterator[Line]:
    for budget in config.budgets:
        at = f"budgets.{budget.name}"
        limit = f"{budget.limit:.12g} {config.accounting.currency} a {budget.period}, {budget.scope()}, {budget.kind}"
        over = f", {budget.over} when over" if budget.hard else ""
        yield at, limit + over, config.sources.get(at, "default")


def _backend(backend: BackendSettings, source: str) -> Iterator[Line]:
    for key, value in msgspec.structs.asdict(backend).items():
        if key == "api_key":
            if backend.api_key_env:
                state = "set" if value else "not set"
                yield f"backends.{backend.name}.api_key", f"({state})", f"environment {backend.api_key_env}"
        elif key == "command" and value:
            yield f"backends.{backend.name}.command", _spell(tuple(redact_command(value))), source
        elif key == "timeouts":
            for name, seconds in value.items():
                yield f"backends.{backend.name}.timeouts.{name}", _spell(seconds), source
        elif key not in {"name", "embedded"} and value not in (None, (), {}):
            yield f"backends.{backend.name}.{key}", _spell(value), source
    if backend.embedded:
        yield f"backends.{backend.name}.embedded", "true", source


def _webhook(webhook: WebhookSettings, source: str) -> Iterator[Line]:
    name = f"webhooks.{webhook.name}"
    yield f"{name}.url", webhook.shown, source
    yield f"{name}.events", _spell(webhook.events), source
    if webhook.secret_env:
        state = "set" if webhook.secret else "not set"
        yield f"{name}.secret", f"({state})", f"environment {webhook.secret_env}"


def _paths(config: Config) -> Iterator[Line]:
    yield (
        "paths.config_file",
        str(config.paths.config_file or "(none)"),
        "found" if config.paths.config_file else "default",
    )
    for key in ("data_dir", "state_dir", "runtime_dir", "cache_dir"):
        yield f"paths.{key}", str(getattr(config.paths, key)), "default"


def _spell(value: object) -> str:
    if value is None:
        return "(none)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ", ".join(str(item) for item in value) or "(none)"
    if isinstance(value, dict):
        return ", ".join(f"{name}={item}" for name, item in value.items())
    return f"{value:.12g}" if isinstance(value, float) else str(value)
