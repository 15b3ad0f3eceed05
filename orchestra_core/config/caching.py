"""What is kept of answers, and where: the settings of `[cache]`, and `storage.redis`."""

import importlib.util
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from orchestra_core.config.fields import SIZE, SWITCH, Field, number


class CacheSettings(msgspec.Struct, frozen=True):
    """`memory` bytes of answers in all and `entry_bytes` of one; `wait_seconds` is how long who asks what is being
    asked already waits before another of them is sent.
    """

    enabled: bool = True
    memory: int = 64_000_000
    max_age_seconds: float = 3600.0
    entry_bytes: int = 256_000
    wait_seconds: float = 10.0


def _redis(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError
    parts = urlsplit(value)
    if parts.scheme not in {"redis", "rediss", "unix"} or not (parts.hostname or parts.path.strip("/")):
        raise ValueError
    # Raises ValueError for a port that is none.
    _ = parts.port
    return value


def read_redis(values: Mapping[str, Any], problems: list[str]) -> str | None:
    """`values` by dotted key; `storage.redis_port` is that of a server on this machine, from the environment."""
    url, port = values.get("storage.redis"), values.get("storage.redis_port")
    if importlib.util.find_spec("redis") is None:
        if url is not None:
            problems.append("storage.redis: Redis needs its library: pip install 'ai-orchestra[redis]'")
        return None
    return f"redis://127.0.0.1:{port}/0" if url is None and port is not None else url


def redis_unused(values: Mapping[str, Any]) -> tuple[str, ...]:
    """A sentence if the port of Redis is given and something else is done than using it."""
    if values.get("storage.redis_port") is None:
        return ()
    if values.get("storage.redis") is not None:
        return ("RESOURCE_PORTS_REDIS is set and has no effect: storage.redis names the server",)
    if importlib.util.find_spec("redis") is None:
        return ("RESOURCE_PORTS_REDIS is set and has no effect without pip install 'ai-orchestra[redis]'",)
    return ()


CACHE: dict[str, Field] = {
    "enabled": SWITCH,
    "memory": SIZE,
    "max_age_seconds": number(1, 86_400 * 30),
    "entry_bytes": SIZE,
    "wait_seconds": number(0, 600, above=True),
}
REDIS = Field(_redis, "redis://host[:port][/number], rediss://… or unix:///path")
