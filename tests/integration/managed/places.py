"""Where managed backends of tests keep their sockets and records, and what they told of children that ended."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from orchestra_core.upstream.launch import ManagedModel
from orchestra_core.upstream.managed import Managed


class Places:
    """`exits` collects what `on_exit` was told, `exhausted` who ran out of memory; `exited` is set by it."""

    def __init__(self, root: Path) -> None:
        self.runtime = root / "run"
        self.state = root / "state"
        self.exits: list[tuple[str, int, Sequence[str]]] = []
        self.exhausted: list[str] = []
        self.exited = asyncio.Event()

    def on_exit(self, model: str, status: int, lines: Sequence[str], out_of_memory: bool) -> None:
        self.exits.append((model, status, lines))
        self.exhausted += [model] if out_of_memory else []
        self.exited.set()

    def sockets(self) -> list[Path]:
        return list(self.runtime.iterdir()) if self.runtime.exists() else []

    def records(self) -> list[Path]:
        return list((self.state / "children").glob("*"))

    def child(self) -> psutil.Process:
        """The one child that runs now."""
        (record,) = self.records()
        return psutil.Process(int(record.stem))


def build(places: Places, models: Mapping[str, ManagedModel], **options: Any) -> Managed:
    """A managed backend called "local"."""
    settings = {"runtime_dir": places.runtime, "state_dir": places.state, "on_exit": places.on_exit}
    return Managed("local", models, **{**settings, **options})
