"""Managed backends in directories of their own, closed when the test has ended."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import psutil
import pytest

from orchestra_core.upstream.launch import ManagedModel
from orchestra_core.upstream.managed import Managed
from tests.integration.managed.places import Places, build

TINY = Path(__file__).with_name("tiny_server.py")


class Make(Protocol):
    def __call__(self, models: Mapping[str, ManagedModel], **options: Any) -> Managed: ...


@pytest.fixture
async def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


@pytest.fixture
async def make(places: Places) -> AsyncIterator[Make]:
    """Makes managed backends called "local"."""
    made: list[Managed] = []

    def remembered(models: Mapping[str, ManagedModel], **options: Any) -> Managed:
        made.append(build(places, models, **options))
        return made[-1]

    yield remembered
    await asyncio.gather(*(managed.close() for managed in made))


@pytest.fixture
def tiny() -> Callable[..., list[str]]:
    """A command template for the tiny server, listening on a TCP port, with more flags after it."""

    def command(*flags: str, listen: Sequence[str] = ("--host", "{host}", "--port", "{port}")) -> list[str]:
        return [sys.executable, str(TINY), *listen, *flags]

    return command


@pytest.fixture
def gone() -> Callable[[psutil.Process], Awaitable[bool]]:
    """Whether a process ends within some seconds; a zombie has ended."""

    async def wait(process: psutil.Process) -> bool:
        def poll() -> bool:
            for _ in range(200):
                _, alive = psutil.wait_procs([process], timeout=0.05)
                if not alive or not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
                    return True
            return False

        return await asyncio.to_thread(poll)

    return wait
