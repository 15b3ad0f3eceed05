"""An event loop whose time a test can move forward: minutes of silence pass in no time, sockets stay real."""

import asyncio
import time


class LeapingLoop(asyncio.SelectorEventLoop):
    """Real time, and on top of it whatever was leapt over."""

    def __init__(self) -> None:
        self._ahead = 0.0
        super().__init__()

    def time(self) -> float:
        return super().time() + self._ahead

    def wall(self) -> float:
        return time.time() + self._ahead

    def leap(self, seconds: float) -> None:
        """Every timer that is due by then runs, in order, once the caller waits for something."""
        self._ahead += seconds


class LoopClock:
    """The engine's clock in step with the loop it runs on."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def monotonic(self) -> float:
        return self._loop.time()

    def wall(self) -> float:
        return self._loop.wall() if isinstance(self._loop, LeapingLoop) else time.time()
