"""What a promise in seconds cannot answer for: that other programs had the processor."""

import asyncio
import contextlib
import time
from collections.abc import Iterator

_STEP = 0.002


class Lateness:
    """Seconds in which the loop wanted to go on and this process was not running."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._loop = asyncio.get_running_loop()
        self._begin()

    def _begin(self) -> None:
        self._began, self._ran = time.perf_counter(), time.process_time()
        self._timer = self._loop.call_later(_STEP, self._step)

    def _step(self) -> None:
        self.stop()
        self._begin()

    def stop(self) -> None:
        self._timer.cancel()
        idle = time.perf_counter() - self._began - (time.process_time() - self._ran)
        self.seconds += max(idle - _STEP, 0.0)


@contextlib.contextmanager
def lateness() -> Iterator[Lateness]:
    late = Lateness()
    try:
        yield late
    finally:
        late.stop()
