"""Processes of tests: their environment, what they write, and one command run to its end."""

import contextlib
import os
import re
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any

from tests.fakes.programs import USUAL, start

# Loopback and plain HTTP only; certificates, which take 25 ms to load for each client, are not needed.
PLAIN: dict[str, Any] = {"trust_env": False, "verify": False}
START_SECONDS = 40.0


def clean_environment(home: Path, **more: str) -> dict[str, str]:
    """The environment of a process that must not see this user's configuration."""
    kept = {
        name: os.environ[name]
        for name in ("PATH", "LANG", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
        if name in os.environ
    }
    return {**kept, "HOME": str(home), **USUAL, "NO_COLOR": "1", **more}


class Lines:
    """What a process writes, collected by a thread so that it never blocks on a full pipe."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for line in self._stream:
            with self._changed:
                self._lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    @property
    def text(self) -> str:
        with self._changed:
            return "\n".join(self._lines)

    def wait_for(self, pattern: str | re.Pattern[str], seconds: float) -> re.Match[str]:
        """The first match in what was or will be written; AssertionError with all of it if there is none."""
        searched = re.compile(pattern)

        def found() -> re.Match[str] | None:
            return next((match for line in self._lines if (match := searched.search(line))), None)

        with self._changed:
            self._changed.wait_for(lambda: found() is not None or self._ended, seconds)
            match = found()
            said = "\n".join(self._lines)
        assert match is not None, f"no {searched.pattern!r} within {seconds:g} s; it said:\n{said}"
        return match

    def close(self) -> None:
        self._thread.join(5)
        self._stream.close()


def run_cli(
    *arguments: str, home: Path, text: str | None = None, seconds: float = 40, **more: str
) -> subprocess.CompletedProcess[str]:
    """`ai-orchestra` with these arguments, its output captured."""
    with contextlib.ExitStack() as stack:
        given, out, wrong = (
            stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8")) for _ in range(3)
        )
        given.write(text or "")
        given.seek(0)
        streams = {"stdin": given.fileno(), "stdout": out.fileno(), "stderr": wrong.fileno()}
        program = start("orchestra_core", arguments, cwd=home, env=clean_environment(home, **more), **streams)
        try:
            code = program.wait(seconds)
        except BaseException:
            program.kill()
            raise
        for written in (out, wrong):
            written.seek(0)
        return subprocess.CompletedProcess(arguments, code, out.read(), wrong.read())
