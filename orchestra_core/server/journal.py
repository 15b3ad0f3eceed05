"""The access and the audit log: JSON lines in private files, opened for each write, so that rotating is moving."""

import asyncio
import contextlib
import os
import stat
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

from orchestra_core.clock import Clock, rfc3339
from orchestra_core.domain.errors import ConfigError
from orchestra_core.domain.principal import Scope
from orchestra_core.server.equivalents import equivalent, is_plan
from orchestra_core.server.exchange import Exchange, Request
from orchestra_core.server.gate import account
from orchestra_core.trust.journal import line
from orchestra_core.trust.limits import MINUTE, Buckets
from orchestra_core.trust.redaction import redact

# Then it becomes `<name>.1`, and the one before is dropped.
ROTATE_BYTES = 32 * 1024 * 1024
_FLUSH_SECONDS = 0.25
_HELD_LINES = 8192
# Who watches the log, or an open dialog with a plan, asks again and again: once a minute says that it is being read.
_READS = 1
# What a gate refuses costs its sender nothing, so it could fill the audit log until it has forgotten all else.
# Lines per minute, of one key or address, and of all addresses together; judgement.
_REFUSED = frozenset({401, 403, 429})
_EACH, _STRANGERS = 10, 60
_STRANGERS_PATH = 64
_NAMED = 8
_COUNTED = 256


class Journal:
    """Appends lines to a file of mode 0600. What cannot be written is dropped and told once."""

    def __init__(self, path: Path, problem: Callable[[str], None]) -> None:
        self.path = path
        self._problem = problem
        self._told = False

    def prepare(self) -> None:
        """Makes the file, raising ConfigError where that cannot be."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(self._open())
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be written: {error.strerror}") from error

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
    """One line for every request to operate or administrate, written at once.

    Of what the gate refused some lines a minute; the others are counted, and told in one line a minute later.
    """

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self.journal = journal
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._keys, self._addresses, self._strangers = Buckets(), Buckets(), Buckets(1)
        self._readers = Buckets()
        self._left_out: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self, request: Request, exchange: Exchange, scope: Scope) -> None:
        refused = exchange.status in _REFUSED
        if refused and not self._has_room(request):
            self._leave_out(request.principal.id or account(request.peer))
            return
        who = request.principal
        if exchange.status == 200 and _only_reads(request) and not self._is_new(request):
            return
        brief = refused and not who.id
        fields = {
            "at": rfc3339(self._clock.wall()),
            "request_id": request.id,
            "key": who.id,
            "who": who.name,
            "peer": request.peer,
            "scope": scope.value,
            "method": request.method,
            "path": redact(request.path)[: _STRANGERS_PATH if brief else None],
            "body": "" if brief else redact(request.body[:512].decode("utf-8", "replace")),
            "status": exchange.status,
            "outcome": _outcome(exchange.status),
            "command": "" if brief else equivalent(request.method, request.path, request.body),
        }
        self.journal.append(line(fields))

    def _is_new(self, request: Request) -> bool:
        """Whether a reader has not been seen for a minute where it reads."""
        reader = f"{request.principal.id or request.peer} {request.path}"
        return self._readers.take(reader, _READS, self._clock.monotonic()).wait == 0

    def _has_room(self, request: Request) -> bool:
        now = self._clock.monotonic()
        if request.principal.id:
            return self._keys.take(request.principal.id, _EACH, now).wait == 0
        each = self._addresses.take(account(request.peer), _EACH, now)
        return each.wait == 0 and self._strangers.take("", _STRANGERS, now).wait == 0

    def _leave_out(self, who: str) -> None:
        known = who in self._left_out or len(self._left_out) < _COUNTED
        self._left_out[who if known else "others"] += 1
        if self._timer is None:
            self._timer = self._loop.call_later(MINUTE, self.tell)

    def tell(self) -> None:
        """Writes how much was left out, and of whom the most."""
        self._timer = None
        counted, self._left_out = self._left_out, Counter()
        most = ", ".join(f"{who}: {times}" for who, times in counted.most_common(_NAMED))
        self.journal.append(
            line({"at": rfc3339(self._clock.wall()), "refused": counted.total(), "most": most})
        )

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self.tell()


def _only_reads(request: Request) -> bool:
    return request.method == "GET" or is_plan(request.path, request.body)


def _outcome(status: int) -> str:
    """In one word; whoever left before the answer has not been told it."""
    if not status:
        return "abandoned"
    if status < 400:
        return "done"
    return "refused" if status in _REFUSED else "failed"


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
