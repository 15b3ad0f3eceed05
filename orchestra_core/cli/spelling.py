"""Values as the text format shows them; what is not known is a dash, never a zero."""

from collections.abc import Iterable, Mapping


def seconds(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


def amount(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.1f}"


def size(value: int | None) -> str:
    """Bytes in decimal units, as disks and model files are sold."""
    if value is None:
        return "-"
    number = float(value)
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit in {"B", "kB"} else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def gib(value: int) -> str:
    """Bytes of memory as a number of GiB, without the unit."""
    return f"{value / 2**30:.1f}" if value >= 2**30 / 10 else f"{value / 2**30:.2f}"


def memory(value: int) -> str:
    """Bytes of memory, in binary units as systems report it."""
    return f"{gib(value)} GiB" if value >= 2**30 else f"{value / 2**20:.0f} MiB"


def residency(word: str) -> str:
    """Whether a model is loaded, in the console's words."""
    return "unloaded" if word == "absent" else word


def join(values: Iterable[object] | None) -> str:
    return ", ".join(str(value) for value in values or ()) or "-"


def brief(stamp: str) -> str:
    """A time of the engine without fractions of a second: `2026-11-23 08:15:07Z`."""
    return f"{stamp[:10]} {stamp[11:19]}Z"


def pairs(values: Mapping[str, object]) -> str:
    """`available_models 3, uptime 2h 45m`"""
    return ", ".join(f"{name.replace('_', ' ')} {_plain(value)}" for name, value in values.items()) or "-"


def _plain(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if isinstance(value, float) else str(value)
