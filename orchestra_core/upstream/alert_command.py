"""The operator's command, run for each alert: without a shell, with a time limit, a few at once."""

import asyncio
import contextlib
import os
import signal
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from orchestra_core.clock import Clock, rfc3339
from orchestra_core.domain.alerts import DeliveryView
from orchestra_core.domain.text import one_line

QUEUE = 100
PARALLEL = 2
# What a command needs of the engine's environment; the rest of it holds the keys of backends.
_INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR")
_REAP_SECONDS = 2.0
Item = tuple[str, Mapping[str, str]]


class AlertCommand:
    """`environ` is the engine's own; `failed` is told of each run that did not end well, with how it did."""

    def __init__(
        self,
        argv: Sequence[str],
        seconds: float,
        *,
        environ: Mapping[str, str],
        clock: Clock,
        failed: Callable[[str, str], None],
    ) -> None:
        self.name = argv[0]
        self._argv = tuple(argv)
        self._seconds = seconds
        self._environ = {name: environ[name] for name in _INHERITED if name in environ}
        self._clock = clock
        self._failed = failed
        self._queue: deque[Item] = deque()
        self._work = asyncio.Semaphore(0)
        self._running = 0
        self._sent = self._given_up = self._dropped = 0
        self._error = ""
        self._last: float | None = None

    def put(self, kind: str, variables: Mapping[str, str]) -> None:
        """Never waits; of a full queue the oldest is dropped."""
        if len(self._queue) >= QUEUE:
            self._queue.popleft()
            self._dropped += 1
        else:
            self._work.release()
        self._queue.append((kind, variables))

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(PARALLEL):
                group.create_task(self._worker())

    async def _worker(self) -> None:
        while True:
            await self._work.acquire()
            kind, variables = self._queue.popleft()
            self._running += 1
            try:
                error = await self._execute(variables)
            finally:
                self._running -= 1
            self._error = error
            if error:
                self._given_up += 1
                self._failed(self.name, f"the command for {kind} {error}")
            else:
                self._sent += 1
                self._last = self._clock.wall()

    async def _execute(self, variables: Mapping[str, str]) -> str:
        """How it ended badly, or nothing."""
        try:
            process = await asyncio.create_subprocess_exec(
                *self._argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                env={**self._environ, **variables},
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            return one_line(f"cannot be started: {error}")[:200]
        try:
            async with asyncio.timeout(self._seconds):
                status = await process.wait()
        except TimeoutError:
            return f"was ended after {self._seconds:g} s"
        finally:
            await _end(process)
        return "" if status == 0 else f"ended with {_spelled(status)}"

    def view(self) -> DeliveryView:
        return DeliveryView(
            name=self.name,
            kind="command",
            state="sending" if self._running else "idle",
            queued=len(self._queue) + self._running,
            sent=self._sent,
            failed=self._given_up,
            dropped=self._dropped,
            error=self._error,
            last_sent=None if self._last is None else rfc3339(self._last),
        )


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ends it with all that it has started; that is its own session."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_REAP_SECONDS):
            await process.wait()


def _spelled(status: int) -> str:
    return f"exit code {status}" if status > 0 else f"signal {-status}"
