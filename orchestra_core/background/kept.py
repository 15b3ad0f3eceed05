"""Small files that outlive an engine, replaced as a whole: one that is read is never half of what was written."""

import contextlib
import os
from pathlib import Path


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


def put_aside(path: Path) -> str:
    """What cannot be read is kept for people to look at; the name it has now."""
    aside = path.with_name(path.name + ".unreadable")
    with contextlib.suppress(OSError):
        path.replace(aside)
    return aside.name
