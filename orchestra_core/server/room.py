"""What all connections of a listener share: how many there are, and how much of bodies they hold."""

from functools import lru_cache
from ipaddress import IPv6Network
from typing import Final, Protocol

from orchestra_core.http1.checks import Limits, Refusal

_FULL: Final = Refusal(503, "too_many_connections", "too many connections are open; try again")
_NO_MEMORY: Final = Refusal(503, "out_of_memory", "the machine is out of memory; try again")
_PEER_FULL: Final = Refusal(503, "too_many_connections", "too many connections are open from this address")
_BODIES_FULL: Final = Refusal(503, "bodies_full", "too many large request bodies are being held; try again")
_PEER_BODIES_FULL: Final = Refusal(
    503, "bodies_full", "too many large request bodies are being held from this address; try again"
)


class Guest(Protocol):
    """A connection as the listener sees it."""

    def expire(self, now: float) -> None: ...

    def forget_head(self) -> None: ...

    @property
    def serving(self) -> bool: ...

    def cancel(self) -> None: ...

    def close_idle(self) -> None: ...

    def hang_up(self) -> None: ...

    def abort(self) -> None: ...

    def reset(self) -> None: ...


class Room:
    """Bounds of all connections together. `capacity` connections in all, some kept for the Unix socket.

    `held` counts the bytes of large request bodies in memory, in all and by the address they are from: whoever is
    nobody yet must not keep everybody else's out. `idle_factor` (1 to 0) scales how long a
    connection may stay idle, `closed` lets none in but over the Unix socket: whoever watches memory sets them.
    """

    __slots__ = (
        "_bodies",
        "_capacity",
        "_limits",
        "_peers",
        "_unix",
        "closed",
        "connections",
        "held",
        "idle_factor",
    )

    def __init__(self, limits: Limits, capacity: int) -> None:
        self._limits = limits
        self._capacity = capacity
        self._peers: dict[str, int] = {}
        self._bodies: dict[str, int] = {}
        self._unix = 0
        self.connections: set[Guest] = set()
        self.held = 0
        self.idle_factor = 1.0
        self.closed = False

    def enter(self, guest: Guest, peer: str) -> Refusal | None:
        """Counts a new connection, or says why it may not stay."""
        reserved = min(self._limits.connections_reserved, self._capacity // 4)
        if _is_unix(peer):
            if len(self.connections) >= self._capacity and self._unix >= reserved:
                return _FULL
            self._unix += 1
        else:
            if self.closed:
                return _NO_MEMORY
            if len(self.connections) - self._unix >= self._capacity - reserved:
                return _FULL
            origin = _origin(peer)
            count = self._peers.get(origin, 0)
            # Behind a reverse proxy of this machine every client is loopback.
            if count >= self._limits.connections_per_peer and not _is_loopback(peer):
                return _PEER_FULL
            self._peers[origin] = count + 1
        self.connections.add(guest)
        return None

    def leave(self, guest: Guest, peer: str) -> None:
        """Forgets a connection; one that was refused is unknown and changes nothing."""
        if guest not in self.connections:
            return
        self.connections.discard(guest)
        if _is_unix(peer):
            self._unix -= 1
            return
        origin = _origin(peer)
        left = self._peers[origin] - 1
        if left:
            self._peers[origin] = left
        else:
            del self._peers[origin]

    def refuses(self, peer: str, size: int) -> Refusal | None:
        """Why `size` more bytes of large bodies from there are too much, or None."""
        if self.held + size > self._limits.bodies:
            return _BODIES_FULL
        if _is_here(peer) or self._bodies.get(_origin(peer), 0) + size <= self._limits.bodies_per_peer:
            return None
        return _PEER_BODIES_FULL

    def hold(self, peer: str, size: int) -> None:
        """Counts bytes of bodies; a negative `size` gives them back."""
        self.held += size
        if _is_here(peer):
            return
        origin = _origin(peer)
        left = self._bodies.get(origin, 0) + size
        if left:
            self._bodies[origin] = left
        else:
            self._bodies.pop(origin, None)


def _is_here(peer: str) -> bool:
    """From this machine: its owner, or a reverse proxy that everybody else comes through."""
    return _is_unix(peer) or _is_loopback(peer)


def _is_unix(peer: str) -> bool:
    """Whatever user it is; see `peer_of`."""
    return peer.startswith("unix")


def _is_loopback(peer: str) -> bool:
    return peer.startswith("127.") or peer == "::1"


@lru_cache(1024)
def _origin(peer: str) -> str:
    """Who a connection is counted for: an IPv4 address, or the /64 an IPv6 host chooses its addresses in."""
    if ":" not in peer:
        return peer
    return str(IPv6Network((peer.partition("%")[0], 64), strict=False))
