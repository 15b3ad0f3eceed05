"""Making connections: names looked up and remembered, addresses checked, time divided among them.

A name that cannot be looked up is not asked for again for 5 s, and what it last resolved to is tried meanwhile:
a name server that is down must not take the backends with it. What is connected to is the address that was
checked, never the name again, so that a name cannot change its mind in between (DNS rebinding).
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from orchestra_core.trust.addresses import is_address, refused_address
from orchestra_core.upstream.address import Address

P = TypeVar("P", bound=asyncio.BaseProtocol)
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
LOOKUP_SECONDS = 2.0
FORGET_FAILURE_SECONDS = 5.0
_LOOPBACK_SECONDS = 1.0
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Dialer:
    """`resolve` gives the IP addresses of a host, the best first, or raises OSError; `now` is monotonic seconds."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        seconds: float = 5.0,
        *,
        resolve: Resolve | None = None,
        now: Callable[[], float] | None = None,
    ) -> None:
        self._loop = loop
        self._seconds = seconds
        self._resolve = resolve or self._ask_system
        self._now = now or loop.time
        self._good: dict[str, Sequence[str]] = {}
        self._failed: dict[str, tuple[float, str]] = {}
        self._context: ssl.SSLContext | None = None

    def seconds(self, address: Address, limit: float | None = None) -> float:
        """How long connecting may take in all: what is on this machine answers at once or not at all.

        `limit` is for this address instead of what is usual.
        """
        near = address.unix is not None or address.host in _LOOPBACK
        allowed = self._seconds if limit is None else limit
        return min(allowed, _LOOPBACK_SECONDS) if near else allowed

    async def dial(self, make: Callable[[], P], address: Address, limit: float | None = None) -> P:
        """A connected protocol; raises OSError (refused, unknown, not allowed) or TimeoutError."""
        seconds = self.seconds(address, limit)
        async with asyncio.timeout(seconds):
            if address.unix is not None:
                return (await self._loop.create_unix_connection(make, address.unix))[1]
            found = await self.addresses(address.host, address.port)
            return await self._reach(make, address, found, seconds / len(found))

    async def _reach(self, make: Callable[[], P], address: Address, found: Sequence[str], share: float) -> P:
        """One after another; all but the last get an equal share of the time, so that one black hole is survived."""
        for ip in found[:-1]:
            try:
                async with asyncio.timeout(share):
                    return await self.connect(make, address, ip)
            except (OSError, TimeoutError):
                continue
        return await self.connect(make, address, found[-1])

    async def connect(self, make: Callable[[], P], address: Address, ip: str) -> P:
        """One connection to one address that was checked."""
        if not address.tls:
            return (await self._loop.create_connection(make, ip, address.port))[1]
        if self._context is None:
            self._context = ssl.create_default_context()
        secure = self._loop.create_connection(
            make, ip, address.port, ssl=self._context, server_hostname=address.host
        )
        return (await secure)[1]

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """Where a host is, never empty; raises OSError when that is unknown or no place for a backend."""
        if is_address(host):
            found: Sequence[str] = (host,)
        else:
            found = await self._look_up(host, port)
        allowed = [ip for ip in found if refused_address(ip) is None]
        if not allowed:
            raise OSError(f"{host} is not allowed: {refused_address(found[0])}")
        return allowed

    async def _look_up(self, host: str, port: int) -> Sequence[str]:
        failed = self._failed.get(host)
        if failed is None or failed[0] <= self._now():
            try:
                async with asyncio.timeout(LOOKUP_SECONDS):
                    found = await self._resolve(host, port)
            except (OSError, TimeoutError) as error:
                why = str(error) or f"no answer within {LOOKUP_SECONDS:g} s"
                failed = self._failed[host] = (self._now() + FORGET_FAILURE_SECONDS, why)
            else:
                self._failed.pop(host, None)
                self._good[host] = found
                return found
        good = self._good.get(host)
        if good is None:
            raise OSError(f"{host} cannot be looked up: {failed[1]}")
        return good

    async def _ask_system(self, host: str, port: int) -> Sequence[str]:
        found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))
