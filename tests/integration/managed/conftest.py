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

TINY = Path(__file__).with_name("tiny_server.py")


class Places:
    """`exits` collects what `on_exit` was told; `exited` is set by it."""

    def __init__(self, root: Path) -> None:
        self.runtime = root / "run"
        self.state = root / "state"
        self.exits: list[tuple[str, int, Sequence[str]]] = []
        self.exited = asyncio.Event()

    def on_exit(self, model: str, status: int, lines: Sequence[str]) -> None:
        self.exits.append((model, status, lines))
        self.exited.set()

    def sockets(self) -> list[Path]:
        return list(self.runtime.iterdir()) if self.runtime.exists() else []

    def records(self) -> list[Path]:
        return list((self.state / "children").glob("*"))

    def child(self) -> psutil.Process:
        """The one child that runs now."""
        (record,) = self.records()
        return psutil.Process(int(record.stem))


class Make(Protocol):
    def __call__(self, models: Mapping[str, ManagedModel], **options: Any) -> Managed: ...


@pytest.fixture
async def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


@pytest.fixture
async def make(places: Places) -> AsyncIterator[Make]:
    """Makes managed backends called "local"."""
    made: list[Managed] = []

    def build(models: Mapping[str, ManagedModel], **options: Any) -> Managed:
        settings = {"runtime_dir": places.runtime, "state_dir": places.state, "on_exit": places.on_exit}
        made.append(Managed("local", models, **{**settings, **options}))
        return made[-1]

    yield build
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
