"""Children that outlived a crashed engine: a record on disk for each child, and the end of those left over.

A process id alone proves nothing, because ids are reused: a process is the recorded one only if it was also
created at the recorded time. Whatever is in doubt is left alone.
"""

import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

import msgspec
import psutil

GRACE_SECONDS = 5.0
_STEP_SECONDS = 0.05
# psutil derives creation times from the boot time, which moves with corrections of the clock.
_TOLERANCE_SECONDS = 2.0


class Identity(msgspec.Struct, frozen=True):
    """One process, told apart from a later one with the same id. `created` is Unix seconds."""

    pid: int
    created: float

    @classmethod
    def of(cls, pid: int) -> "Identity":
        """Raises psutil.NoSuchProcess."""
        return cls(pid, psutil.Process(pid).create_time())

    def process(self) -> psutil.Process | None:
        """The process if it is still this one and still runs; a zombie does not."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) <= _TOLERANCE_SECONDS
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


class Record(msgspec.Struct, frozen=True):
    """What is kept on disk of one child while it runs; `socket` is empty for one that listens on TCP."""

    backend: str
    model: str
    child: Identity
    engine: Identity
    argv: tuple[str, ...]
    socket: str = ""


def write(state_dir: Path, record: Record) -> Path:
    """Stores a record, whole or not at all; the file is to be removed when the child has ended."""
    directory = _directory(state_dir)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / f"{record.child.pid}.json"
    draft = path.with_suffix(".new")
    draft.touch(mode=0o600)
    draft.write_bytes(msgspec.json.encode(record))
    return draft.replace(path)


def end_orphans(state_dir: Path, grace: float = GRACE_SECONDS) -> list[str]:
    """Ends the recorded children whose engine is gone, and says which; blocks up to `grace` s for each.

    A child whose engine lives is left alone, and so is another process that got its id. Records that
    cannot be read are removed.
    """
    ended = []
    for path in sorted(_directory(state_dir).glob("*.json")):
        try:
            record = msgspec.json.decode(path.read_bytes(), type=Record)
        except (msgspec.DecodeError, FileNotFoundError):
            path.unlink(missing_ok=True)
            continue
        if record.engine.process() is not None:
            continue
        process = record.child.process()
        if process is not None:
            if not _end(process, grace):
                continue
            ended.append(f"{record.backend}/{record.model} (pid {record.child.pid})")
        remove_socket(record.socket)
        path.unlink(missing_ok=True)
    return ended


def end_children(state_dir: Path, engine: int) -> list[str]:
    """Kills the recorded children of the engine with this process id, and says which. Their records stay: an
    engine that starts later removes them with what they name.
    """
    ended = []
    for path in sorted(_directory(state_dir).glob("*.json")):
        with suppress(msgspec.DecodeError, OSError, psutil.Error):
            record = msgspec.json.decode(path.read_bytes(), type=Record)
            process = record.child.process() if record.engine.pid == engine else None
            if process is None:
                continue
            for member in (*process.children(recursive=True), process):
                with suppress(psutil.NoSuchProcess):
                    member.kill()
            ended.append(f"{record.backend}/{record.model} (pid {record.child.pid})")
    return ended


def remove_socket(path: str) -> None:
    """Removes a socket file nobody listens on any more; anything else at that path stays."""
    try:
        if not path or not stat.S_ISSOCK(os.lstat(path).st_mode):
            return
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1)
            probe.connect(path)
    except ConnectionRefusedError:
        Path(path).unlink(missing_ok=True)
    except OSError:
        return


def _directory(state_dir: Path) -> Path:
    return Path(state_dir) / "children"


def _end(process: psutil.Process, grace: float) -> bool:
    """Whether the process and its descendants are gone. psutil refuses to signal a reused id by itself."""
    try:
        family = [process, *process.children(recursive=True)]
        for signal in (psutil.Process.terminate, psutil.Process.kill):
            for member in family:
                with suppress(psutil.NoSuchProcess):
                    signal(member)
            if _gone(family, grace):
                return True
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False
    return False


def _gone(family: list[psutil.Process], seconds: float) -> bool:
    # In small steps, because psutil counts a zombie as alive, and not every init process reaps.
    for _ in range(1 + int(seconds / _STEP_SECONDS)):
        _, family = psutil.wait_procs(family, timeout=_STEP_SECONDS)
        family = [member for member in family if not _finished(member)]
        if not family:
            return True
    return False


def _finished(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
