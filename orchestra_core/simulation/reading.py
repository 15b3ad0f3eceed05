"""Reading request bodies as both simulated surfaces do: typed, and refused in the surface's own shape."""

import re
from math import inf
from typing import TypeVar

import msgspec

T = TypeVar("T")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


class BadBody(Exception):
    """A request body the server cannot use; the message is for the client."""


def read(body: bytes, shape: type[T]) -> T:
    """The body as `shape`; raises BadBody."""
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadBody(str(error)) from error


def keep_alive_seconds(value: str | float | None) -> float | None:
    """Ollama's `keep_alive` in seconds: a number of them, or a Go duration; negative is for ever."""
    if value is None:
        return None
    seconds = _go_duration(value) if isinstance(value, str) else float(value)
    return inf if seconds < 0 else seconds


def _go_duration(text: str) -> float:
    sign = -1.0 if text.startswith("-") else 1.0
    digits = text.lstrip("+-")
    if digits == "0":
        return 0.0
    parts = _DURATION.findall(digits)
    if not parts or "".join(number + unit for number, unit in parts) != digits:
        raise BadBody(f'time: invalid duration "{text}"')
    return sign * sum(float(number) * _UNITS[unit] for number, unit in parts)
