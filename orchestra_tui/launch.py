"""Starting an engine in a session of its own, so that a dropped terminal never stops routing."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

_TAIL = 8192


class Launcher:
    """One engine process this console may start. Its output goes to `log`, which is appended to."""

    def __init__(self, argv: Sequence[str], log: str) -> None:
        self._argv = list(argv)
        self._process: subprocess.Popen[bytes] | None = None
        self._from = 0
        self.log = log

    @property
    def wishes(self) -> str:
        """What was asked of an engine that is started, and means nothing to one that runs."""
        return " and ".join(word for word in self._argv if word in ("--demo", "--users"))

    @property
    def pid(self) -> int:
        """The process id of the engine, 0 before the start."""
        return self._process.pid if self._process else 0

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def code(self) -> int | None:
        """The exit code of the engine, None while it runs or before it was started."""
        return self._process.poll() if self._process else None

    def start(self) -> None:
        """Raises OSError when the program or the log file cannot be opened."""
        path = Path(self.log)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Yours alone, as all that is beside it: prompts may be in what a backend says.
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as out:
            self._from = out.tell()
            self._process = subprocess.Popen(
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                close_fds=True,
            )

    def wait(self, seconds: float) -> bool:
        """Blocks until the engine ended, at most `seconds`; whether it did."""
        try:
            if self._process is not None:
                self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def tail(self, lines: int) -> tuple[str, ...]:
        """The last lines this start logged."""
        try:
            with Path(self.log).open("rb") as file:
                file.seek(0, 2)
                file.seek(max(self._from, file.tell() - _TAIL))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return ()
        return tuple(row for row in text.splitlines() if row.strip())[-lines:]

    def terminate(self) -> None:
        """Asks the process to end by signal, for when it no longer answers on its socket."""
        if self._process is not None and self.alive:
            self._process.terminate()
