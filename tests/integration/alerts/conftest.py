"""Engines over chaos backends whose alerts are looked at by hand; whoever waits for ever is ended."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import uvloop

PATIENCE = 30.0


def pytest_asyncio_loop_factories(
    item: pytest.Function,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The production loop."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True)
async def patience() -> AsyncIterator[None]:
    """Cancels whatever still runs when patience is at its end."""
    loop = asyncio.get_running_loop()
    ours = asyncio.current_task()

    def give_up() -> None:
        for task in asyncio.all_tasks(loop):
            if task is not ours and "test_" in repr(task.get_coro()):
                task.cancel("the test waited for what never came")

    timer = threading.Timer(PATIENCE, loop.call_soon_threadsafe, [give_up])
    timer.start()
    yield
    timer.cancel()
