"""The Date header (RFC 9110 section 6.6.1), rendered once a second instead of once an answer."""

from email.utils import formatdate

_current = ""


def refresh(wall: float) -> None:
    """Called about once a second by the listener with the wall clock in Unix seconds."""
    global _current  # noqa: PLW0603  a cache of the clock, as every HTTP server keeps one
    _current = f"date: {formatdate(wall, usegmt=True)}\r\n"


def date_header() -> str:
    return _current
