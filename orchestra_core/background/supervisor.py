"""One owner for everything that runs beside requests; a loop that breaks is logged and started again."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine

log = logging.getLogger(__name__)
_RESTART_SECONDS = 1.0


class Supervisor:
    """Tasks live until `close`; none is ever forgotten by the garbage collector."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[object, object, None], name: str) -> asyncio.Task[None]:
        """Runs something that ends by itself; its failure is logged. The task is given to be cancelled, no more."""
        task = self._loop.create_task(self._guard(work, name), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def keep(self, loop: Callable[[], Awaitable[None]], name: str) -> asyncio.Task[None]:
        """Runs something that should never end, unless its task is cancelled."""
        return self.start(self._forever(loop, name), name)

    async def _guard(self, work: Coroutine[object, object, None], name: str) -> None:
        try:
            await work
        except Exception:
            log.exception("%s failed", name)

    async def _forever(self, loop: Callable[[], Awaitable[None]], name: str) -> None:
        while True:
            try:
                await loop()
            except Exception:
                log.exception("%s failed and is started again", name)
            await asyncio.sleep(_RESTART_SECONDS)

    async def close(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
