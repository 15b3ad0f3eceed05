"""A program at a pty: what it writes, how fast that is read, and what it costs. Linux."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from benchmarks.console.screen import Screen

_CHUNK = 65536
# Of a slow line: what is read at once, so that its rate is smooth.
_SIP = 512


class PtyTimeout(Exception):
    """What was waited for was not shown in time."""


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and all its threads, to the nanosecond: the clock of `clock_getcpuclockid`."""
    return time.clock_gettime((~pid << 3) | 2)


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


class PtyProgram:
    """A program with a terminal of this size, read by whoever waits; nothing is read between two waits.

    `rate` is how many bytes a second the line to the terminal carries; None: as many as there are.
    """

    def __init__(
        self,
        argv: Sequence[str],
        environ: Mapping[str, str],
        *,
        size: tuple[int, int] = (120, 40),
        folder: Path,
        rate: float | None = None,
        keep: bool = False,
    ) -> None:
        self.screen = Screen(*size)
        self.rate = rate
        self.received = 0
        self.raw = bytearray()
        self._keep = keep
        self._sipped = 0.0
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.before = termios.tcgetattr(slave)
        self.started = time.monotonic()
        self._process = subprocess.Popen(
            argv,
            cwd=folder,
            env=dict(environ),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        self._master, self._slave = master, slave

    def __enter__(self) -> "PtyProgram":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def cpu(self) -> float:
        """Seconds of CPU so far."""
        return cpu_seconds(self.pid)

    @property
    def resident(self) -> int:
        return resident_bytes(self.pid)

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def type(self, keys: str) -> None:
        """Writes all of it, reading meanwhile what is shown: neither side may wait for the other."""
        left = keys.encode()
        while left:
            _, ready, _ = select.select([], [self._master], [], 0)
            if ready:
                left = left[os.write(self._master, left[:256]) :]
            self.read(0.0 if ready else 0.002)

    def resize(self, columns: int, rows: int) -> None:
        self.screen.resize(columns, rows)
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGWINCH)

    def read(self, seconds: float) -> int:
        """Waits for output at most so long, and takes what is there; how many bytes that was."""
        ready, _, _ = select.select([self._master], [], [], max(seconds, 0.0))
        if not ready:
            return 0
        if self.rate is not None:
            # One sip each SIP / rate seconds, by the clock: a reader that was late may catch up with 20 ms at most.
            due = max(self._sipped + _SIP / self.rate, time.monotonic() - 0.02)
            time.sleep(max(due - time.monotonic(), 0.0))
            self._sipped = due
        try:
            data = os.read(self._master, _CHUNK if self.rate is None else _SIP)
        except OSError:
            return 0
        self.received += len(data)
        if self._keep:
            self.raw += data
        self.screen.feed(data)
        for _ in range(self.screen.unanswered):
            os.write(self._master, b"\x1b[1;1R")
        self.screen.unanswered = 0
        return len(data)

    def run(self, seconds: float) -> int:
        """Reads for so long; how many bytes came."""
        end, before = time.monotonic() + seconds, self.received
        while (left := end - time.monotonic()) > 0:
            self.read(left)
        return self.received - before

    def sees(self, words: str, seconds: float = 30.0) -> str:
        """Reads until the words are shown, and returns all that is."""
        self.until(lambda: words in self.screen.text, words, seconds)
        return self.screen.text

    def until(self, holds: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end or self._process.poll() is not None:
                raise PtyTimeout(f"no {what!r} ({self._process.poll()}):\n{self.screen.text}")
            self.read(0.05)

    def ended(self, seconds: float = 20.0) -> int:
        """The exit code, once it has ended; what it writes last is read."""
        end = time.monotonic() + seconds
        while self._process.poll() is None:
            if time.monotonic() > end:
                raise PtyTimeout(f"no end:\n{self.screen.text}")
            self.read(0.05)
        while self.read(0.0):
            pass
        return self._process.wait()

    @property
    def restored(self) -> bool:
        """Whether the terminal's own settings are what they were before."""
        return termios.tcgetattr(self._slave) == self.before

    def end(self) -> None:
        """The program is killed where it has not ended."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        for each in (self._master, self._slave):
            with contextlib.suppress(OSError):
                os.close(each)
        self._master = self._slave = -1
