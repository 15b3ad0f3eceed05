"""Numbers as people read them: one unit per size, no jitter, a dash for what is not known."""

from datetime import datetime

UNKNOWN = "–"


def size(value: int | None, unknown: str = UNKNOWN) -> str:
    """Bytes in at most five characters: `512M`, `5.9G`, `64G`."""
    if value is None:
        return unknown
    amount = float(value)
    for unit in ("B", "K", "M"):
        if abs(amount) < 999.5:
            return f"{amount:.0f}{unit}"
        amount /= 1024
    if amount < 1024:
        return f"{amount:.1f}G" if amount < 99.95 else f"{amount:.0f}G"
    return f"{amount / 1024:.1f}T"


def count(value: int | None, unknown: str = UNKNOWN) -> str:
    """A count in at most five characters: `982`, `12.4k`, `3.1M`."""
    if value is None:
        return unknown
    if value < 10_000:
        return str(value)
    for limit, unit in ((1e6, "k"), (1e9, "M"), (1e12, "G")):
        if value < limit * 0.9995:
            amount = value / (limit / 1000)
            return f"{amount:.1f}{unit}" if amount < 99.95 else f"{amount:.0f}{unit}"
    return f"{value / 1e12:.1f}T"


def parameters(value: int | None, unknown: str = UNKNOWN) -> str:
    """The size of a model as its name has it: `268M`, `7.2B`."""
    return count(value, unknown).replace("G", "B")


def context(tokens: int, unknown: str = UNKNOWN) -> str:
    """A context length: `8K`, `128K`, `1M`."""
    if tokens <= 0:
        return unknown
    if tokens < 1000:
        return str(tokens)
    # 128000 is a multiple of both; nobody calls it 125K.
    base = 1000 if tokens % 1000 == 0 or tokens % 1024 else 1024
    return f"{tokens / base / base:.3g}M" if tokens >= base * base else f"{tokens / base:.3g}K"


def rate(value: float | None, unknown: str = UNKNOWN) -> str:
    if value is None:
        return unknown
    return f"{value:.1f}" if value < 999.95 else f"{value:.0f}"


def seconds(value: float | None, unknown: str = UNKNOWN) -> str:
    """A latency: `12ms`, `0.43s`, `12.1s`, `2m05s`."""
    if value is None:
        return unknown
    if value < 0.0995:
        return f"{value * 1000:.0f}ms"
    if value < 9.995:
        return f"{value:.2f}s"
    if value < 99.95:
        return f"{value:.1f}s"
    return f"{int(value) // 60}m{int(value) % 60:02d}s"


def cost(value: float | None, unknown: str = UNKNOWN, *, at_least: bool = False) -> str:
    """What was asked, in four digits or whole units; a plus where some of it is of no known price."""
    if value is None:
        return unknown
    return (f"{value:.4g}" if value < 9999.5 else f"{value:,.0f}") + ("+" if at_least else "")


def age(value: float | None, unknown: str = UNKNOWN) -> str:
    """How long ago, in at most three characters where possible: `8s`, `12m`, `3h`, `9d`."""
    if value is None:
        return unknown
    whole = max(int(value), 0)
    for limit, of, unit in ((60, 1, "s"), (3600, 60, "m"), (86400, 3600, "h")):
        if whole < limit:
            return f"{whole // of}{unit}"
    return f"{whole // 86400}d"


def uptime(value: float) -> str:
    """A duration in two units: `48s`, `2m 05s`, `2h 45m`, `3d 4h`."""
    whole = max(int(value), 0)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d {whole % 86400 // 3600}h"


def since(now: str, then: str | None) -> float | None:
    """Seconds between two RFC 3339 stamps of the engine; None when either cannot be read."""
    if not then:
        return None
    try:
        return (datetime.fromisoformat(now) - datetime.fromisoformat(then)).total_seconds()
    except (ValueError, TypeError):
        return None


def file_stamp(stamp: str) -> str:
    """An RFC 3339 stamp to the second as part of a file's name: `20260102-150405`."""
    return stamp[:19].replace("-", "").replace(":", "").replace("T", "-")


def clock(stamp: str) -> str:
    """The time of day of an RFC 3339 stamp, as the engine gave it (UTC)."""
    return stamp[11:19] if len(stamp) >= 19 else stamp
