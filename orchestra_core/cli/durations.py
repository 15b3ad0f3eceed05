"""Times as people write them on the command line."""

import re

import click

_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def seconds_in(text: str) -> float:
    """Of `1h30m`; 0 for what is no time."""
    parts = _PART.findall(text)
    if "".join(number + unit for number, unit in parts) != text:
        return 0.0
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def duration(_context: click.Context, _option: click.Parameter, text: str | None) -> float | None:
    """Seconds of `90s`, `1h30m` or `2d`, and of a number alone; for an option that was not given None."""
    if text is None:
        return None
    seconds = float(text) if text.isascii() and text.isdigit() else seconds_in(text)
    if not 0 < seconds <= 30 * _UNITS["d"]:
        raise click.BadParameter(f"{text!r} is no time such as 90s, 30m, 1h30m or 2d, of at most 30 days")
    return seconds
