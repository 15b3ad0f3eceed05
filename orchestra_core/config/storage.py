"""Which database keeps the ledger, and for how long: the settings of `[storage]`."""

import importlib.util
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from orchestra_core.config.caching import REDIS, read_redis
from orchestra_core.config.fields import SIZE, SWITCH, Field, number, whole
from orchestra_core.config.settings import Paths, StorageSettings

_SCHEMES = ("sqlite://", "postgresql://", "postgres://", "postgresql+psycopg://")
# What the database is called where only the port of its server is given.
_NAME = "orchestra"
_LEAST = 1024 * 1024
_GIVEN = ("journal_bytes", "keep_texts", "text_bytes")


def _url(value: object) -> str:
    if not isinstance(value, str) or not value.startswith(_SCHEMES):
        raise ValueError
    return value


def _journal(value: object) -> int:
    size = SIZE.read(value)
    if size < _LEAST:
        raise ValueError
    return int(size)


URL = Field(_url, "sqlite:///file.db or postgresql://…")
STORAGE: dict[str, Field] = {
    "url": URL,
    "retention_days": number(0, 36_500, above=True),
    "max_bytes": SIZE,
    "journal_bytes": Field(_journal, 'a size of at least 1 MiB, such as "256MiB"'),
    "keep_texts": SWITCH,
    "text_bytes": whole(1, 16 * 1024 * 1024),
    "redis": REDIS,
}


def read_storage(values: Mapping[str, Any], paths: Paths, problems: list[str]) -> StorageSettings:
    """`values` by dotted key; `storage.port` is that of a PostgreSQL server, from the environment."""
    return StorageSettings(
        url=_located(_with_port(values.get("storage.url"), values.get("storage.port")), paths, problems),
        retention_days=values.get("storage.retention_days"),
        max_bytes=values.get("storage.max_bytes"),
        redis=read_redis(values, problems),
        **{name: values[key] for name in _GIVEN if (key := f"storage.{name}") in values},
    )


def port_unused(values: Mapping[str, Any]) -> tuple[str, ...]:
    """A sentence if the port of PostgreSQL is given and SQLite is chosen."""
    url = values.get("storage.url")
    if values.get("storage.port") is None or url is None or not url.startswith("sqlite"):
        return ()
    return ("RESOURCE_PORTS_POSTGRES is set and has no effect: storage.url names an SQLite file",)


def _with_port(url: str | None, port: int | None) -> str | None:
    """The port replaces that of a named server; where nothing is named, it is one on this machine."""
    if port is None:
        return url
    if url is None:
        return f"postgresql://127.0.0.1:{port}/{_NAME}"
    parts = urlsplit(url)
    if parts.scheme == "sqlite" or not parts.hostname:
        return url
    user, at, _ = parts.netloc.rpartition("@")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return parts._replace(netloc=f"{user}{at}{host}:{port}").geturl()


def _located(url: str | None, paths: Paths, problems: list[str]) -> str:
    """Relative SQLite paths are under the data directory: where the engine started is nobody's choice."""
    if url is None:
        return f"sqlite:///{paths.data_dir / 'orchestra.db'}"
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        file = rest[1:]
        return (
            url if file in {"", ":memory:"} or file.startswith("/") else f"sqlite:///{paths.data_dir / file}"
        )
    if importlib.util.find_spec("psycopg") is None:
        problems.append("storage.url: PostgreSQL needs its driver: pip install 'ai-orchestra[postgres]'")
    return f"postgresql+psycopg://{rest}"
