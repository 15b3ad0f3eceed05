"""The file of an incident: a compressed archive of one directory, private to whoever made it."""

import io
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path

from orchestra_core.cli.failure import Failure


def write(path: Path, pieces: Mapping[str, bytes], at: float) -> int:
    """The bytes it takes. Raises Failure where it cannot be written, or something is there already."""
    packed = pack(pieces, path.name.removesuffix(".tar.gz").removesuffix(".tgz"), at)
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(file, "wb") as out:
            out.write(packed)
    except FileExistsError as error:
        raise Failure(f"{path} is there already; name another file with --output") from error
    except OSError as error:
        raise Failure(f"cannot write {path}: {error.strerror}") from error
    return len(packed)


def pack(pieces: Mapping[str, bytes], directory: str, at: float) -> bytes:
    """In the order given: of an archive that was cut off the first pieces can be read."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in pieces.items():
            entry = tarfile.TarInfo(f"{directory}/{name}")
            entry.size, entry.mtime, entry.mode = len(content), int(at), 0o600
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()
