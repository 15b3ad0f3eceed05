"""What is alarming and who is told: `[alerts]` and `[[webhooks]]`."""

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from orchestra_core.alerting.policy import RULES
from orchestra_core.config.document import Document
from orchestra_core.config.fields import SIZE, TEXT, TEXTS, Field, number, some_of, whole
from orchestra_core.config.lines import Path
from orchestra_core.config.settings import AlertSettings, Secret, WebhookSettings
from orchestra_core.trust.addresses import refused_host

# What may be sent to a webhook; an alert that eases goes on and is not news.
EVENTS = ("alert.fired", "alert.escalated", "alert.eased", "alert.resolved")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_SECONDS = number(0, 86_400)
_SHARE = number(0, 1, above=True)
# In rising order, by rule: each must be above the one before, and for free space below it.
_RISING = (
    ("memory_warning", "memory_critical"),
    ("errors_warning", "errors_critical"),
    ("latency_warning", "latency_critical"),
    ("journal_warning", "journal_critical"),
    ("disk_critical", "disk_warning"),
)


def _name(value: object) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError
    return value


def _variable(value: object) -> str:
    if not isinstance(value, str) or not _VARIABLE.fullmatch(value):
        raise ValueError
    return value


def _url(value: object) -> str:
    """Unlike a backend's it may have a query: services put their tokens there."""
    text = str(TEXT.read(value))
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.fragment:
        raise ValueError
    if parts.username is not None or parts.password is not None or parts.port == 0 or not text.isascii():
        raise ValueError
    return text


def _command(value: object) -> tuple[str, ...]:
    words: tuple[str, ...] = TEXTS.read(value)
    return words


ALERTS: dict[str, Field] = {
    "off": some_of(frozenset(RULES)),
    "resolve_seconds": _SECONDS,
    "memory_warning": _SHARE,
    "memory_critical": _SHARE,
    "memory_seconds": _SECONDS,
    "models_seconds": _SECONDS,
    "backends_seconds": _SECONDS,
    "errors_warning": _SHARE,
    "errors_critical": _SHARE,
    "errors_window": whole(1, 300),
    "errors_requests": whole(1, 10**9),
    "errors_seconds": _SECONDS,
    "latency_warning": number(1, 1000, above=True),
    "latency_critical": number(1, 1000, above=True),
    "latency_samples": whole(1, 10**6),
    "latency_seconds": _SECONDS,
    "breakers_openings": whole(1, 100),
    "breakers_window": number(1, 86_400),
    "journal_warning": _SHARE,
    "journal_critical": _SHARE,
    "journal_seconds": _SECONDS,
    "database_seconds": _SECONDS,
    "disk_warning": SIZE,
    "disk_critical": SIZE,
    "disk_seconds": _SECONDS,
    "command": Field(_command, "a list of texts: a program and its arguments, without a shell"),
    "command_seconds": number(0, 600, above=True),
}
_EVENT_NAMES = frozenset(EVENTS)
WEBHOOK: dict[str, Field] = {
    "name": Field(_name, "up to 64 letters, digits, dots, dashes or underscores"),
    "url": Field(_url, "http://host[:port][/path][?query] or https://…, without user, password or fragment"),
    "secret_env": Field(_variable, "the name of an environment variable"),
    "events": some_of(_EVENT_NAMES),
}


def read_alerts(values: Mapping[str, Any], sources: Mapping[str, str], problems: list[str]) -> AlertSettings:
    """`values` are those of the table; limits that are not in order are a problem each."""
    alerts = AlertSettings(**values)
    for names in _RISING:
        for low, high in pairwise(names):
            below, above = getattr(alerts, low), getattr(alerts, high)
            if below >= above:
                source = sources.get(f"alerts.{low}") or sources.get(f"alerts.{high}", "alerts")
                problems.append(
                    f"{source}: alerts.{low} ({below:.12g}) must be below alerts.{high} ({above:.12g})"
                )
    return alerts


def read_webhooks(document: Document, environ: Mapping[str, str]) -> tuple[WebhookSettings, ...]:
    """Where alerts are posted to; names are unique, secrets are taken from the environment."""
    entries = document.values.get("webhooks", [])
    if not isinstance(entries, list):
        document.problem(("webhooks",), "webhooks must be an array of tables, each written [[webhooks]]")
        return ()
    found: dict[str, WebhookSettings] = {}
    for position, entry in enumerate(entries):
        path: Path = ("webhooks", position)
        values = document.table(path, entry, WEBHOOK)
        if "url" not in values:
            if not isinstance(entry, Mapping) or "url" not in entry:
                document.problem(path, f"this webhook has no url; it must be {WEBHOOK['url'].allowed}")
            continue
        host = urlsplit(values["url"]).hostname or ""
        refused = refused_host(host)
        if refused is not None:
            document.problem((*path, "url"), f"no webhook can be there: {refused}")
        name = values.setdefault("name", host)
        if name in found:
            document.problem(path, f'there is already a webhook named "{name}": give this one a name')
        secret = environ.get(values.get("secret_env", ""))
        found[name] = WebhookSettings(**values, secret=Secret(secret) if secret else None)
    return tuple(found.values())


def unsigned(webhooks: tuple[WebhookSettings, ...]) -> list[str]:
    """A sentence for each secret that is named and not there."""
    return [
        f"webhook {webhook.name}: {webhook.secret_env} is not set, so what is sent there is not signed"
        for webhook in webhooks
        if webhook.secret_env and webhook.secret is None
    ]
