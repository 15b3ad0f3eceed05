"""Starts and ends the processes of a benchmark, each in a process group of its own, pinned to a core."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from benchmarks.load import LoadResult, LoadSpec
from benchmarks.system import born_on

ROOT = Path(__file__).resolve().parent.parent


class StartError(Exception):
    """The process did not come up; the message ends with the last lines of its log."""


def free_port() -> int:
    """A port that was free a moment ago; for programs that cannot be told to choose one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(
    command: Sequence[str], log: Path, core: int | None, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """The process, pinned to `core` if given; ended with SIGTERM, then SIGKILL, and all it started with it."""
    pinned = contextlib.nullcontext() if core is None else born_on(core)
    with log.open("w") as output, pinned:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=dict(environment) if environment is not None else None,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[str]) -> None:
    """SIGTERM to the process and all it started, SIGKILL after 15 s."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(5)


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[str], log: Path, seconds: float) -> None:
    """Polls until `ready`; StartError when the process ends or the time is over."""
    end = time.perf_counter() + seconds
    while not ready():
        if process.poll() is not None:
            raise StartError(f"ended with status {process.returncode}: {_last_lines(log)}")
        if time.perf_counter() > end:
            raise StartError(f"not ready after {seconds:.0f} s: {_last_lines(log)}")
        time.sleep(0.1)


def _last_lines(log: Path, count: int = 3) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return " | ".join(lines[-count:]) or "nothing in its log"


@contextlib.contextmanager
def stub(core: int) -> Iterator[tuple[int, int]]:
    """The stub backend: its process id and its port."""
    with born_on(core):
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.stub"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        yield process.pid, port
    finally:
        end(process)
        if process.stdout is not None:
            process.stdout.close()


def load(spec: LoadSpec, core: int) -> LoadResult:
    """One run of the load generator in a process of its own."""
    with born_on(core):
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.load"],
            cwd=ROOT,
            input=msgspec.json.encode(spec).decode() + "\n",
            capture_output=True,
            text=True,
            timeout=spec.warmup + spec.seconds + 2 * spec.longest + 60,
            check=False,
        )
    if done.returncode != 0:
        raise StartError(f"the load generator failed: {done.stderr[-300:]}")
    return msgspec.json.decode(done.stdout, type=LoadResult)


@contextlib.contextmanager
def held(spec: LoadSpec, core: int) -> Iterator[LoadResult]:
    """Connections kept open by a load generator while the context lasts."""
    with born_on(core):
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.load"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        process.stdin.write(msgspec.json.encode(spec).decode() + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            raise StartError(f"connections could not be opened: {process.stderr.read()[-300:]}")
        yield msgspec.json.decode(line, type=LoadResult)
    finally:
        process.communicate("\n", timeout=15)
