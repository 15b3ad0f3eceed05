"""`python -m benchmarks.console.watched FILE …`: the console, which writes down what held its event loop.

Every callback of the loop is timed by the CPU time of its thread, so that other programs on the machine do not count.
At the end FILE has one line of JSON for each hold worth telling: when it ended, how long it was, and whose it was.
"""

import asyncio
import atexit
import gc
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

WORTH_TELLING = 0.004


class Hold(msgspec.Struct, frozen=True):
    """`at` is monotonic seconds; `seconds` of CPU; `what` is the task's or callback's own name, `collecting`
    how much of it was the garbage collector."""

    at: float
    seconds: float
    what: str
    collecting: float = 0.0


def watch(file: Path) -> None:
    """From now on, in this process."""
    run = asyncio.Handle._run
    holds: list[Hold] = []
    collected = 0.0
    begun = 0.0

    def collecting(phase: str, _: object) -> None:
        nonlocal collected, begun
        if phase == "start":
            begun = time.thread_time()
        else:
            collected += time.thread_time() - begun

    def timed(handle: asyncio.Handle) -> None:
        before, earlier = time.thread_time(), collected
        run(handle)
        took = time.thread_time() - before
        if took > WORTH_TELLING:
            holds.append(Hold(time.monotonic(), took, _name(handle), collected - earlier))

    gc.callbacks.append(collecting)
    asyncio.Handle._run = timed  # type: ignore[method-assign, assignment]  # the one place all pass
    atexit.register(lambda: file.write_bytes(b"\n".join(map(msgspec.json.encode, holds))))


def _name(handle: asyncio.Handle) -> str:
    callback: Any = getattr(handle, "_callback", None)
    owner = getattr(callback, "__self__", None)
    if isinstance(owner, asyncio.Task):
        coroutine = owner.get_coro()
        return f"{owner.get_name()} {getattr(coroutine, '__qualname__', '')}"
    return str(getattr(callback, "__qualname__", callback))


def read(file: Path) -> list[Hold]:
    return [msgspec.json.decode(row, type=Hold) for row in file.read_bytes().splitlines()]


if __name__ == "__main__":
    watch(Path(sys.argv.pop(1)))
    from orchestra_core.cli import main

    main()
