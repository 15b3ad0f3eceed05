"""The processes of a run: the simulated fleet with its faults, and the engine in front of it."""

import contextlib
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from benchmarks.processes import ROOT, StartError, end, free_port, running, wait_until
from benchmarks.serving import alone, environment

_WELL_SECONDS = 20.0


class Said(msgspec.Struct):
    name: str
    url: str


class Listing(msgspec.Struct):
    backends: list[Said]


class Fleet:
    """Backends that are up: `ports` by name."""

    def __init__(self, processes: Sequence[subprocess.Popen[str]]) -> None:
        self._processes = processes
        self.ports: dict[str, int] = {}
        for process in processes:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise StartError("the simulated fleet did not start")
            for said in msgspec.json.decode(line, type=Listing).backends:
                self.ports[said.name] = int(said.url.rpartition(":")[2])

    def schedule(self, seed: int, until: float, begin: float) -> None:
        """Breaks the backends as planned for the seed, from `begin` (monotonic) on; none after `until` seconds."""
        line = msgspec.json.encode({"seed": seed, "until": until, "begin": begin}).decode() + "\n"
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(line)
            process.stdin.flush()

    def mend(self) -> None:
        """Ends every fault, and returns when all backends are well and have their models loaded."""
        self.schedule(0, 0.0, time.monotonic())
        end_at = time.monotonic() + _WELL_SECONDS
        for name, port in self.ports.items():
            while not _mended(port):
                if time.monotonic() > end_at:
                    raise StartError(f"{name} did not get well within {_WELL_SECONDS:.0f} s")
                time.sleep(0.05)


def _mended(port: int) -> bool:
    fault = urllib.request.Request(f"http://127.0.0.1:{port}/simulation/fault", method="DELETE")
    try:
        with urllib.request.urlopen(fault, timeout=2):
            pass
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
            return int(answer.status) == 200
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


@contextlib.contextmanager
def fleet(name: str, processes: Sequence[Sequence[str]], faults: Path | None) -> Iterator[Fleet]:
    """The backends of a simulated fleet, some to a process; after `mend` they are well until `schedule`."""
    started: list[subprocess.Popen[str]] = []
    try:
        for backends in processes:
            command = [sys.executable, "-m", "orchestra_core.simulation", "--fleet", name]
            command += ["--only", ",".join(backends)]
            if faults is not None:
                command += ["--faults", str(faults)]
            started.append(
                subprocess.Popen(
                    command,
                    cwd=ROOT,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    start_new_session=True,
                )
            )
        yield Fleet(started)
    finally:
        for process in started:
            end(process)
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()


@contextlib.contextmanager
def engine(ports: Mapping[str, int], slots: int, place: Path, extra: str = "") -> Iterator[tuple[int, int]]:
    """A real `serve` in front of these backends: its port and its process id. `extra` is more configuration."""
    port = free_port()
    config = place / "engine.toml"
    backends = "".join(_BACKEND.format(name=name, port=at, slots=slots) for name, at in ports.items())
    config.write_text(alone(place, port) + backends + extra)
    command = [sys.executable, "-m", "orchestra_core", "serve", "--config", str(config)]
    log = place / "engine.log"
    with running(command, log, None, environment(place)) as process:
        wait_until(lambda: _up(port, len(ports)), process, log, 30)
        yield port, process.pid


class _Backend(msgspec.Struct):
    health: str = ""


class _Snapshot(msgspec.Struct):
    backends: list[_Backend] = []


def _up(port: int, count: int) -> bool:
    """Whether the engine has heard from all its backends."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/snapshot", timeout=2) as answer:
            found = msgspec.json.decode(answer.read(), type=_Snapshot)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
    return sum(backend.health == "up" for backend in found.backends) == count


_BACKEND = """
[[backends]]
name = "{name}"
kind = "llamacpp"
url = "http://127.0.0.1:{port}"
slots = {slots}
"""
