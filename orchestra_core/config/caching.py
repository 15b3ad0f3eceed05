"""What is kept of answers, and where: the settings of `[cache]`, and `storage.redis`."""

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


CACHE: dict[str, Field] = {
    "enabled": SWITCH,
    "memory": SIZE,
    "max_age_seconds": number(1, 86_400 * 30),
    "entry_bytes": SIZE,
    "wait_seconds": number(0, 600, above=True),
}
REDIS = Field(_redis, "redis://host[:port][/number], rediss://… or unix:///path")
