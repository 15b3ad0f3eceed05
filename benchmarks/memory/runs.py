"""One run, what it showed, and what several of them together do."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import ceil
from random import Random

import msgspec

from benchmarks.memory import baselines
from benchmarks.memory.engine import Options, SimulatedEngine
from benchmarks.memory.simulator import Strategy, Ticket, World
from benchmarks.memory.workload import Workload
from benchmarks.open_loop import quantile
from orchestra_core.residency.scheduler import Policy
from orchestra_core.simulation.trace import Doing

ENGINE, DECLARED = "this engine", "this engine, memory only declared"
NO_PRELOAD, NO_DEMAND = "this engine, no preloading", "this engine, victims by last use"
MAKE: Mapping[str, Callable[[], Strategy]] = {
    **baselines.MAKE,
    ENGINE: lambda: SimulatedEngine(Options()),
    NO_PRELOAD: lambda: SimulatedEngine(Options(preload=False)),
    NO_DEMAND: lambda: SimulatedEngine(Options(demand=False, preload=False)),
    DECLARED: lambda: SimulatedEngine(Options(measured=False, policy=Policy(return_seconds=5.0))),
}
# Only at the quoted rate: they say what of this engine does what.
ABLATIONS = (NO_PRELOAD, NO_DEMAND, DECLARED)
_DRAWS = 2000


class Run(msgspec.Struct):
    """One seed with one strategy at one rate. Times to the first token in seconds from when a request was due.

    `cold` waited for a load of their model. `beside` are first tokens of warm requests that came while their box
    loaded another model, `clear` of those that came while it did not. `own`, `occupied` and `taken` are ends of memory
    by whose doing they were (`simulation.trace.Doing`). `patience` seconds stand for those that never came.
    """

    strategy: str
    rate: float
    seed: int
    offered: int = 0
    cold: int = 0
    failed: dict[str, int] = {}
    mean: float = 0.0
    p50: float = 0.0
    p95: float = 0.0
    p99: float = 0.0
    warm_beside: int = 0
    warm_clear: int = 0
    beside_p95: float = 0.0
    clear_p95: float = 0.0
    loads: int = 0
    unloads: int = 0
    load_failures: int = 0
    own: int = 0
    occupied: int = 0
    taken: int = 0


def simulate(workload: Workload, strategy: str, rate: float, seed: int) -> Run:
    """One run, by discrete events under a virtual clock."""
    world = World(workload, seed, rate, MAKE[strategy]())
    run = measured(Run(strategy, rate, seed), world.run(), workload.load.patience)
    counts = world.counts
    run.loads, run.unloads, run.load_failures = counts.loads, counts.unloads, counts.load_failures
    run.own, run.occupied, run.taken = (counts.ends.get(doing, 0) for doing in Doing)
    return run


def measured(run: Run, tickets: Sequence[Ticket], patience: float) -> Run:
    """What happened to the requests; a failure has the time to its first token that its client would have waited."""
    first = [ticket.first_token if ticket.answered else patience for ticket in tickets]
    run.offered, run.cold = len(tickets), sum(ticket.cold for ticket in tickets)
    run.failed = dict(Counter(str(ticket.failed) for ticket in tickets if not ticket.answered))
    run.mean = sum(first) / max(1, len(first))
    run.p50, run.p95, run.p99 = (quantile(first, share) for share in (0.5, 0.95, 0.99))
    warm = [one for one in tickets if one.answered and not one.cold and one.box in one.ready]
    beside = [one.first_token for one in warm if one.box in one.loading]
    clear = [one.first_token for one in warm if one.box not in one.loading]
    run.warm_beside, run.warm_clear = len(beside), len(clear)
    run.beside_p95, run.clear_p95 = quantile(beside, 0.95), quantile(clear, 0.95)
    return run


class Interval(msgspec.Struct, frozen=True):
    """A figure and its 95 % interval, by drawing whole seeds."""

    value: float
    low: float
    high: float


class Summary(msgspec.Struct, frozen=True):
    """All seeds of a strategy at a rate: shares of all requests offered, times as means over the seeds.

    `hol` is the p95 of the first tokens of warm requests beside a load by that without one. Ends of memory are per ten
    thousand loads; `own_at_most` is the upper 95 % bound of those by its own models where there was none.
    """

    strategy: str
    rate: float
    seeds: int
    offered: int
    cold: Interval
    failed: Interval
    mean: Interval
    p50: float
    p95: float
    p99: float
    hol: float
    loads: int
    own: float
    own_at_most: float
    occupied: float
    taken: float
    worst_seed: int
    worst_cold: float


def summarise(runs: Sequence[Run]) -> list[Summary]:
    """One summary for each strategy and rate, in the order measured."""
    groups: dict[tuple[str, float], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.strategy, run.rate), []).append(run)
    return [_summary(group) for group in groups.values()]


def _summary(runs: Sequence[Run]) -> Summary:
    worst = max(runs, key=_cold)
    loads = sum(run.loads for run in runs)
    each = 1e4 / max(1, loads)
    ends = [sum(getattr(run, name) for run in runs) for name in ("own", "occupied", "taken")]
    return Summary(
        strategy=runs[0].strategy,
        rate=runs[0].rate,
        seeds=len(runs),
        offered=sum(run.offered for run in runs),
        cold=bootstrap(runs, _cold),
        failed=bootstrap(runs, lambda run: sum(run.failed.values()) / max(1, run.offered)),
        mean=bootstrap(runs, lambda run: run.mean),
        p50=_average([run.p50 for run in runs]),
        p95=_average([run.p95 for run in runs]),
        p99=_average([run.p99 for run in runs]),
        hol=_average([run.beside_p95 for run in runs]) / max(1e-9, _average([run.clear_p95 for run in runs])),
        loads=loads,
        own=ends[0] * each,
        # The rule of three: what is still possible after nothing was seen.
        own_at_most=ceil(3 * each * 10) / 10 if not ends[0] else 0.0,
        occupied=ends[1] * each,
        taken=ends[2] * each,
        worst_seed=worst.seed,
        worst_cold=_cold(worst),
    )


def _cold(run: Run) -> float:
    return run.cold / max(1, run.offered)


def _average(values: Sequence[float]) -> float:
    return sum(values) / max(1, len(values))


def bootstrap(runs: Sequence[Run], figure: Callable[[Run], float], seed: int = 0) -> Interval:
    """The mean of a figure over the runs, and what it would be with other seeds."""
    rng, values = Random(seed), [figure(run) for run in runs]
    means = sorted(_average(rng.choices(values, k=len(values))) for _ in range(_DRAWS))
    return Interval(_average(values), means[int(0.025 * _DRAWS)], means[int(0.975 * _DRAWS) - 1])
