"""Runs every strategy with every seed: all at once, each against a fleet of its own with the same faults.

Beside each other the whole takes a fifth of the time, and what else the machine does hits all alike. They take
little of it: service times are timers. Whether it was too much shows in how late the load was sent.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from benchmarks.availability import strategies
from benchmarks.availability.client import READY, Order, Run
from benchmarks.availability.experiment import FILE, Experiment
from benchmarks.availability.fleet import Fleet, engine, fleet
from benchmarks.processes import ROOT, StartError
from orchestra_core.config.template import template

SLOTS = 32
# Beyond this the generator was late itself, on a machine shared with everything else here.
LAG_LIMIT = 0.020
_HEAD_START = 0.3


class Results(msgspec.Struct):
    """Every run; `left_out` says which strategies could not be measured, and why."""

    experiment: Experiment
    runs: list[Run] = []
    left_out: dict[str, str] = {}

    @property
    def late(self) -> bool:
        """Whether the generator of any run was late: then the machine was measured, not the strategy."""
        return any(run.lag_p99 > LAG_LIMIT for run in self.runs)


def measure(
    experiment: Experiment,
    wanted: Sequence[str],
    say: Callable[[str], None],
    keep: Path | None = None,
    together: int = 5,
) -> Results:
    """All runs, so many at a time. `keep` is where the ledger and the log of each engine stay, to ask them why."""
    left_out = {strategy: why for strategy in wanted if (why := unavailable(strategy))}
    results = Results(experiment, left_out=left_out)
    chosen = [strategy for strategy in wanted if strategy not in left_out]
    setup = experiment.fleet
    with ExitStack() as stack:
        fleets = [stack.enter_context(fleet(setup.name, setup.processes, FILE)) for _ in chosen]
        pool = stack.enter_context(ThreadPoolExecutor(together))
        for seed in experiment.load.seeds:
            begun = [
                pool.submit(_one, experiment, backends, strategy, seed, keep)
                for strategy, backends in zip(chosen, fleets, strict=True)
            ]
            for future in begun:
                results.runs.append(future.result())
                say(line(results.runs[-1]))
    return results


def line(run: Run) -> str:
    late = " (generator late)" if run.lag_p99 > LAG_LIMIT else ""
    return (
        f"seed {run.seed:2}  {run.strategy:30} {100 * run.availability:8.3f} %  of {run.offered}  "
        f"p50 {run.p50:.2f} s  p99 {run.p99:.2f} s  lag p99 {1000 * run.lag_p99:.1f} ms{late}  {run.reasons}"
    )


def unavailable(strategy: str) -> str:
    """Why a strategy cannot be measured with this version of the engine; empty if it can."""
    if strategy == strategies.UNCONTINUED and not _settable("continuation"):
        return "continuation cannot be switched off by configuration"
    return ""


def _settable(name: str) -> bool:
    return f"{name} = " in template()


def _one(experiment: Experiment, backends: Fleet, strategy: str, seed: int, keep: Path | None) -> Run:
    backends.mend()
    first = backends.ports[experiment.fleet.first]
    others = [port for port in backends.ports.values() if port != first]
    with _target(experiment, backends, strategy, seed, keep) as through, generator() as process:
        ports = (through,) if through else (first, *others)
        begin = time.monotonic() + _HEAD_START
        backends.schedule(seed, experiment.load.seconds, begin)
        return offer(process, Order(strategy, seed, experiment.load, experiment.fleet.model, ports, begin))


@contextmanager
def _target(
    experiment: Experiment, backends: Fleet, strategy: str, seed: int, keep: Path | None
) -> Iterator[int]:
    """The port of a fresh engine, 0 for the strategies that ask the backends themselves."""
    if strategy not in (strategies.ENGINE, strategies.UNCONTINUED):
        yield 0
        return
    with ExitStack() as stack:
        if keep is None:
            place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="orchestra-availability-")))
        else:
            place = keep / f"{'un' if strategy == strategies.UNCONTINUED else ''}continued-{seed}"
            place.mkdir(parents=True)
        options = configuration(experiment, continuation=strategy == strategies.ENGINE)
        port, _ = stack.enter_context(engine(backends.ports, SLOTS, place, options))
        yield port


def configuration(experiment: Experiment, *, continuation: bool) -> str:
    """What the file sets for the engine, as far as this version knows it."""
    text = ""
    if _settable("between_tokens"):
        text += "\n[timeouts]\n" + "".join(f"{k} = {v}\n" for k, v in experiment.engine.timeouts.items())
    if not continuation:
        text += "\n[resilience]\ncontinuation = false\n"
    return text


@contextmanager
def generator() -> Iterator[subprocess.Popen[str]]:
    """A load generator, ready to be given its order: on a busy machine its start takes longer than a second."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.availability.client"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        if process.stdout.readline().strip() != READY:
            raise StartError("the load generator did not start")
        yield process
    finally:
        process.kill()
        process.communicate()


def offer(process: subprocess.Popen[str], order: Order) -> Run:
    """One run of a load generator."""
    line = msgspec.json.encode(order).decode() + "\n"
    seconds = order.load.seconds + order.load.deadline + 60
    said, complaint = process.communicate(line, timeout=seconds)
    if process.returncode != 0:
        raise StartError(f"the load generator failed: {complaint[-300:]}")
    return msgspec.json.decode(said, type=Run)
