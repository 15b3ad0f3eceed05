"""What the engine will bind, open and write."""

import errno
import os
import socket
import stat
from collections.abc import Iterable
from pathlib import Path

import httpx
import psutil

from orchestra_core.cli.doctor.finding import Finding, fail, ok, warn
from orchestra_core.cli.spelling import size
from orchestra_core.clock import SystemClock, rfc3339
from orchestra_core.config import Config
from orchestra_core.domain.errors import OrchestraError
from orchestra_core.trust.hosts import is_loopback
from orchestra_core.trust.keys import WARNED_SECONDS, ApiKey

_SOCKET_LIMIT = 107
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}
_WEIGHTS = "gemma-3-270m-q4_k_m.gguf"
_ROOM_TO_RUN = 100_000_000
_ROOM_TO_GROW = 1_000_000_000


def check_places(config: Config) -> list[Finding]:
    findings = [_port(config), _socket(Path(config.server.socket)), _database(config), _disk(config)]
    findings += _keys(config)
    if config.paths.config_file is not None:
        findings.append(_privacy(config.paths.config_file))
    if any(backend.embedded for backend in config.backends):
        findings.append(_assembled(config.paths.cache_dir))
    return findings


def _port(config: Config) -> Finding:
    host, port = config.server.host, config.server.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return fail(
                    "port", f"{host}:{port}: {error.strerror}", "choose another with --port or API_PORT"
                )
        else:
            return ok("port", f"{host}:{port} is free")
    near = _ANYWHERE.get(host, host)
    if _is_engine(f"http://{f'[{near}]' if ':' in near else near}:{port}"):
        return ok("port", f"{host}:{port} is in use by a running engine")
    return fail(
        "port",
        f"{host}:{port} is in use by {_owner(port)}",
        "end it, or choose another with --port or API_PORT",
    )


def _keys(config: Config) -> list[Finding]:
    from orchestra_core.storage.keys import stored_keys  # noqa: PLC0415  costs the start

    open_to_others = not is_loopback(config.server.host)
    try:
        keys = [*config.keys, *stored_keys(config.storage.url)]
    except OrchestraError as error:
        fix = "restore the database, or choose another with storage.url"
        return [fail("entrance", error.message, fix)] if open_to_others else []
    now = SystemClock().wall()
    return [*([_entrance(config, keys, now)] if open_to_others else []), *expiring(keys, now)]


def expiring(keys: Iterable[ApiKey], now: float) -> list[Finding]:
    """A warning for each that will have expired within a week, or has; `now` is Unix seconds."""
    soon = [key for key in keys if key.expires_within(WARNED_SECONDS, now)]
    return [
        warn(
            f"key {key.id}",
            f"{key.name} expire{'d' if key.expires_within(0.0, now) else 's'} at {rfc3339(key.expires or 0.0)}",
            "ai-orchestra keys create NAME, then take this one out",
        )
        for key in soon
    ]


def _entrance(config: Config, keys: Iterable[ApiKey], now: float) -> Finding:
    host = config.server.host
    usable = sum(key.revoked is None and not key.expires_within(0.0, now) for key in keys)
    if not usable:
        return fail(
            "entrance", f"{host} lets other machines in, and there is no key", "ai-orchestra keys create NAME"
        )
    if host in _ANYWHERE and not config.server.allowed_hosts:
        detail = f"{usable} keys; under its own name or address this machine is refused"
        return warn("entrance", detail, 'name them in the configuration: server.allowed_hosts = ["…"]')
    return ok("entrance", f"{host} for whoever has one of {usable} keys")


def _is_engine(url: str) -> bool:
    try:
        answer = httpx.get(f"{url}/api/v1/health", timeout=2.0, trust_env=False)
        # Without a key, where one is needed, an engine tells its status and the time.
        return bool(answer.json().keys() >= {"status", "timestamp"})
    except (httpx.HTTPError, ValueError, AttributeError):
        return False


def _owner(port: int) -> str:
    try:
        for found in psutil.net_connections(kind="tcp"):
            if found.status == psutil.CONN_LISTEN and found.laddr and found.laddr.port == port and found.pid:
                return f"{psutil.Process(found.pid).name()} (pid {found.pid})"
    except psutil.Error:
        pass
    return "a process of another user"


def _socket(path: Path) -> Finding:
    length = len(os.fsencode(path))
    if length > _SOCKET_LIMIT:
        return fail(
            "socket", f"{path} has {length} bytes, {_SOCKET_LIMIT} are allowed", "choose a shorter --socket"
        )
    directory = path.parent
    if not directory.exists():
        return _creatable("socket", directory, f"{path} will be made at start")
    info = directory.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.getuid():
        return fail(
            "socket", f"{directory} is not a directory of yours", "choose another place with --socket"
        )
    if stat.S_IMODE(info.st_mode) & 0o022:
        return fail("socket", f"others may write in {directory}", f"chmod 700 {directory}")
    if path.exists() and not path.is_socket():
        return fail(
            "socket", f"{path} is there and is no socket", "move it away, or choose another with --socket"
        )
    return ok("socket", str(path))


def _database(config: Config) -> Finding:
    scheme, _, rest = config.storage.url.partition("://")
    if scheme != "sqlite":
        return _server(config.storage.url)
    if rest.lstrip("/") in {"", ":memory:"}:
        return warn(
            "database", "in memory: nothing outlives the engine", 'name a file in storage.url, "sqlite:///…"'
        )
    file = Path(rest[1:])
    if not file.exists():
        return _creatable("database", file.parent, f"{file} will be made at start")
    if not os.access(file, os.R_OK | os.W_OK) or not os.access(file.parent, os.W_OK):
        return fail("database", f"{file} cannot be written", f"make it and {file.parent} writable for you")
    with file.open("rb") as opened:
        if opened.read(16) not in {b"", b"SQLite format 3\0"}:
            return fail(
                "database", f"{file} is not an SQLite database", "move it away, or change storage.url"
            )
    return ok("database", f"{file}, {size(file.stat().st_size)}")


def _server(url: str) -> Finding:
    from orchestra_core.storage.opening import store_at  # noqa: PLC0415  costs the start

    try:
        store, reader = store_at(url)
        store.check()
        found = ok("database", f"{reader.place}, {size(reader.size())}")
        reader.close()
    except OrchestraError as error:
        return fail("database", error.message, "start it, or correct storage.url")
    return found


def _creatable(name: str, directory: Path, detail: str) -> Finding:
    above = _existing(directory)
    if above.is_dir() and os.access(above, os.W_OK | os.X_OK):
        return ok(name, detail)
    return fail(
        name, f"{directory} cannot be made: {above} is not writable", f"make {above} writable for you"
    )


def _existing(path: Path) -> Path:
    return next(place for place in (path, *path.parents) if place.exists())


def _disk(config: Config) -> Finding:
    place = _existing(config.paths.data_dir)
    free = psutil.disk_usage(str(place)).free
    detail = f"{size(free)} free at {place}"
    if free < _ROOM_TO_RUN:
        return fail("disk", detail, "free some space: the ledger cannot be written without")
    if free < _ROOM_TO_GROW:
        return warn("disk", detail, "free some space, 1 GB at least")
    return ok("disk", detail)


def _privacy(file: Path) -> Finding:
    if stat.S_IMODE(file.stat().st_mode) & 0o022:
        return warn("file mode", f"others may write {file}, which can name commands", f"chmod go-w {file}")
    return ok("file mode", f"{file} is yours alone to write")


def _assembled(cache: Path) -> Finding:
    found = next(cache.rglob(_WEIGHTS), None) if cache.is_dir() else None
    if found is None:
        return ok("weights", f"will be assembled under {cache} at the first start, 250 MB")
    return ok("weights", f"{found}, {size(found.stat().st_size)}")
