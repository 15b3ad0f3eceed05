"""Waiting for what no event of ours tells: another process, or the kernel. Everything else has something to wait on.

Bounded, and looked at often: whoever calls says in a comment whom it is waited for.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

PATIENCE = 20.0
AGAIN = 0.01


def wait_outside(condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Returns when it holds; AssertionError, which says `what` did not come, when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"no {what} within {seconds:g} s"
        time.sleep(AGAIN)


async def until_outside(
    condition: Callable[[], Awaitable[bool]] | Callable[[], bool], what: str, seconds: float = PATIENCE
) -> None:
    """The same while the event loop goes on; the condition may be one that has to be asked for."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        holds = condition()
        if await holds if isinstance(holds, Awaitable) else holds:
            return
        assert loop.time() < deadline, f"no {what} within {seconds:g} s"
        await asyncio.sleep(AGAIN)
