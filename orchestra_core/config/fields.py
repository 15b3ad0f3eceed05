"""What each kind of value may be: how it is read, and how to say so to whoever got it wrong."""

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import msgspec

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?\s*", re.IGNORECASE)
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


class Field(msgspec.Struct, frozen=True):
    """`read` returns the value as the engine uses it, or raises ValueError; `allowed` completes "must be".

    `near` is what to add of a wrong value: the nearest right one.
    """

    read: Callable[[Any], Any]
    allowed: str
    near: Callable[[object], str] = lambda _: ""


def _need(condition: bool) -> None:
    if not condition:
        raise ValueError


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or any(ord(c) < 32 or ord(c) == 127 for c in value):
        raise ValueError
    return value


def _yes_or_no(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _size(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        size = value
    else:
        found = _SIZE.fullmatch(_text(value))
        if not found:
            raise ValueError
        number, unit, binary = found.groups()
        size = int(float(number) * (1024 if binary else 1000) ** _POWERS[unit.upper()])
    _need(size > 0)
    return size


def _url(value: object) -> str:
    parts = urlsplit(_text(value))
    _need(parts.scheme in {"http", "https", "unix"} and not parts.query and not parts.fragment)
    _need(parts.username is None and parts.password is None)
    _need(bool(parts.path if parts.scheme == "unix" else parts.hostname))
    _need(parts.port is None or parts.port > 0)
    return str(value).rstrip("/")


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError
    return tuple(_text(item) for item in value)


def _text_table(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise ValueError
    return {_text(name): _text(item) for name, item in value.items()}


def whole(low: int, high: int | None = None) -> Field:
    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < low or (high and value > high):
            raise ValueError
        return value

    return Field(
        read, f"a whole number from {low} to {high}" if high else f"a whole number of at least {low}"
    )


def number(low: float, high: float | None = None, *, above: bool = False) -> Field:
    def read(value: object) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise ValueError
        _need(
            low <= value < float("inf") and (high is None or value <= high) and not (above and value == low)
        )
        return float(value)

    span = (
        f"from {low:g} to {high:g}" if high is not None else f"{'above' if above else 'of at least'} {low:g}"
    )
    return Field(read, f"a number {span}")


def one_of(choices: type[StrEnum]) -> Field:
    return Field(lambda value: choices(_text(value)), "one of " + ", ".join(choices))


def some_of(names: frozenset[str]) -> Field:
    def read(value: object) -> tuple[str, ...]:
        chosen = _texts(value)
        _need(names.issuperset(chosen))
        return chosen

    return Field(read, "a list of names out of " + ", ".join(sorted(names)))


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


TEXT = Field(_text, "a text that is not empty and has no control characters")
SWITCH = Field(_yes_or_no, "true or false")
SIZE = Field(_size, 'a size such as "24GB" or "512MiB", or a number of bytes')
URL = Field(
    _url, "http://host[:port][/path], https://… or unix:///path, without user, password, query or fragment"
)
TEXTS = Field(_texts, "a list of texts")
TEXT_TABLE = Field(_text_table, "a table of texts")
PORT = whole(1, 65535)
LISTEN = Field(whole(0, 65535).read, "a port from 1 to 65535, or 0 for any free one")
LEVEL_OF_LOG = Field(lambda value: LogLevel(_text(value).lower()).value, "one of " + ", ".join(LogLevel))
