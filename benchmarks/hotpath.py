"""`python -m benchmarks.hotpath`: the engine's CPU per request and per chunk in a quarter of a minute.

With `--profile` the engine runs under a profiler (py-spy where it is installed, else cProfile), once with
requests and once with streams, and prints the most expensive functions; CPU numbers are then too high.
"""

import argparse
import contextlib
import pstats
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.environments import InstallError
from benchmarks.load import LoadSpec
from benchmarks.measure import OPEN_STREAM, one_line, sample
from benchmarks.processes import StartError, held, load, stub
from benchmarks.stub import MODEL
from benchmarks.system import Cores, divide, resident
from benchmarks.targets import Engine, Nginx, Running, Target, VllmRouter, body

_STREAMS = 32
_CHUNKS = 256
# Innermost functions of threads without work; a thread pool's and the ledger's.
_WAITING = ("_worker (concurrent/futures", "wait (threading.py", "Condition.wait (threading.py")


class HotPath:
    """The few runs that matter while working on the data plane."""

    def __init__(self, running: Running, stub_pid: int, cores: Cores, seconds: float) -> None:
        self._running = running
        self._stub_pid = stub_pid
        self._cores = cores
        self._seconds = seconds

    def requests(self, name: str, model: str, connections: int) -> None:
        self._run(name, f"{connections} connections", body(model), connections, streaming=False)

    def chunks(self, name: str, model: str, gap: int) -> None:
        text = body(model, stream=True, chunks=_CHUNKS, gap=gap)
        self._run(name, f"chunks {gap} ms apart", text, _STREAMS, streaming=True)

    def _run(self, name: str, scenario: str, text: str, connections: int, *, streaming: bool) -> None:
        spec = LoadSpec(
            port=self._running.port,
            body=text,
            connections=connections,
            warmup=0.3,
            seconds=self._seconds,
            watch={"target": self._running.pid, "stub": self._stub_pid},
            streaming=streaming,
        )
        found = sample(name, scenario, spec, load(spec, self._cores.load), self._cores)
        print(one_line(found), flush=True)

    def memory(self) -> None:
        """Coarse: the process has already served load, so freed memory hides part of the growth."""
        for scenario, text, streaming in (
            ("idle connection", body(MODEL), False),
            ("open stream", body(MODEL, stream=True, **OPEN_STREAM), True),
        ):
            sizes = []
            for connections in (50, 250):
                spec = LoadSpec(
                    port=self._running.port,
                    body=text,
                    connections=connections,
                    hold=True,
                    streaming=streaming,
                )
                with held(spec, self._cores.load):
                    sizes.append(resident(self._running.pid))
            print(f"{(sizes[1] - sizes[0]) / 200 / 1024:.1f} KiB per {scenario}", flush=True)


def _cprofile(place: Path) -> tuple[str, ...]:
    return ("-m", "cProfile", "-o", str(place / "engine.prof"), "-m")


def _print_cprofile(place: Path, lines: int) -> None:
    pstats.Stats(str(place / "engine.prof")).sort_stats("tottime").print_stats(lines)


@contextlib.contextmanager
def _sampled(program: str, pid: int, stacks: Path, seconds: float) -> Iterator[None]:
    """py-spy beside whatever happens in the context, which must last about so many seconds."""
    command = [
        *(program, "record", "--pid", str(pid), "--format", "raw", "--rate", "250", "--function"),
        *("--threads", "--duration", str(max(1, round(seconds))), "--output", str(stacks)),
    ]
    sampler = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        sampler.wait(60)


def _print_stacks(stacks: Path, lines: int) -> None:
    """Share of the busy samples per innermost function; threads waiting for work are left out."""
    counts: dict[str, int] = {}
    for line in stacks.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        innermost = stack.rpartition(";")[2]
        if not innermost.startswith(_WAITING):
            counts[innermost] = counts.get(innermost, 0) + int(count)
    total = sum(counts.values()) or 1
    for function, samples in sorted(counts.items(), key=lambda pair: -pair[1])[:lines]:
        print(f"{samples / total:7.1%}  {function}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hotpath", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each measured window")
    parser.add_argument("--profile", action="store_true", help="run the engine under a profiler")
    parser.add_argument("--lines", type=int, default=40, help="of the profile")
    parser.add_argument("--beside", action="store_true", help="nginx and vllm-router in the same run")
    parser.add_argument("--model", default="", help="only this model name: stub-model or auto")
    parser.add_argument("--memory", action="store_true", help="also memory per connection and stream")
    return parser.parse_args()


def _measure(target: Target, paths: HotPath, chosen: argparse.Namespace) -> None:
    for model in (chosen.model,) if chosen.model else target.models:
        for connections in (1, 32, 256):
            paths.requests(f"{target.name} ({model})", model, connections)
    for gap in (4, 0):
        paths.chunks(target.name, target.models[0], gap)
    if chosen.memory:
        paths.memory()


def _profile(backend: tuple[int, int], cores: Cores, place: Path, chosen: argparse.Namespace) -> None:
    """One run of requests and one of chunks, each with its own list where py-spy is there."""
    spy, seconds = shutil.which("py-spy"), 4 * chosen.seconds
    target = Engine(("-m",) if spy else _cprofile(place))
    with target.start(backend, place, cores.target) as running:
        paths = HotPath(running, backend[0], cores, seconds)
        runs: tuple[Callable[[], None], ...] = (
            lambda: paths.requests(target.name, chosen.model or MODEL, 32),
            lambda: paths.chunks(target.name, chosen.model or MODEL, 0),
        )
        for run in runs:
            stacks = place / "stacks.txt"
            with _sampled(spy, running.pid, stacks, seconds) if spy else contextlib.nullcontext():
                run()
            if spy:
                _print_stacks(stacks, chosen.lines)
    if not spy:
        _print_cprofile(place, chosen.lines)


def _compare(backend: tuple[int, int], cores: Cores, place: Path, chosen: argparse.Namespace) -> None:
    targets: list[Target] = [Engine()]
    if chosen.beside:
        targets[:0] = [Nginx(), VllmRouter()]
    for target in targets:
        with target.start(backend, place, cores.target) as running:
            _measure(target, HotPath(running, backend[0], cores, chosen.seconds), chosen)


def main() -> int:
    chosen = _arguments()
    cores = divide()
    with tempfile.TemporaryDirectory(prefix="hotpath-") as name, stub(cores.stub) as backend:
        try:
            (_profile if chosen.profile else _compare)(backend, cores, Path(name), chosen)
        except (StartError, InstallError) as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
