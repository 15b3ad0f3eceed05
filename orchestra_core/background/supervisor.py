"""One owner for everything that runs beside requests; a loop that breaks is logged and started again."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeVar

from orchestra_core.domain.errors import OrchestraError

log = logging.getLogger(__name__)
T = TypeVar("T")
_RESTART_SECONDS = 1.0


class Supervisor:
    """Tasks live until `close`; none is ever forgotten by the garbage collector."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[object, object, None], name: str) -> asyncio.Task[None]:
        """Runs something that ends by itself; its failure is logged. The task is given to be cancelled, no more."""
        return self._own(self._guard(work, name), name)

    async def finish(self, work: Coroutine[Any, Any, T], name: str) -> T:
        """What comes of work that goes on to its end also when whoever waits for it here leaves."""
        task = self._own(work, name)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_tell)
            raise

    def _own(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        task = self._loop.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def keep(self, loop: Callable[[], Awaitable[None]], name: str) -> asyncio.Task[None]:
        """Runs something that should never end, unless its task is cancelled."""
        return self.start(self._forever(loop, name), name)

    @staticmethod
    def take(steps: Mapping[str, Callable[[], object]]) -> None:
        """Takes each of these steps, by name, whatever becomes of those before it; failures are logged."""
        for name, step in steps.items():
            try:
                step()
            except Exception:  # as for what runs by itself, and the steps after it go on
                log.exception("%s failed", name)

    async def _guard(self, work: Coroutine[object, object, None], name: str) -> None:
        try:
            await work
        except Exception:  # nobody waits for it who could be told: the log is, and everything else goes on
            log.exception("%s failed", name)

    async def _forever(self, loop: Callable[[], Awaitable[None]], name: str) -> None:
        while True:
            try:
                await loop()
            except Exception:  # or health checks would stop for good by an error that nobody thought of
                log.exception("%s failed and is started again", name)
            await asyncio.sleep(_RESTART_SECONDS)

    async def close(self) -> None:
        # What is ended may start something on its way out.
        while self._tasks:
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _tell(task: asyncio.Task[Any]) -> None:
    """Nobody waits any more who could be told how it failed."""
    error = None if task.cancelled() else task.exception()
    if error is not None:
        trace = None if isinstance(error, OrchestraError) else error
        log.error("%s failed: %s", task.get_name(), error, exc_info=trace)
