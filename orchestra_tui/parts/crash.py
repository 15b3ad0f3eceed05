"""What a crash of the console leaves behind: one sentence on the terminal, everything else in a file."""

import traceback
from pathlib import Path

from orchestra_core import __version__
from orchestra_core.domain.text import one_line


def report(error: BaseException, log: Path | None, when: str) -> str:
    """Appends the traceback to `log`, and returns what to say. `when` is the time, for the file."""
    what = one_line(f"{type(error).__name__}: {error}")
    told = "".join(traceback.format_exception(error))
    if log is None:
        return f"The console failed: {what}\n{told}"
    try:
        log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with log.open("a", encoding="utf-8", errors="replace") as file:
            file.write(f"--- {when} ai-orchestra {__version__}\n{told}\n")
    except OSError as broken:
        return f"The console failed: {what}\nIts log cannot be written: {broken}\n{told}"
    return f"The console failed: {what}\nDetails: {log}\nThe engine is not affected; ai-orchestra attaches to it again."
