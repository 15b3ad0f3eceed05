"""Where the engine is, by the rules of the contract."""

import socket
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from orchestra_core.cli.failure import Code, Failure
from orchestra_core.config import listening

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class Target(msgspec.Struct, frozen=True):
    """Where the engine is taken to be: a base URL, over a Unix socket where `socket` is set."""

    url: str
    socket: str | None = None

    @property
    def label(self) -> str:
        return f"the socket {self.socket}" if self.socket else self.url


def find_target(
    url: str | None, socket_path: str | None, environ: Mapping[str, str], config: str | None = None
) -> Target:
    """--url, ORCHESTRATOR_URL, the Unix socket if one answers, then ORCHESTRATOR_HOST and API_PORT.

    Where the environment is silent, the configuration file tells socket, host and port.
    """
    named = url or (None if socket_path else environ.get("ORCHESTRATOR_URL"))
    if named:
        return Target(_checked(named))
    if socket_path:
        return Target("http://localhost", str(Path(socket_path).absolute()))
    configured = listening(config, environ, Path.cwd())
    if _answers(Path(configured.socket)):
        return Target("http://localhost", configured.socket)
    host = environ.get("ORCHESTRATOR_HOST") or configured.host
    host = _ANYWHERE.get(host, host)
    port = environ.get("API_PORT") or environ.get("ORCHESTRATOR_API_PORT") or configured.port
    return Target(_checked(f"http://{f'[{host}]' if ':' in host else host}:{port}"))


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise Failure(f"{url} is not an engine's address; it looks like http://127.0.0.1:8080", Code.USAGE)
    return parts.geturl().rstrip("/")


def _answers(path: Path) -> bool:
    if not path.is_socket():
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
