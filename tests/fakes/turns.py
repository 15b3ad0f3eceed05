"""Lets the event loop run what is ready, without waiting for time."""

from collections.abc import Generator
from types import coroutine


@coroutine
def one_turn() -> Generator[None, None, None]:
    yield


async def settle(turns: int = 40) -> None:
    """Everything that is ready, and what that makes ready, has run afterwards."""
    for _ in range(turns):
        await one_turn()
