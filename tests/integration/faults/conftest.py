"""Engines over chaos backends, one of each per test; a test that asks for `leap` gets a loop that can."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import pytest
import uvloop

from tests.fakes.chaos import ChaosBackend
from tests.fakes.chaos_steps import well
from tests.fakes.engine_here import EngineHere
from tests.fakes.leaping_loop import LeapingLoop
from tests.fakes.turns import settle

# Configuration for what happens to a stream that nobody goes on with.
WHOLE_OR_CUT = "[resilience]\ncontinuation = false\n"
# Real seconds after which a test that waits for what never comes is failed, with the place where it waits.
PATIENCE = 30.0


def pytest_asyncio_loop_factories(
    item: pytest.Function,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The production loop, but the one that can leap where a test needs minutes to pass."""
    return {"leaping": LeapingLoop} if "leap" in item.fixturenames else {"uvloop": uvloop.new_event_loop}


@pytest.fixture
def patient_for() -> float:
    return PATIENCE


@pytest.fixture(autouse=True)
async def patience(patient_for: float) -> AsyncIterator[None]:
    """Cancels whatever still runs when patience is at its end: real time, whatever the loop leaps over."""
    loop = asyncio.get_running_loop()
    ours = asyncio.current_task()

    def give_up() -> None:
        for task in asyncio.all_tasks(loop):
            if task is not ours and "test_" in repr(task.get_coro()):
                task.cancel("the test waited for what never came")

    timer = threading.Timer(patient_for, loop.call_soon_threadsafe, [give_up])
    timer.start()
    yield
    timer.cancel()


@pytest.fixture
async def leap() -> Callable[[float], None]:
    """Moves the time of the loop forward by so many seconds, at once."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, LeapingLoop)
    return loop.leap


@pytest.fixture
async def later(leap: Callable[[float], None]) -> Callable[[float], Awaitable[None]]:
    """The same in steps, so that health checks are made meanwhile as they would be."""

    async def step_by_step(seconds: float) -> None:
        while seconds > 0:
            leap(min(seconds, 4.0))
            seconds -= 4.0
            await settle(100)

    return step_by_step


class Stage:
    """What a test needs: backends by name, and an engine over them; all of it ends with the test."""

    def __init__(self, home: Path, stack: contextlib.AsyncExitStack) -> None:
        self._home = home
        self._stack = stack

    async def backend(self, name: str, kind: str = "openai", **options: object) -> ChaosBackend:
        made = ChaosBackend(name, kind, **options)
        made.well = well()
        return await self._stack.enter_async_context(made)

    async def engine(self, *backends: ChaosBackend, more: str = "", slots: int | None = None) -> EngineHere:
        return await self._stack.enter_async_context(EngineHere(self._home, backends, more, slots=slots))

    async def pair(
        self, kind: str = "openai", more: str = "", *, slots: int | None = 16
    ) -> tuple[EngineHere, ChaosBackend, ChaosBackend]:
        """An engine that prefers the first of two backends by far, and has room for a dozen calls on each."""
        first, second = await self.backend("first", kind), await self.backend("second", kind)
        return await self.engine(first, second, more=more, slots=slots), first, second


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with contextlib.AsyncExitStack() as stack:
        yield Stage(tmp_path, stack)
