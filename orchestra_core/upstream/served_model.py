"""One model of a managed backend through its life: absent, loading, ready, unloading, absent."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import msgspec

from orchestra_core.domain.catalog import ModelInfo, Residency
from orchestra_core.upstream import gguf
from orchestra_core.upstream.address import Address
from orchestra_core.upstream.child_log import ChildLog
from orchestra_core.upstream.children import Child
from orchestra_core.upstream.control import ControlError
from orchestra_core.upstream.embedded import AssemblyError
from orchestra_core.upstream.launch import Launcher, ManagedModel, Wanted
from orchestra_core.upstream.observed import Observed, observe
from orchestra_core.upstream.warming import warm

Report = Callable[[str], None]
OnExit = Callable[[str, int, Sequence[str], bool], None]
_LAST_LINES = 20
_DYING_SECONDS = 2.0


class Surroundings(msgspec.Struct, frozen=True):
    """What the models of one backend share. Times are seconds."""

    backend: str
    launcher: Launcher
    state_dir: Path
    on_exit: OnExit | None
    stall: float
    grace: float
    context: Callable[[str], int | None]


class ServedModel:
    """Loads are single-flight: whoever asks meanwhile waits for the same one; it ends when nobody waits."""

    def __init__(
        self, name: str, model: ManagedModel, socket: Path, log: ChildLog, shared: Surroundings
    ) -> None:
        self.name = name
        self.residency = Residency.ABSENT
        self.log = log
        self.plain_chat = bool(model.plain_chat)
        self._model = model
        self._socket = str(socket)
        self._nowhere = Address(host="localhost", port=0, unix=self._socket)
        self._shared = shared
        self._child: Child | None = None
        self._observed = Observed()
        self._given: int | None = None
        self._header: tuple[tuple[int, int], gguf.Header | None] | None = None
        self._gate = asyncio.Lock()
        self._loading: asyncio.Task[None] | None = None
        self._reports: list[Report] = []
        self._said = ""
        # Strong references: the event loop keeps only weak ones.
        self._tasks: set[asyncio.Task[None]] = set()

    # -- load ------------------------------------------------------------------------------------------

    async def load(self, report: Report) -> None:
        """Returns when the model answers. ControlError says why it does not."""
        loading = self._loading
        if loading is None or loading.done() or loading.cancelling():
            loading = self._loading = self._own(self._load())
        self._reports.append(report)
        try:
            await asyncio.wait({loading})
        finally:
            self._reports.remove(report)
            if not self._reports:
                self._stop(loading)
        if loading.cancelled():
            raise ControlError(f"{self._id}: the load was stopped before it had ended")
        loading.result()

    async def _load(self) -> None:
        async with self._gate:
            if self.residency is Residency.READY and await self._still_there():
                return
            self.residency = Residency.LOADING
            try:
                await self._start()
                self.residency = Residency.READY
            finally:
                if self.residency is not Residency.READY:
                    await self._end()

    async def _still_there(self) -> bool:
        """False once the end of a child that does not answer has been noticed: whoever asked met it dying."""
        child = self._child
        if child is None or await child.answers():
            return child is not None
        await asyncio.wait({child.exited}, timeout=_DYING_SECONDS)
        if not child.exited.done():
            return True
        self._lost(child, child.exited)
        return False

    async def _start(self) -> None:
        wanted = await self._wanted()
        self._given = wanted.context
        shared = self._shared
        launch = shared.launcher(wanted)
        child = await Child.start(shared.backend, self.name, launch, self.log, shared.state_dir)
        self._child = child
        child.exited.add_done_callback(lambda exited: self._lost(child, exited))
        await child.ready(self._tell, shared.stall)
        self._observed = await observe(child.client)
        if wanted.plain_chat:
            self._tell("warming up")
            await warm(child.client, wanted.parallel)
        if child.exited.done():
            raise ControlError(f"{self._id}: the server ended as soon as it was ready")

    async def _wanted(self) -> Wanted:
        model = self._model
        if model.prepare is not None:
            await self._prepare(model.prepare)
        header = await asyncio.to_thread(self._read_header, strict=True)
        if model.plain_chat is None:
            self.plain_chat = header is not None and not (header.chat_template or header.embedding)
        return Wanted(
            model=self.name,
            path=model.path,
            socket=self._socket,
            context=self._context(header),
            parallel=model.parallel,
            plain_chat=self.plain_chat,
            embedding=header is not None and header.embedding,
            shape=header.shape if header is not None else None,
        )

    async def _prepare(self, prepare: Callable[[Report], None]) -> None:
        loop = asyncio.get_running_loop()

        def report(text: str) -> None:
            loop.call_soon_threadsafe(self._tell, text)

        try:
            await asyncio.to_thread(prepare, report)
        except AssemblyError as error:
            raise ControlError(f"{self._id}: {error}") from error

    def _tell(self, text: str) -> None:
        if text != self._said:
            self._said = text
            for report in tuple(self._reports):
                report(text)

    # -- end -------------------------------------------------------------------------------------------

    async def unload(self) -> None:
        """Returns when the child, its memory and its socket are gone; stops a load that is under way."""
        if self._loading is not None:
            self._stop(self._loading)
        # Shielded: a child half ended because its requester left would stay in nobody's hands.
        await asyncio.shield(self._own(self._unload()))

    @staticmethod
    def _stop(loading: asyncio.Task[None]) -> None:
        # Once only: a second cancellation would interrupt the ending of its child.
        if not loading.done() and not loading.cancelling():
            loading.cancel()

    async def _unload(self) -> None:
        async with self._gate:
            if self._child is not None:
                self.residency = Residency.UNLOADING
            await self._end()

    async def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            await child.stop(self._shared.grace)
        self.residency = Residency.ABSENT
        self._observed = Observed()
        self._said = ""

    def _lost(self, child: Child, exited: asyncio.Task[int]) -> None:
        """The process ended by itself. While loading, the load tells; while unloading, that was the point."""
        if child is not self._child or child.stopping or self.residency is not Residency.READY:
            return
        self._child = None
        self.residency = Residency.ABSENT
        self._observed = Observed()
        self._own(child.forget())
        if self._shared.on_exit is not None and not exited.cancelled():
            status = exited.result()
            self._shared.on_exit(
                self.name, status, self.log.last(_LAST_LINES), child.is_out_of_memory(status)
            )

    def _own(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # nobody may be waiting any more: its requesters have been told or have left

    async def close(self) -> None:
        await self.unload()
        if self._tasks:
            await asyncio.wait(self._tasks)

    # -- what is known ---------------------------------------------------------------------------------

    @property
    def _id(self) -> str:
        return f"{self._shared.backend}/{self.name}"

    def address(self) -> Address:
        """Where the child listens; while there is none, a place where nobody does.

        A call that comes just after a crash then finds the endpoint unreachable and can go elsewhere.
        """
        if self._child is None:
            return self._nowhere
        return self._child.address

    def info(self) -> ModelInfo:
        """What is known now. Reads files and the process table: call it in a thread."""
        model, observed, child = self._model, self._observed, self._child
        header = self._read_header()
        return ModelInfo(
            name=self.name,
            residency=self.residency,
            size_bytes=self._size(header),
            parameters=observed.parameters or model.parameters or (header.parameters if header else None),
            context=observed.context or (self._given if child else None) or self._context(header),
            quantization=model.quantization or (header.quantization if header else None),
            family=model.family or (header.architecture if header else None),
            capabilities=_capabilities(header),
            memory_bytes=child.resident() if child is not None else None,
            slots=observed.slots or model.parallel,
            loadable=True,
            shape=(header.shape if header else None) or model.shape,
            parallel=observed.slots or model.parallel,
        )

    def _context(self, header: gguf.Header | None) -> int:
        """What a load would give each request now: as wished, and no more than the model was trained for."""
        context = self._shared.context(self.name) or self._model.context
        trained = header.context if header is not None else None
        return min(context, trained or context)

    def _size(self, header: gguf.Header | None) -> int | None:
        if self._model.size_bytes is not None or self._model.path is None:
            return self._model.size_bytes
        if header is not None:
            return header.size
        try:
            return self._model.path.stat().st_size
        except OSError:
            return None

    def _read_header(self, *, strict: bool = False) -> gguf.Header | None:
        """The header of the weights, read once for each state of the file; None for other formats.

        `strict` raises ControlError for a file that cannot be loaded, before anything is started for it.
        """
        path = self._model.path
        if path is None or (self._model.prepare is not None and not path.exists()):
            return None
        try:
            stat = path.stat()
            state = (stat.st_size, stat.st_mtime_ns)
            if self._header is None or self._header[0] != state or strict:
                self._header = (state, gguf.read_header(path) if path.is_file() else None)
        except (OSError, gguf.GgufError) as error:
            # Other formats are the command's business.
            if strict and (path.suffix == ".gguf" or isinstance(error, OSError)):
                raise ControlError(
                    f"{self._id}: {getattr(error, 'filename', None) or path} {_words(error)}"
                ) from error
            return None
        return self._header[1]


def _words(error: OSError | gguf.GgufError) -> str:
    return f"cannot be read: {error.strerror}" if isinstance(error, OSError) else f"is {error}"


def _capabilities(header: gguf.Header | None) -> frozenset[str]:
    if header is not None and header.embedding:
        return frozenset({"embedding"})
    return frozenset({"chat", "completion"})
