"""Numbers of the ledger as the text format shows them; what is not known is a dash, never a zero."""

from datetime import datetime
from typing import Any


def count(value: float | None) -> str:
    """Short, because columns are: `1234`, `12.3k`, `4.5M`."""
    if value is None:
        return "-"
    if value < 10_000:
        return f"{value:.0f}"
    for unit, size in (("k", 1e3), ("M", 1e6), ("G", 1e9)):
        if value < 1000 * size or unit == "G":
            break
    return f"{value / size:.1f}{unit}" if value < 100 * size else f"{value / size:.0f}{unit}"


def cost(value: float | None, unknown: int = 0) -> str:
    """Four digits, or whole units; a plus where some requests are not in it because nobody knows what they cost."""
    if value is None:
        return "-"
    return (f"{value:.4g}" if value < 9999.5 else f"{value:,.0f}") + ("+" if unknown else "")


def percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"


def rate(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def duration(seconds: float | None) -> str:
    """Seconds, as many digits as tell something."""
    if seconds is None:
        return "-"
    return f"{seconds:.3f}" if seconds < 1 else f"{seconds:.2f}" if seconds < 100 else f"{seconds:.0f}"


def milliseconds(value: float | None) -> str:
    """Milliseconds as seconds."""
    return duration(None if value is None else value / 1000)


def bound(spread: dict[str, Any] | None) -> str:
    """A quantile is known by its bounds only: the upper one, or that it is beyond the last."""
    if spread is None:
        return "-"
    most = spread.get("at_most")
    return f">{duration(spread.get('above'))}" if most is None else duration(most)


def text(value: object) -> str:
    return "-" if value is None or value == "" else str(value)


def points(value: float) -> str:
    """Part of a utility; what rounds to nothing has no sign."""
    shown = f"{value:.2f}"
    return "0.00" if shown == "-0.00" else shown


def ago(at: str, now: str) -> str:
    """Between two RFC 3339 times, in the largest unit that fits: `42s`, `7m`, `3h`, `12d`."""
    seconds = max(0.0, (datetime.fromisoformat(now) - datetime.fromisoformat(at)).total_seconds())
    for unit, size, most in (("s", 1, 120), ("m", 60, 7200), ("h", 3600, 172_800)):
        if seconds < most:
            return f"{seconds // size:.0f}{unit}"
    return f"{seconds // 86_400:.0f}d"
