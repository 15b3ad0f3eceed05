"""Which Host a request may name: a page that rebinds its own name to a loopback address names another.

CVE-2024-28224 was an engine without this rule. Stricter than Ollama's, which also lets `*.local`, `*.internal`
and private addresses pass: here a name is allowed because it is loopback, ours, or configured.
"""

import ipaddress
from collections.abc import Iterable

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_WILDCARD = frozenset({"", "0.0.0.0", "::"})


def is_loopback(host: str) -> bool:
    """Whether an address or name is of this machine alone, by what it says and not by what it resolves to."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def split(value: str) -> tuple[str, int | None] | None:
    """(name in lower case without brackets, port) of `name`, `name:port` or `[v6]:port`; None for anything else."""
    name, port = value.strip().lower(), ""
    if name.startswith("["):
        name, bracket, rest = name[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            return None
        port = rest[1:]
    elif name.count(":") == 1:
        name, _, port = name.partition(":")
    if not name or not (
        port == "" or (port.isascii() and port.isdigit() and len(port) < 6 and int(port) < 65536)
    ):
        return None
    return name.removesuffix("."), int(port) if port else None


class Hosts:
    """`configured` is where we listen, `allowed` are names with or without a port, `port` is ours."""

    def __init__(self, configured: str, allowed: Iterable[str], port: int) -> None:
        self._port = port
        self._names: set[str] = set(_LOOPBACK)
        self._exact: set[tuple[str, int]] = set()
        if configured not in _WILDCARD:
            self._names.add(configured.lower())
        for entry in allowed:
            found = split(entry)
            if found is None:
                raise ValueError(f"{entry!r} is not a host")
            name, fixed = found
            if fixed is None:
                self._names.add(name)
            else:
                self._exact.add((name, fixed))
        # What nearly every request says, so that it is found without being taken apart.
        spelt = [f"[{name}]" if ":" in name else name for name in self._names]
        self.usual = frozenset(
            [name.encode() for name in spelt] + [f"{name}:{port}".encode() for name in spelt]
        )

    def allows(self, value: bytes) -> bool:
        if value in self.usual:
            return True
        found = split(value.decode("latin-1"))
        if found is None:
            return False
        name, port = found
        if (name, port) in self._exact:
            return True
        return port in (None, self._port) and (name in self._names or is_loopback(name))
