"""The managed backends of this engine: which models each can start, and what happens when a child ends."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from orchestra_core.config import BackendSettings, Paths
from orchestra_core.upstream.deaths import describe_death
from orchestra_core.upstream.embedded import NAME, embedded_model
from orchestra_core.upstream.launch import PARALLEL, ManagedModel
from orchestra_core.upstream.managed import Managed


class Died(Protocol):
    def __call__(self, endpoint_id: str, *, out_of_memory: bool) -> None: ...


def make_managed(
    settings: BackendSettings,
    wished: Callable[[str], int | None],
    paths: Paths,
    say: Callable[[str, str, str, str], None],
    suspect: Callable[[str], None],
    died: Died,
) -> Managed:
    """`wished` is the context, in tokens, an operator wants a model to be loaded with, None: as usual.

    `died` is told of a loaded model, by its endpoint's id, whose process has ended, and whether for want of memory.

    Raises ConfigError for a command, file or directory that cannot work.
    """
    parallel = settings.parallel or PARALLEL
    if settings.embedded:
        models = {NAME: embedded_model(paths.cache_dir, parallel=parallel)}
    else:
        models = {
            name: ManagedModel(path=Path(file), parallel=parallel) for name, file in settings.files.items()
        }
        models |= {name: ManagedModel(parallel=parallel) for name in settings.models if name not in models}

    def exited(model: str, code: int, lines: Sequence[str], out_of_memory: bool) -> None:
        told = describe_death(code, lines, exhausted=out_of_memory)
        say("model.failed", f"{settings.name}/{model}", told, "error")
        died(f"{settings.name}/{model}", out_of_memory=out_of_memory)
        suspect(settings.name)

    return Managed(
        settings.name,
        models,
        command=settings.command,
        context=wished,
        runtime_dir=paths.runtime_dir,
        state_dir=paths.state_dir,
        on_exit=exited,
    )


async def end_orphans(paths: Paths, say: Callable[[str, str, str, str], None]) -> None:
    """Ends what a crashed engine left running."""
    for ended in await asyncio.to_thread(Managed.end_orphans, paths.state_dir):
        say("engine.orphan", "engine", f"ended a child of a crashed engine: {ended}", "warning")
