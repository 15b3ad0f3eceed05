"""One child process that serves a model: started, waited for until it answers, watched, and ended."""

import asyncio
import contextlib
import os
import re
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil

from orchestra_core.upstream import deaths, orphans
from orchestra_core.upstream.address import Address
from orchestra_core.upstream.child_log import ChildLog
from orchestra_core.upstream.control import ControlError
from orchestra_core.upstream.launch import Launch

_POLL_SECONDS = 0.1
_ANSWER_SECONDS = 2.0
_GONE_SECONDS = 5.0
# A load that moves: its memory or its log grows. Less than this much memory is noise.
_STEP = 1024 * 1024
_LOOKED_AT, _TELLING, _SHOWN = 40, 3, 300
_TROUBLE = re.compile("error|fail|fatal|exception|cannot|unable|denied", re.IGNORECASE)


class Child:
    """A running model server. Make one with `start`; it holds its process, its record and its client.

    `exited` completes with the exit status, negative for a signal, however the process ends.
    """

    def __init__(self, name: str, process: asyncio.subprocess.Process, launch: Launch, log: ChildLog) -> None:
        self.name = name
        self.pid = process.pid
        self.address = launch.address
        self.client = _client(launch.address)
        self.stopping = False
        self._kills = deaths.kills()
        self._log = log
        self._process = process
        self._record: Path | None = None
        # Owned here: it ends with the process, which `stop` sees to.
        self.exited: asyncio.Task[int] = asyncio.get_running_loop().create_task(process.wait())

    @classmethod
    async def start(cls, backend: str, model: str, launch: Launch, log: ChildLog, state_dir: Path) -> "Child":
        """Starts the process, with its output in `log` and a record for the case that this engine dies."""
        if launch.address.unix:
            orphans.remove_socket(launch.address.unix)
        try:
            with log.open() as output:
                process = await asyncio.create_subprocess_exec(
                    *launch.argv,
                    stdin=asyncio.subprocess.PIPE if launch.guarded else asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd=launch.cwd,
                    # An interrupt typed at the engine's terminal is the engine's to handle.
                    start_new_session=True,
                )
        except (OSError, ValueError) as error:
            raise ControlError(f"{backend}/{model}: cannot start {launch.argv[0]!r}: {error}") from error
        child = cls(f"{backend}/{model}", process, launch, log)
        try:
            child._remember(backend, model, launch, state_dir)
        except OSError as error:  # without a record it could outlive this engine, and nobody would know
            await child.stop(0.0)
            raise ControlError(f"{child.name}: its record cannot be kept in {state_dir}: {error}") from error
        return child

    def _remember(self, backend: str, model: str, launch: Launch, state_dir: Path) -> None:
        # A process that is gone already needs no record.
        with contextlib.suppress(psutil.NoSuchProcess):
            record = orphans.Record(
                backend=backend,
                model=model,
                child=orphans.Identity.of(self.pid),
                engine=orphans.Identity.of(os.getpid()),
                argv=launch.argv,
                socket=launch.address.unix or "",
            )
            self._record = orphans.write(state_dir, record)

    async def ready(self, report: Callable[[str], None], stall: float) -> None:
        """Returns when the server answers. ControlError if it exits or makes no progress for `stall` s."""
        now = asyncio.get_running_loop().time
        began = moved = now()
        reached = (0, 0)
        report("loading 0.0 s")
        while not await self.answers():
            if self.exited.done():
                status = self.exited.result()
                exhausted = self.is_out_of_memory(status)
                raise ControlError(
                    f"{self.name}: {deaths.describe_exit(status, exhausted=exhausted)} while loading{self._why()}",
                    code=deaths.OUT_OF_MEMORY if exhausted else None,
                )
            report(f"loading {now() - began:.1f} s")
            effort = (max(reached[0], _resident(self.pid) // _STEP), self._log.size())
            if effort != reached:
                reached, moved = effort, now()
            elif now() - moved > stall:
                raise ControlError(f"{self.name}: loading made no progress for {stall:g} s{self._why()}")
            await asyncio.wait({self.exited}, timeout=_POLL_SECONDS)

    async def answers(self) -> bool:
        """Whether the server says that it is ready: most at /health, others by their list."""
        try:
            status = (await self.client.get("/health")).status_code
            if status == httpx.codes.NOT_FOUND:
                status = (await self.client.get("/v1/models")).status_code
        except httpx.HTTPError:
            return False
        return status == httpx.codes.OK and not self.exited.done()

    def is_out_of_memory(self, status: int) -> bool:
        """Whether it ended with this status for want of memory."""
        return deaths.is_out_of_memory(status, self._log.last(_LOOKED_AT), self._kills, deaths.kills())

    def _why(self) -> str:
        """The lines that most likely tell: the first that speak of an error, and the very last."""
        lines = self._log.last(_LOOKED_AT)
        if not lines:
            return ", and it wrote nothing"
        telling = [line for line in lines if _TROUBLE.search(line)][:_TELLING]
        return ": " + " | ".join(line[:_SHOWN] for line in dict.fromkeys([*telling, lines[-1]]))

    def resident(self) -> int:
        """Resident bytes of the process and its descendants, 0 when it is gone. Walks all processes.

        Files and memory they share count once, as much as the one with most of it has. The kernel would tell every
        process's share exactly, but needs 60 ms for each GB of it (measured), in which the process is held up.
        """
        self._kills = deaths.kills()  # what the kernel killed up to now was not this one
        sizes = [_sizes(pid) for pid in (self.pid, *(member.pid for member in self._family()))]
        return sum(private for private, _ in sizes) + max(shared for _, shared in sizes)

    async def stop(self, grace: float) -> None:
        """Ends the process, kindly for `grace` seconds; returns when it and its memory are gone."""
        self.stopping = True
        family = self._family()
        if not self.exited.done():
            self._process.terminate()
            await asyncio.wait({self.exited}, timeout=grace)
        for member in family:
            # The descendants too: psutil leaves alone what only has the same id by now.
            with contextlib.suppress(psutil.Error):
                member.kill()
        if not self.exited.done():
            self._process.kill()
        await asyncio.wait({self.exited}, timeout=_GONE_SECONDS)
        await self.forget()

    def _family(self) -> list[psutil.Process]:
        try:
            return list(psutil.Process(self.pid).children(recursive=True))
        except psutil.Error:
            return []

    async def forget(self) -> None:
        """Removes what an ended process leaves behind: its socket, its record, the connections to it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self.address.unix:
            orphans.remove_socket(self.address.unix)
        if self._record is not None:
            self._record.unlink(missing_ok=True)
        await self.client.aclose()


def _resident(pid: int) -> int:
    return sum(_sizes(pid))


def _sizes(pid: int) -> tuple[int, int]:
    """Resident bytes of a process's own, and of files and memory that others may have too (Linux tells them apart)."""
    try:
        memory = psutil.Process(pid).memory_info()
    except psutil.Error:
        return 0, 0
    shared = int(getattr(memory, "shared", 0))
    return int(memory.rss) - shared, shared


def _client(address: Address) -> httpx.AsyncClient:
    # No certificates to load: loopback and Unix sockets only. No connection is used twice: llama.cpp closes
    # one in five after an answer without having said so, and the next request is lost (measured).
    fresh = httpx.Limits(max_keepalive_connections=0)
    transport = httpx.AsyncHTTPTransport(uds=address.unix, verify=False, trust_env=False, limits=fresh)
    return httpx.AsyncClient(transport=transport, base_url=_base(address), timeout=_ANSWER_SECONDS)


def _base(address: Address) -> str:
    return "http://localhost" if address.unix else f"http://{address.host}:{address.port}"
