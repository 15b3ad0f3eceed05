"""Listening sockets: TCP, and a Unix socket that is private and never stolen from a live engine."""

import asyncio
import contextlib
import errno
import fcntl
import os
import resource
import socket
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import psutil

from orchestra_core.clock import Clock, SystemClock
from orchestra_core.domain.errors import ConfigError
from orchestra_core.http1.checks import Limits, capacity, idle_factor
from orchestra_core.http1.known import Known
from orchestra_core.http1.outgoing import Outbox
from orchestra_core.server.connection import Handler, Http1Protocol, Invites, Refuse
from orchestra_core.server.date import refresh
from orchestra_core.server.intake import Head
from orchestra_core.server.refusals import Refusals, plain_refusal
from orchestra_core.server.room import Guest, Room

_UNIX_PATH_LIMIT = 107
# Enough for 4,096 clients with as many backend connections, and more than any of that needs.
_MOST_DESCRIPTORS = 65536
# A client that reads slowly gets the rest of its answer for this long when the engine stops; judgement.
_FLUSH_SECONDS = 2.0


class Listener:
    """Owns the listening sockets and the open connections of one handler."""

    def __init__(
        self,
        handler: Handler,
        *,
        limits: Limits | None = None,
        clock: Clock | None = None,
        refuse: Refuse | None = None,
        next_id: Callable[[], str] | None = None,
        invites: Invites | None = None,
    ) -> None:
        """`next_id` gives the ids of refused requests; without it they are the listener's own. `invites`
        is asked before a body that was announced may come."""
        self._handler = handler
        self._limits = limits or Limits()
        self._clock = clock or SystemClock()
        self._refuse = refuse or (Refusals(next_id) if next_id is not None else plain_refusal)
        self._invites = invites
        self._loop = asyncio.get_running_loop()
        self._servers: list[asyncio.Server] = []
        self._unix: tuple[Path, int] | None = None
        self._room = Room(self._limits, capacity(self._limits, _descriptors()))
        self._known: Known[Head] = Known()
        self._outbox = Outbox(self._loop.call_soon)
        self._tick()

    @property
    def connections(self) -> set[Guest]:
        """What is open now."""
        return self._room.connections

    @property
    def idle_factor(self) -> float:
        """How much of the keep-alive time idle connections get, 1 to 0."""
        return self._room.idle_factor

    def relieve(self, memory: float, *, closed: bool = False) -> None:
        """Told how much of the memory is used (0 to 1); idle connections go earlier the less is left.

        While `closed` nobody is let in but over the Unix socket: who steers the engine frees memory.
        """
        self._room.idle_factor = idle_factor(memory)
        self._room.closed = closed

    def forget_heads(self) -> None:
        """Drops the heads kept so that equal ones need no parsing: keys are in them, and some were revoked."""
        self._known.forget()
        for connection in self.connections:
            connection.forget_head()

    def _tick(self) -> None:
        refresh(self._clock.wall())
        now = self._loop.time()
        for connection in tuple(self.connections):
            connection.expire(now)
        self._timer = self._loop.call_later(1.0, self._tick)

    def _protocol(self) -> Http1Protocol:
        return Http1Protocol(
            self._handler,
            self._loop,
            self._limits,
            self._room,
            self._refuse,
            self._known,
            self._invites,
            self._outbox,
        )

    async def tcp(self, host: str, port: int) -> int:
        """Listens on TCP and returns the port; a port in use raises ConfigError saying by whom."""
        try:
            server = await self._loop.create_server(self._protocol, host, port, backlog=1024)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise ConfigError(
                    f"port {port} on {host} is in use by {port_owner(port)}; choose another with --port or API_PORT"
                ) from error
            raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def unix(self, path: Path) -> None:
        """Listens on a Unix socket of mode 0600 in a directory only we may enter."""
        sock, lock = bind_unix(path)
        self._unix = (path, lock)
        self._servers.append(await self._loop.create_unix_server(self._protocol, sock=sock, backlog=128))

    @property
    def serving(self) -> int:
        """How many requests are being answered, event streams included."""
        return sum(connection.serving for connection in self.connections)

    def cancel_requests(self) -> None:
        """Their handlers may still answer; nobody is cut off."""
        for connection in tuple(self.connections):
            connection.cancel()

    def stop_accepting(self) -> None:
        for server in self._servers:
            server.close()
        for connection in tuple(self.connections):
            connection.close_idle()

    async def close(self) -> None:
        """Ends every connection; requests in flight are cancelled, what was written still goes out."""
        self.stop_accepting()
        self._timer.cancel()
        for connection in tuple(self.connections):
            connection.hang_up()
        deadline = self._loop.time() + _FLUSH_SECONDS
        while self.connections and self._loop.time() < deadline:  # noqa: ASYNC110  once in a life
            await asyncio.sleep(0.01)
        for connection in tuple(self.connections):
            connection.abort()
        if self._unix is not None:
            path, lock = self._unix
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
            os.close(lock)
            self._unix = None


def use_descriptors() -> None:
    """Raises the process's soft limit of open files as far as the system lets it: many give 1,024 by habit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _descriptors() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft


def port_owner(port: int, connections: Callable[..., Iterable[Any]] = psutil.net_connections) -> str:
    """The process that listens on a TCP port, as far as the system lets us see it."""
    try:
        for found in connections(kind="tcp"):
            address = getattr(found, "laddr", ())
            if address and address.port == port and found.status == psutil.CONN_LISTEN and found.pid:
                return f"{psutil.Process(found.pid).name()} (pid {found.pid})"
    except psutil.Error:
        pass
    return "another process"


def bind_unix(path: Path) -> tuple[socket.socket, int]:
    """A bound, private Unix socket and the lock that proves it ours.

    asyncio would unlink a live engine's socket without a word (measured), so: private directory, flock on a
    file beside it, mode set before bind so that no moment is open to others.
    """
    if len(os.fsencode(path)) > _UNIX_PATH_LIMIT:
        raise ConfigError(
            f"the socket path {path} is over {_UNIX_PATH_LIMIT} bytes; choose a shorter one with --socket"
        )
    _private_directory(path.parent)
    lock = os.open(f"{path}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        owner = os.pread(lock, 32, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(lock)
        raise ConfigError(
            f"the socket {path} is in use by another engine (pid {owner}); stop it or choose another with --socket"
        ) from error
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode("ascii"), 0)
    return _bind(path, lock), lock


def _bind(path: Path, lock: int) -> socket.socket:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        mode = None
    if mode is not None and not stat.S_ISSOCK(mode):
        os.close(lock)
        raise ConfigError(f"{path} exists and is not a socket; move it away or choose another with --socket")
    if mode is not None:
        path.unlink()
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    os.fchmod(sock.fileno(), 0o600)
    sock.bind(os.fspath(path))
    path.chmod(0o600)
    sock.setblocking(False)
    return sock


def _private_directory(directory: Path) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    info = directory.lstat()
    if info.st_uid != os.getuid() or stat.S_IMODE(info.st_mode) & 0o022:
        raise ConfigError(
            f"{directory} must belong to you and be writable by you alone (chmod 700 {directory}), or choose --socket"
        )
