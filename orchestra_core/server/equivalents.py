"""What an operator would type for what was asked over HTTP: the audit log says it in words one can use again."""

import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

from orchestra_core.trust.redaction import redact

Body = Mapping[str, Any]
Words = list[str]
_decoder = msgspec.json.Decoder(dict[str, Any])


def _load(name: str, body: Body) -> Words:
    return [
        "load",
        name,
        *_option("--backend", body.get("backend")),
        *_flag("--dry-run", body.get("dry_run")),
    ]


def _unload(name: str, body: Body) -> Words:
    return [
        "unload",
        name,
        *_option("--backend", body.get("backend")),
        *_option("--drain", body.get("drain_seconds")),
        *_flag("--force", body.get("force")),
        *_flag("--dry-run", body.get("dry_run")),
    ]


def _plain(*words: str) -> Callable[[str, Body], Words]:
    return lambda name, _: [*words, *([name] if name else [])]


def _reasoned(*words: str) -> Callable[[str, Body], Words]:
    return lambda name, body: [*words, *([name] if name else []), *_option("--reason", body.get("reason"))]


def _timed(*words: str) -> Callable[[str, Body], Words]:
    def spelled(name: str, body: Body) -> Words:
        seconds = body.get("seconds")
        spelt = f"{seconds:g}s" if isinstance(seconds, int | float) else None
        return [*words, name, *_option("--for", spelt), *_option("--reason", body.get("reason"))]

    return spelled


def _restart(name: str, body: Body) -> Words:
    return ["restart", name, *_option("--drain", body.get("drain_seconds"))]


def _limit(name: str, body: Body) -> Words:
    limit = body.get("limit")
    known = isinstance(limit, int | float) and not isinstance(limit, bool)
    return ["budgets", "set", name, *([f"{limit:.12g}"] if known else [])]


def _key(_: str, body: Body) -> Words:
    scopes = body.get("scopes")
    named = [str(scope) for scope in scopes] if isinstance(scopes, list) else []
    return [
        "keys",
        "create",
        str(body.get("name", "")),
        *(word for scope in named for word in ("--scope", scope)),
        *_option("--requests-per-minute", body.get("requests_per_minute")),
        *_option("--tokens-per-minute", body.get("tokens_per_minute")),
        *_option("--expires", body.get("expires")),
    ]


def _drill(_: str, body: Body) -> Words:
    return [
        *("drill", "start", str(body.get("endpoint", ""))),
        *_option("--fault", body.get("fault")),
        *_option("--seconds", body.get("seconds")),
        *_option("--share", body.get("share")),
        *_option("--latency", body.get("latency_ms")),
        *_option("--jitter", body.get("jitter_ms")),
        *_option("--status", body.get("status")),
        *_option("--after", body.get("after_tokens")),
        *_option("--traffic", body.get("traffic")),
        *_option("--confirm", body.get("confirm")),
        *_flag("--dry-run", body.get("dry_run")),
    ]


# Method, path, and the words; the group of a path is a name.
COMMANDS: tuple[tuple[str, str, Callable[[str, Body], Words]], ...] = (
    ("POST", "models/(.+)/load", _load),
    ("POST", "models/(.+)/unload", _unload),
    ("POST", "backends/(.+)/drain", _plain("drain")),
    ("POST", "backends/(.+)/resume", _plain("resume")),
    ("POST", "breakers/(.+)/trip", _timed("breaker", "trip")),
    ("POST", "breakers/(.+)/probe", _plain("breaker", "probe")),
    ("POST", "backends/(.+)/restart", _restart),
    ("POST", "breakers/(.+)/reset", _plain("breaker", "reset")),
    ("POST", "alerts/(.+)/ack", _reasoned("alerts", "ack")),
    ("POST", "alerts/(.+)/silence", _timed("alerts", "silence")),
    ("POST", "alerts/(.+)/unsilence", _plain("alerts", "unsilence")),
    ("POST", "requests/(.+)/cancel", _reasoned("cancel")),
    ("POST", "drills", _drill),
    ("POST", "drills/(.+)/stop", _plain("drill", "stop")),
    ("POST", "budgets/(.+)/reset", _plain("budgets", "reset")),
    ("POST", "budgets/(.+)", _limit),
    ("GET", "keys", _plain("keys", "list")),
    ("POST", "keys", _key),
    ("DELETE", "keys/(.+)", _plain("keys", "revoke")),
    ("GET", "audit", _plain("audit")),
    ("GET", "recording", _plain("incident")),
    ("POST", "cache/clear", _plain("cache", "clear")),
    ("POST", "cache/clear", _plain("cache", "clear")),
    ("POST", "intake/pause", _reasoned("intake", "pause")),
    ("POST", "intake/resume", _plain("intake", "resume")),
    ("POST", "shutdown", _plain("shutdown")),
    ("POST", "reload", _plain("config", "reload")),
)
# What `dry_run` is known to, and it makes the request one that changes nothing.
_PLANS = re.compile("/api/v1/(models/.+/(un)?load|drills)")
_PATTERNS = tuple((method, re.compile(f"/api/v1/{path}"), words) for method, path, words in COMMANDS)


def equivalent(method: str, path: str, body: bytes) -> str:
    """The command line, with everything of a secret's shape cut; empty where there is none."""
    for wanted, pattern, words in _PATTERNS:
        found = pattern.fullmatch(path) if method == wanted else None
        if found is not None:
            name = unquote(found[1]) if found.groups() else ""
            return redact(shlex.join(["ai-orchestra", *words(name, _read(body))]))
    return ""


def is_plan(path: str, body: bytes) -> bool:
    """Whether it only asked what would be done."""
    return _PLANS.fullmatch(path) is not None and _read(body).get("dry_run") is True


def _read(body: bytes) -> Body:
    """What cannot be read has no options: the request was refused for it."""
    try:
        return _decoder.decode(body) if body else {}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}


def _option(name: str, value: object) -> Words:
    if value is None or value == "" or isinstance(value, bool | list | dict):
        return []
    return [name, f"{value:g}" if isinstance(value, float) else str(value)]


def _flag(name: str, value: object) -> Words:
    return [name] if value is True else []
