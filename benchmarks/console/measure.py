"""What is measured of the console, and how; every function is one question."""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from benchmarks.console.fleet import Size
from benchmarks.console.terminal import PtyProgram
from benchmarks.console.watched import Hold, read
from orchestra_tui.history import SECONDS

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ("-m", "orchestra_core")
SLOW_LINE = 64_000.0
VIEWS = (
    ("overview", "1"),
    ("models", "2"),
    ("backends", "3"),
    ("throughput", "4"),
    ("requests", "5"),
    ("playground", "6"),
    ("alerts", "7"),
    ("cost", "8"),
    ("events", "9"),
)
_SETTLING = 3.0
# Prints once Textual is there, then waits to be read out: what any console on Textual pays.
_TEXTUAL = "import sys, textual.app; print('ready', flush=True); sys.stdin.read()"


class Start(msgspec.Struct, frozen=True):
    """Seconds: `wall` and `cpu` of the first paint, `textual` of CPU to import Textual alone."""

    wall: float
    cpu: float
    textual: float

    @property
    def beyond(self) -> float:
        return self.cpu - self.textual


class Rate(msgspec.Struct, frozen=True):
    """What one view costs while it is looked at: bytes a second, and the share of a core."""

    name: str
    bytes_a_second: float
    cpu: float

    @property
    def kilobytes(self) -> float:
        return self.bytes_a_second / 1000


class Press(msgspec.Struct, frozen=True):
    """One key: seconds until it was seen, bytes until then, and the console's CPU meanwhile."""

    key: str
    seconds: float
    bytes: int
    cpu: float


class Growth(msgspec.Struct, frozen=True):
    """Resident bytes of the console: `begun` when every view has been looked at, `before` when what one can step
    back to is full and at its bound, `after` so many seconds later."""

    seconds: float
    begun: int
    before: int
    after: int
    bytes_early: float = 0.0
    bytes_late: float = 0.0


def environment(home: Path) -> dict[str, str]:
    """256 colours, UTF-8, and nothing of the user's own."""
    return {
        "HOME": str(home),
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "PYTHONPATH": str(ROOT),
    }


@contextmanager
def serving(size: Size) -> Iterator[Path]:
    """A made-up engine in a process of its own; its socket. It is there until the block ends."""
    with tempfile.TemporaryDirectory(prefix="console-") as folder:
        socket = Path(folder) / "engine.sock"
        argv = [
            sys.executable,
            "-m",
            "benchmarks.console.serving",
            str(socket),
            msgspec.json.encode(size).decode(),
        ]
        process = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE)
        try:
            assert process.stdout is not None
            if process.stdout.readline() != b"ready\n":
                raise RuntimeError("the made-up engine did not start")
            yield socket
        finally:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


@contextmanager
def console(
    socket: Path,
    *,
    size: tuple[int, int] = (120, 40),
    rate: float | None = None,
    watched: Path | None = None,
    keep: bool = False,
) -> Iterator[PtyProgram]:
    """The console at a pty, attached to that engine."""
    with tempfile.TemporaryDirectory(prefix="console-") as folder:
        home = Path(folder)
        program = PROGRAM if watched is None else ("-m", "benchmarks.console.watched", str(watched))
        argv = [sys.executable, *program, "--socket", str(socket)]
        with PtyProgram(argv, environment(home), size=size, folder=home, rate=rate, keep=keep) as running:
            yield running


def start(socket: Path) -> Start:
    """One cold start of the console beside one import of Textual."""
    with tempfile.TemporaryDirectory(prefix="console-") as folder:
        argv = [sys.executable, "-c", _TEXTUAL]
        with PtyProgram(argv, environment(Path(folder)), folder=Path(folder)) as alone:
            alone.sees("ready")
            textual = alone.cpu
    with console(socket) as running:
        running.sees("ORCHESTRA")
        return Start(time.monotonic() - running.started, running.cpu, textual)


def starts(socket: Path, rounds: int) -> Start:
    """The medians of several; the first one warms the caches and is not counted."""
    found = [start(socket) for _ in range(rounds + 1)][1:]
    return Start(
        *(statistics.median(getattr(each, name) for each in found) for name in Start.__struct_fields__)
    )


def rate(running: PtyProgram, name: str, seconds: float) -> Rate:
    """What the console writes and burns in so many seconds as it is."""
    cpu, begun = running.cpu, time.monotonic()
    received = running.run(seconds)
    took = time.monotonic() - begun
    return Rate(name, received / took, (running.cpu - cpu) / took)


def idle(seconds: float, size: Size, settling: float = _SETTLING) -> Rate:
    """The Overview on the same fleet, of which nobody wants anything; its pictures of the last seconds grow for 20."""
    with serving(msgspec.structs.replace(size, rate=0.0)) as socket, console(socket) as running:
        running.sees("live")
        running.run(settling)
        return rate(running, "idle", seconds)


def views(running: PtyProgram, seconds: float, wanted: Sequence[tuple[str, str]] = VIEWS) -> list[Rate]:
    """Each view that is there, one after the other."""
    running.sees("live")
    found = []
    for name, key in wanted:
        if show(running, key):
            running.run(_SETTLING)
            found.append(rate(running, name, seconds))
    return found


def show(running: PtyProgram, key: str) -> bool:
    """Goes to the view of that digit; False where there is none. From the playground's prompt escape leads away."""
    if f" {key}" not in running.screen.rows[1]:
        return False
    running.type("\x1b")
    running.run(0.3)
    running.type(key)
    running.run(0.3)
    return True


def holds(socket: Path, seconds: float) -> list[Hold]:
    """What held the loop for longest after the first paint, while every view is visited twice; longest first."""
    with tempfile.TemporaryDirectory(prefix="console-") as folder:
        file = Path(folder) / "holds"
        with console(socket, watched=file) as running:
            running.sees("live")
            running.run(2.0)
            painted = time.monotonic()
            for _, key in (*VIEWS, *VIEWS):
                if show(running, key):
                    running.run(seconds)
            running.type("\x1b")
            running.run(0.3)
            running.type("\x11")
            running.ended()
        return sorted((each for each in read(file) if each.at > painted), key=lambda each: -each.seconds)


def presses(socket: Path, rounds: int, line: float = SLOW_LINE) -> list[Press]:
    """Keys on the Overview over a slow line, at moments of every second's parts."""
    found = []
    with console(socket, rate=line) as running:
        running.sees("live")
        running.run(_SETTLING)
        for index in range(rounds):
            running.run(0.5 + index * 0.37 % 1)
            found.append(press(running, ":", lambda: "command (:help)" in running.screen.text))
            running.run(0.2)
            running.type("\x1b")
            running.until(lambda: "command (:help)" not in running.screen.text, "an end of the command line")
    return found


def press(running: PtyProgram, key: str, seen: Callable[[], bool]) -> Press:
    begun, received, cpu = time.monotonic(), running.received, running.cpu
    running.type(key)
    running.until(seen, f"what {key} shows")
    return Press(key, time.monotonic() - begun, running.received - received, running.cpu - cpu)


def growth(socket: Path, seconds: float, look: float = 2.0) -> Growth:
    """Memory over a long run at two updates a second, after a look at every view that is there.

    What is kept to step back to grows for ten minutes and is part of no growth; a shorter run has it in part.
    """
    part = max(seconds / 10, 1.5)
    with console(socket) as running:
        running.sees("live")
        running.type("+")
        for _, key in (*VIEWS, VIEWS[0]):
            if show(running, key):
                running.run(look)
        begun = running.resident
        running.run(min(SECONDS, seconds))
        before, early = running.resident, rate(running, "early", part)
        running.run(seconds * 0.8)
        late = rate(running, "late", part)
        return Growth(seconds, begun, before, running.resident, early.bytes_a_second, late.bytes_a_second)
