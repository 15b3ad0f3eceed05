"""What is started for a model: our own child with llama.cpp in it, or a command the operator gave."""

import socket
import string
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import psutil

import orchestra_core
from orchestra_core.domain.errors import ConfigError
from orchestra_core.domain.memory import Shape
from orchestra_core.residency.estimate import CHILD, MIB, checkpoints
from orchestra_core.upstream.address import Address

PLACEHOLDERS = ("path", "host", "port", "socket", "model", "context", "parallel")
# sockaddr_un.sun_path holds 108 bytes with its closing zero on Linux, 104 elsewhere.
SOCKET_LIMIT = 107 if sys.platform == "linux" else 103
_LOOPBACK = "127.0.0.1"
# Below it llama-server speaks OpenAI's format for sure: its bare /completions is another, older one.
PREFIX = "/v1"

PARALLEL = 2


class ManagedModel(msgspec.Struct, frozen=True):
    """One model a managed backend can serve, and what is known of it before it runs.

    `context` is what one request may use, prompt and answer together, in tokens; `parallel` how many requests
    run at once. 4096 and 2 are a conversation for each of two users at a cost in memory that small machines
    have (55 MB for the embedded model, 1 GiB for an 8B model); a context beyond what the model was trained
    for is cut to that. `prepare` puts the file at `path` in place: it may block, and is told where to report.
    Without `path` the command has to know the weights by the model's name. `shape` is what the file will say.
    """

    path: Path | None = None
    context: int = 4096
    parallel: int = PARALLEL
    prepare: Callable[[Callable[[str], None]], None] | None = None
    size_bytes: int | None = None
    parameters: int | None = None
    quantization: str | None = None
    family: str | None = None
    plain_chat: bool | None = None
    shape: Shape | None = None


class Wanted(msgspec.Struct, frozen=True):
    """A model that is to be started, with every gap filled."""

    model: str
    path: Path | None
    socket: str
    context: int
    parallel: int
    plain_chat: bool
    embedding: bool
    shape: Shape | None = None


class Launch(msgspec.Struct, frozen=True):
    """A command line ready to run. `guarded`: the child ends itself when its standard input closes."""

    argv: tuple[str, ...]
    address: Address
    cwd: Path | None = None
    guarded: bool = False


Launcher = Callable[[Wanted], Launch]


def launch_llama(wanted: Wanted) -> Launch:
    """Our own child, on a Unix socket.

    Its threads are the physical cores but one. More slow llama.cpp down, and its threads wait for each other
    by spinning: with as many as cores, every other busy program stalls them all (measured on two busy cores:
    2 to 12 tokens/s and four times the CPU with two threads, 38 with one; 52 with two where nothing else ran).
    """
    threads = max(1, (psutil.cpu_count(logical=False) or psutil.cpu_count() or 1) - 1)
    argv = [sys.executable, "-m", "orchestra_core.upstream.llama_child"]
    argv += ["--path", str(wanted.path), "--socket", wanted.socket, "--name", wanted.model]
    argv += ["--context", str(wanted.context), "--parallel", str(wanted.parallel), "--threads", str(threads)]
    argv += ["--conversations", str(CHILD.conversations // MIB)]
    argv += ["--plain-chat"] if wanted.plain_chat else []
    argv += ["--embedding"] if wanted.embedding else []
    if wanted.shape is not None:
        kept = checkpoints(wanted.shape, wanted.context, wanted.parallel)
        argv += ["--checkpoints", str(kept)]
    address = Address(host="localhost", port=0, unix=wanted.socket, prefix=PREFIX)
    return Launch(tuple(argv), address, cwd=Path(orchestra_core.__file__).parents[1], guarded=True)


class Template:
    """An operator's command, such as `llama-server -m {path} --host {host} --port {port} -c {context}`.

    It must listen where it is told to, by {port} (on {host}, the loopback) or by {socket}, and answer
    `GET /health` or `GET /v1/models` with 200 once it is ready. Braces meant literally are doubled.
    Raises ConfigError for anything that could not be started later.
    """

    def __init__(self, parts: Sequence[str]) -> None:
        if not parts:
            raise ConfigError("a managed backend's command is empty")
        self._parts = tuple(parts)
        used = {name for part in parts for name in _placeholders(part)}
        if not used & {"port", "socket"}:
            raise ConfigError(
                f"the command {parts[0]!r} needs {{port}} or {{socket}}: the engine chooses where it listens"
            )
        self.needs_path = "path" in used
        self._tcp = "port" in used

    def launch(self, wanted: Wanted) -> Launch:
        """The command for one model; a TCP port that is free now is chosen for it."""
        port = _free_port() if self._tcp else 0
        values = {
            "path": str(wanted.path or ""),
            "host": _LOOPBACK,
            "port": str(port),
            "socket": wanted.socket,
            "model": wanted.model,
            "context": str(wanted.context),
            "parallel": str(wanted.parallel),
        }
        argv = tuple(part.format_map(values) for part in self._parts)
        if self._tcp:
            return Launch(argv, Address(host=_LOOPBACK, port=port, prefix=PREFIX))
        return Launch(argv, Address(host="localhost", port=0, unix=wanted.socket, prefix=PREFIX))


def _placeholders(part: str) -> list[str]:
    try:
        found = [name for _, name, _, _ in string.Formatter().parse(part) if name is not None]
    except ValueError as error:
        raise ConfigError(f"the command part {part!r} has unbalanced braces: {error}") from error
    for name in found:
        if name not in PLACEHOLDERS:
            known = ", ".join(f"{{{known}}}" for known in PLACEHOLDERS)
            raise ConfigError(
                f"the command part {part!r} has the unknown placeholder {{{name}}}; there are {known}"
            )
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        return int(probe.getsockname()[1])
