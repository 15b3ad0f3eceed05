"""The managed backend: models in child processes of this engine, one each, so that unloading frees memory."""

import asyncio
import importlib.metadata
import os
import shutil
import stat
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from orchestra_core.domain.catalog import ModelInfo
from orchestra_core.domain.errors import ConfigError
from orchestra_core.upstream import orphans, plain_chat
from orchestra_core.upstream.address import Address
from orchestra_core.upstream.child_log import ChildLog, file_name
from orchestra_core.upstream.control import ControlError, Probe
from orchestra_core.upstream.launch import (
    SOCKET_LIMIT,
    Launcher,
    ManagedModel,
    Template,
    launch_llama,
)
from orchestra_core.upstream.served_model import OnExit, ServedModel, Surroundings

# A load may be slow, but one that neither grows in memory nor says anything for this long hangs.
STALL_SECONDS = 300.0
GRACE_SECONDS = orphans.GRACE_SECONDS
_PLAIN_CHAT_DEFAULTS: Mapping[str, object] = {"stop": list(plain_chat.STOP)}


class Managed:
    """A backend whose servers this engine starts and ends.

    Without `command` a child runs llama.cpp (`xllamacpp`) on a Unix socket in `runtime_dir`; `command` is any
    server's, with placeholders (see `launch.Template`). `context` are the tokens a model is to be loaded with from now
    on, None: as `models` says. Logs and records of children are in `state_dir`.
    `on_exit(model, status, last_lines, out_of_memory)` is called when a loaded model's child ends without being told
    to; its residency is `absent` by then. Raises ConfigError for a command or directory that cannot work.
    """

    def __init__(
        self,
        name: str,
        models: Mapping[str, ManagedModel],
        *,
        command: Sequence[str] | None = None,
        context: Callable[[str], int | None] = lambda _: None,
        runtime_dir: Path,
        state_dir: Path,
        on_exit: OnExit | None = None,
        stall_seconds: float = STALL_SECONDS,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self.name = name
        self._command = tuple(command or ())
        self._runtime_dir = runtime_dir
        launcher = self._launcher(models)
        shared = Surroundings(name, launcher, state_dir, on_exit, stall_seconds, grace_seconds, context)
        self._models = {
            model: ServedModel(
                model,
                settings,
                self._socket(model),
                ChildLog(state_dir / "logs", file_name(name, model)),
                shared,
            )
            for model, settings in models.items()
        }
        self._closed = False

    def _launcher(self, models: Mapping[str, ManagedModel]) -> Launcher:
        template = Template(self._command) if self._command else None
        if template is None or template.needs_path:
            for model, settings in models.items():
                if settings.path is None:
                    raise ConfigError(f"managed backend {self.name!r}: model {model!r} needs a file")
        return template.launch if template is not None else launch_llama

    def _socket(self, model: str) -> Path:
        """A short name, because the path is limited; the engine's id keeps two engines apart."""
        digest = sha256(f"{self.name}/{model}".encode()).hexdigest()[:8]
        path = self._runtime_dir / f"m{os.getpid()}-{digest}.sock"
        length = len(os.fsencode(path))
        if length > SOCKET_LIMIT:
            raise ConfigError(
                f"managed backend {self.name!r}: the socket path {path} has {length} bytes and the system "
                f"allows {SOCKET_LIMIT}; set XDG_RUNTIME_DIR to a short, private directory"
            )
        return path

    # -- control ---------------------------------------------------------------------------------------

    async def models(self) -> Sequence[ModelInfo]:
        """All models, loaded or not; `context` is one request's, `memory_bytes` is resident memory."""
        return await asyncio.to_thread(self._look)

    def _look(self) -> list[ModelInfo]:
        for model in self._models.values():
            model.log.trim()
        return [model.info() for model in self._models.values()]

    async def probe(self) -> Probe:
        """Whether children could be started: llama.cpp is installed, or the command is there."""
        now = asyncio.get_running_loop().time
        began = now()
        version = await asyncio.to_thread(self._version)
        return Probe(version=version, latency=now() - began)

    async def load(self, model: str, progress: Callable[[str], None]) -> None:
        """Returns when the model answers; `progress` gets short texts. ControlError says why it does not."""
        served = self._served(model)
        if self._closed:
            raise ControlError(f"{self.name} is closed")
        self._make_private()
        await served.load(progress)

    async def unload(self, model: str) -> None:
        """Returns when the child is gone and its memory free; a load that is under way is stopped."""
        await self._served(model).unload()

    def address(self, model: str) -> Address:
        """Where the model's child listens; while it is not loaded, a place where nobody does."""
        return self._served(model).address()

    def defaults(self, model: str) -> Mapping[str, object]:
        """OpenAI-shaped fields for calls whose client did not set them.

        Models without a chat template need `stop`, or they go on and ask themselves the next question. A
        client's own stop sequences should be joined with these, not replace them.
        """
        plain = not self._command and self._served(model).plain_chat
        return _PLAIN_CHAT_DEFAULTS if plain else {}

    async def close(self) -> None:
        """Ends all children, kindly and at once; nothing can be loaded any more."""
        self._closed = True
        await asyncio.gather(*(model.close() for model in self._models.values()))

    # -- more than Control promises ----------------------------------------------------------------------

    def log_tail(self, model: str, lines: int = 100) -> list[str]:
        """The last lines the model's children wrote, oldest first, safe to show."""
        return self._served(model).log.tail(lines)

    @staticmethod
    def end_orphans(state_dir: Path, grace: float = GRACE_SECONDS) -> list[str]:
        """Ends children left over by engines that are gone, and says which; blocks: call it in a thread."""
        return orphans.end_orphans(state_dir, grace)

    @staticmethod
    def end_children(state_dir: Path) -> list[str]:
        """Kills the children of this engine at once, for when it cannot wait for them to end kindly."""
        return orphans.end_children(state_dir, os.getpid())

    def _served(self, model: str) -> ServedModel:
        try:
            return self._models[model]
        except KeyError:
            raise ControlError(f"managed backend {self.name!r} has no model {model!r}") from None

    def _version(self) -> str:
        if self._command:
            program = self._command[0]
            if shutil.which(program) is None:
                raise ControlError(f"{self.name}: the command {program!r} is not installed or not executable")
            return Path(program).name
        try:
            return f"xllamacpp {importlib.metadata.version('xllamacpp')}"
        except importlib.metadata.PackageNotFoundError:
            raise ControlError(
                f"{self.name}: llama.cpp is not installed: pip install 'ai-orchestra[embedded]'"
            ) from None

    def _make_private(self) -> None:
        """The directory is what keeps others from the sockets in it."""
        try:
            self._runtime_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = self._runtime_dir.lstat()
        except OSError as error:
            reason = f"{self._runtime_dir} cannot be made: {error.strerror}"
            raise ControlError(f"{self.name}: {reason}") from error
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise ControlError(f"{self.name}: {self._runtime_dir} is not a directory of yours")
        if stat.S_IMODE(found.st_mode) & 0o077:
            self._runtime_dir.chmod(0o700)
