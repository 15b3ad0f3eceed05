"""The access and the audit log: JSON lines in private files, opened for each write, so that rotating is moving."""

import asyncio
import contextlib
import os
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

from orchestra_core.clock import Clock, rfc3339
from orchestra_core.domain.principal import Scope
from orchestra_core.server.exchange import Exchange, Request
from orchestra_core.trust.journal import line
from orchestra_core.trust.redaction import redact

# Then it becomes `<name>.1`, and the one before is dropped.
ROTATE_BYTES = 32 * 1024 * 1024
_FLUSH_SECONDS = 0.25
_HELD_LINES = 8192


class Journal:
    """Appends lines to a file of mode 0600. What cannot be written is dropped and told once."""

    def __init__(self, path: Path, problem: Callable[[str], None]) -> None:
        self.path = path
        self._problem = problem
        self._told = False

    def prepare(self) -> None:
        """Makes the file, raising OSError where that cannot be."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(self._open())

    def append(self, written: bytes) -> None:
        try:
            file = self._open()
            try:
                os.write(file, written)
                full = os.fstat(file).st_size > ROTATE_BYTES
            finally:
                os.close(file)
            if full:
                self.path.replace(self.path.with_name(self.path.name + ".1"))
        except OSError as error:
            if not self._told:
                self._problem(f"{self.path}: {error.strerror}; its lines are lost until that is mended")
            self._told = True
        else:
            self._told = False

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        file = os.open(self.path, flags, 0o600)
        if stat.S_IMODE(os.fstat(file).st_mode) & 0o077:
            with contextlib.suppress(PermissionError):
                os.fchmod(file, 0o600)
        return file


class Audit:
    """One line for every request to operate or administrate, refused ones included, written at once."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock

    def __call__(self, request: Request, exchange: Exchange, scope: Scope) -> None:
        who = request.principal
        fields = {
            "at": rfc3339(self._clock.wall()),
            "request_id": request.id,
            "key": who.id,
            "who": who.name,
            "peer": request.peer,
            "scope": scope.value,
            "method": request.method,
            "path": redact(request.path),
            "body": redact(request.body[:512].decode("utf-8", "replace")),
            "status": exchange.status,
        }
        self._journal.append(line(fields))


class Access:
    """One line for every request, gathered and written four times a second. Only wrapped around the routes when on."""

    def __init__(
        self, journal: Journal, clock: Clock, inner: Callable[[Request, Exchange], Awaitable[None]]
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._inner = inner
        self._loop = asyncio.get_running_loop()
        self._lines: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None

    async def __call__(self, request: Request, exchange: Exchange) -> None:
        start = self._clock.monotonic()
        try:
            await self._inner(request, exchange)
        finally:
            self._note(request, exchange, self._clock.monotonic() - start)

    def _note(self, request: Request, exchange: Exchange, seconds: float) -> None:
        """The query is left out: it is where people put secrets."""
        fields = {
            "at": rfc3339(self._clock.wall()),
            "request_id": request.id,
            "key": request.principal.id,
            "peer": request.peer,
            "method": request.method,
            "path": redact(request.path),
            "status": exchange.status,
            "complete": exchange.finished and not exchange.gone,
            "request_bytes": len(request.body),
            "ms": round(seconds * 1000, 1),
        }
        if len(self._lines) < _HELD_LINES:
            self._lines.append(line(fields))
        if self._timer is None:
            self._timer = self._loop.call_later(_FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        self._timer = None
        lines, self._lines = self._lines, []
        if lines:
            self._journal.append(b"".join(lines))

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.flush()
