"""Small files that outlive an engine, replaced as a whole: one that is read is never half of what was written."""

import contextlib
import os
from pathlib import Path
from typing import TypeVar

import msgspec

T = TypeVar("T")


def load(path: Path, decoder: msgspec.json.Decoder[T], nothing: T, without: str) -> tuple[T, str]:
    """What was written, or `nothing`; and the problem, with what it is like `without` it, where it cannot be read.

    What is damaged is put aside for people to look at.
    """
    try:
        return decoder.decode(path.read_bytes()), ""
    except FileNotFoundError:
        return nothing, ""
    except OSError as error:
        return nothing, f"{path}: {error.strerror}; {without}"
    except msgspec.MsgspecError as error:
        aside = path.with_name(path.name + ".unreadable")
        with contextlib.suppress(OSError):
            path.replace(aside)
        return nothing, f"{path}: {error}; it was put aside as {aside.name}, {without}"


def replace(path: Path, content: bytes) -> None:
    """Writes the file, of mode 0600, and waits for the disk; raises OSError, and then it is what it was."""
    new = path.with_name(path.name + ".new")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    with os.fdopen(os.open(new, flags, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
