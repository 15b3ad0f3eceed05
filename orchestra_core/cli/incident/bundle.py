"""The file of an incident: a compressed archive of one directory, private to whoever made it."""

import io
import os
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from orchestra_core.cli.failure import Failure

RECORDING = "recording.jsonl.gz"
# Far more than any incident has; what inflates beyond is none.
_MOST_BYTES = 1024**3
# Of what is handed over together with damage nothing is given back.
_PIECE = 1024


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


def unpack(data: bytes) -> tuple[dict[str, bytes], str]:
    """The pieces by their names, and what is wrong with the rest; the last piece may be cut off then."""
    archive, flaw = _inflated(data)
    pieces: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as opened:
            for entry in opened:
                if entry.isfile():
                    content = archive[entry.offset_data : entry.offset_data + entry.size]
                    pieces[entry.name.rpartition("/")[2]] = content
    except tarfile.TarError:
        return pieces, flaw or "the file is damaged: a part of it was left out"
    return pieces, flaw


def _inflated(data: bytes) -> tuple[bytes, str]:
    opened, found = zlib.decompressobj(31), bytearray()
    try:
        for start in range(0, len(data), _PIECE):
            found += opened.decompress(data[start : start + _PIECE], _MOST_BYTES)
            if len(found) > _MOST_BYTES:
                return b"", "the file is too large"
    except zlib.error:
        return bytes(found), "the file is damaged: a part of it was left out"
    return bytes(found), "" if opened.eof else "the file is cut off: its last part was left out"
