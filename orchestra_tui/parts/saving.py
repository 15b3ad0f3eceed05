"""What is written to files: never over one that is there, and never readable by others."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

_TRIES = 100


def save(folders: Sequence[Path], stem: str, suffix: str, data: str) -> tuple[Path | None, str]:
    """Writes into the first of the folders that takes it; the file's path, or why none of them did.

    A name that is taken gets a number. Blocks: not for the loop.
    """
    stem = re.sub(r"[^\w.-]", "_", stem)
    why = "there is no folder to write to"
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            return _written(folder, stem, suffix, data.encode("utf-8", "replace")), ""
        except OSError as error:
            why = f"{folder}: {error.strerror or error}"
    return None, why


def _written(folder: Path, stem: str, suffix: str, data: bytes) -> Path:
    for number in range(1, _TRIES + 1):
        path = folder / f"{stem}{f'-{number}' if number > 1 else ''}{suffix}"
        try:
            # With O_EXCL also a link that leads elsewhere is a name that is taken.
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            continue
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        return path
    raise FileExistsError(0, f"{_TRIES} files are called {stem}{suffix} already")
