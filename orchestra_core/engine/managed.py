"""The managed backends of this engine: which models each can start, and what happens when a child ends."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from orchestra_core.config import BackendSettings, Paths
from orchestra_core.upstream.embedded import NAME, embedded_model
from orchestra_core.upstream.launch import ManagedModel
from orchestra_core.upstream.managed import Managed


class Died(Protocol):
    def __call__(self, endpoint_id: str, *, out_of_memory: bool) -> None: ...


def make_managed(
    settings: BackendSettings,
    paths: Paths,
    say: Callable[[str, str, str, str], None],
    suspect: Callable[[str], None],
    died: Died,
) -> Managed:
    """`died` is told of a loaded model, by its endpoint's id, whose process has ended, and whether for want of memory.

    Raises ConfigError for a command, file or directory that cannot work.
    """
    given = {
        name: value for name in ("context", "parallel") if (value := getattr(settings, name)) is not None
    }
    if settings.embedded:
        models = {NAME: embedded_model(paths.cache_dir, **given)}
    else:
        models = {name: ManagedModel(path=Path(file), **given) for name, file in settings.files.items()}
        models |= {name: ManagedModel(**given) for name in settings.models if name not in models}

    def exited(model: str, code: int, lines: Sequence[str], out_of_memory: bool) -> None:
        last = lines[-1] if lines else "nothing in its log"
        how = f"ran out of memory and ended ({code})" if out_of_memory else f"ended ({code})"
        say("model.failed", f"{settings.name}/{model}", f"its process {how}: {last}", "error")
        died(f"{settings.name}/{model}", out_of_memory=out_of_memory)
        suspect(settings.name)

    return Managed(
        settings.name,
        models,
        command=settings.command,
        runtime_dir=paths.runtime_dir,
        state_dir=paths.state_dir,
        on_exit=exited,
    )
