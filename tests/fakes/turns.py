"""Lets the event loop run what is ready, without waiting for time."""

from collections.abc import Callable, Generator
from types import coroutine


@coroutine
def one_turn() -> Generator[None, None, None]:
    yield


async def settle(turns: int = 40) -> None:
    """Everything that is ready, and what that makes ready, has run afterwards."""
    for _ in range(turns):
        await one_turn()


async def until(condition: Callable[[], bool]) -> None:
    """Turns the loop until it holds; whoever waits for ever is ended by the patience of its test."""
    while not condition():
        await one_turn()
