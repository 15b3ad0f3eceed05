"""An event loop whose time a test can move forward: minutes of silence pass in no time, sockets stay real."""

import asyncio
import socket
import time
from collections.abc import Sequence
from typing import Any


class LeapingLoop(asyncio.SelectorEventLoop):
    """Real time, and on top of it whatever was leapt over; real names, but for those it was told about.

    `names` has the addresses of a host: none, and there is no such name; None, and nobody answers who asks for it.
    """

    def __init__(self) -> None:
        self._ahead = 0.0
        self.names: dict[str, Sequence[str] | None] = {}
        self.asked: list[str] = []
        super().__init__()

    def time(self) -> float:
        return super().time() + self._ahead

    def wall(self) -> float:
        return time.time() + self._ahead

    def leap(self, seconds: float) -> None:
        """Every timer that is due by then runs, in order, once the caller waits for something."""
        self._ahead += seconds

    async def getaddrinfo(self, host: Any, port: Any, **wishes: Any) -> Any:
        """As the system's, where the test says nothing of the host."""
        if host not in self.names:
            return await super().getaddrinfo(host, port, **wishes)
        self.asked.append(host)
        found = self.names[host]
        if found is None:
            await asyncio.Event().wait()
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in found]


class LoopClock:
    """The engine's clock in step with the loop it runs on."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def monotonic(self) -> float:
        return self._loop.time()

    def wall(self) -> float:
        return self._loop.wall() if isinstance(self._loop, LeapingLoop) else time.time()
