"""Programs of ours as processes of their own, that start at once.

Nine tenths of what `python -m orchestra_core` does at its start are imports. They are made once for all tests of a
process: in another process, that forks whenever a program is wanted (`tests.fakes.forking`). That a real start works,
with real imports, is shown by the tests of terminals, of shells and of the README.
"""

import atexit
import contextlib
import functools
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[2]
PIPE = subprocess.PIPE
DEVNULL = subprocess.DEVNULL
# What the interpreter itself reads when it starts: whoever sets something else gets a start of his own.
USUAL = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


class Program:
    """`python -m module arguments`, as much of a `subprocess.Popen` as tests use."""

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        stdin: int = DEVNULL,
        stdout: int = DEVNULL,
        stderr: int | None = None,
        new_session: bool = False,
    ) -> None:
        order = {"module": module, "arguments": [*arguments], "cwd": str(cwd), "env": {**env}}
        with contextlib.ExitStack() as given:
            inner, self.stdin = _stream(0, stdin, given)
            outer, self.stdout = _stream(1, stdout, given)
            wrong, self.stderr = _stream(2, stderr, given)
            self._told, telling = os.pipe()
            given.callback(os.close, telling)
            asked = json.dumps({**order, "session": new_session}).encode()
            socket.send_fds(_forking(), [asked], [inner, outer, wrong, telling])
        self.returncode: int | None = None
        self.pid = int(self._line())

    def poll(self) -> int | None:
        """The exit code, None while it runs."""
        if self.returncode is None and self._readable(0):
            self.returncode = int(self._line())
            os.close(self._told)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has ended."""
        if self.returncode is None and not self._readable(timeout):
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        code = self.poll()
        assert code is not None
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _readable(self, seconds: float | None) -> bool:
        with selectors.DefaultSelector() as selector:
            selector.register(self._told, selectors.EVENT_READ)
            return bool(selector.select(seconds))

    def _line(self) -> bytes:
        """What is told next; each line is written at once."""
        line = b""
        while not line.endswith(b"\n"):
            read = os.read(self._told, 1)
            assert read, "who keeps the process is gone"
            line += read
        return line


def start(module: str, arguments: Sequence[str], **how: Any) -> "Program | subprocess.Popen[str]":
    """Starts it at once where that can be done, else as the user does. The options are those of `Program`."""
    if _at_once(how["env"]):
        return Program(module, arguments, **how)
    session = how.pop("new_session", False)
    streams = {"stdin": DEVNULL, "stdout": DEVNULL}
    argv = [sys.executable, "-m", module, *arguments]
    return subprocess.Popen(argv, text=True, start_new_session=session, **{**streams, **how})


def _at_once(env: Mapping[str, str]) -> bool:
    ours = {name: value for name, value in env.items() if name.startswith(("PYTHON", "LC_"))}
    return sys.platform == "linux" and ours == USUAL and env.get("LANG") == os.environ.get("LANG")


@functools.cache
def _forking() -> socket.socket:
    """The process that forks; it ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LD_LIBRARY_PATH") if name in os.environ}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.forking", str(theirs.fileno())],
        cwd=ROOT,
        env={**kept, **USUAL},
        stdin=subprocess.DEVNULL,
        pass_fds=[theirs.fileno()],
        start_new_session=True,
    )
    theirs.close()

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _stream(number: int, what: int | None, given: contextlib.ExitStack) -> tuple[int, IO[str] | None]:
    """The descriptor that the program gets, and this end of it where it is a pipe."""
    if what is None:
        return number, None
    if what >= 0:
        return what, None
    if what == DEVNULL:
        null = os.open(os.devnull, os.O_RDWR)
        given.callback(os.close, null)
        return null, None
    reading, writing = os.pipe()
    theirs, ours = (reading, writing) if number == 0 else (writing, reading)
    given.callback(os.close, theirs)
    return theirs, open(ours, "w" if number == 0 else "r", encoding="utf-8")
