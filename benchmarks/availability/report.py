"""Results as a file with every run, and as a table of all strategies with their intervals and worst seeds."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from benchmarks.availability.client import Run
from benchmarks.availability.measure import LAG_LIMIT, Results
from benchmarks.availability.statistics import bootstrap, wilson
from benchmarks.pages import publish
from benchmarks.system import machine
from orchestra_core.clock import SystemClock
from orchestra_core.simulation.faults import plan

_HERE = Path(__file__).resolve().parent


class Summary(msgspec.Struct, frozen=True):
    """All seeds of a strategy. Intervals are of 95 %, latencies medians over the seeds in seconds."""

    strategy: str
    offered: int
    good: int
    availability: float
    wilson: tuple[float, float]
    bootstrap: tuple[float, float]
    worst_seed: int
    worst: float
    p50: float
    p99: float
    late: int


def summarise(runs: Sequence[Run]) -> list[Summary]:
    """One summary for each strategy, in the order measured."""
    return [
        _summary([run for run in runs if run.strategy == name])
        for name in dict.fromkeys(r.strategy for r in runs)
    ]


def _summary(runs: Sequence[Run]) -> Summary:
    offered, good = sum(run.offered for run in runs), sum(run.good for run in runs)
    worst = min(runs, key=lambda run: run.availability)
    return Summary(
        runs[0].strategy,
        offered,
        good,
        good / offered if offered else 0.0,
        wilson(good, offered),
        bootstrap([(run.good, run.offered) for run in runs]),
        worst.seed,
        worst.availability,
        _median([run.p50 for run in runs]),
        _median([run.p99 for run in runs]),
        sum(run.lag_p99 > LAG_LIMIT for run in runs),
    )


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def table(results: Results) -> str:
    return "\n".join(_lines(results))


def _lines(results: Results) -> Iterator[str]:
    yield "| strategy | complete answers | of offered | 95 % over seeds | 95 % Wilson | worst seed | p50 s | p99 s |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for one in summarise(results.runs):
        late = f" ({one.late} runs late)" if one.late else ""
        yield (
            f"| {one.strategy}{late} | {_percent(one.availability)} | {one.good:,} / {one.offered:,} "
            f"| {_between(one.bootstrap)} | {_between(one.wilson)} | {_percent(one.worst)} (seed {one.worst_seed}) "
            f"| {one.p50:.2f} | {one.p99:.2f} |"
        )
    for strategy, why in results.left_out.items():
        yield f"| {strategy} | not measured: {why} | | | | | | |"


def _percent(share: float) -> str:
    return f"{100 * share:.3f} %"


def _between(interval: tuple[float, float]) -> str:
    return f"{100 * interval[0]:.3f} to {100 * interval[1]:.3f}"


def write(results: Results) -> list[Path]:
    """results/<date>.json with every run and every fault, and the table in benchmarks/RESULTS.md."""
    day = datetime.fromtimestamp(SystemClock().wall(), UTC).date().isoformat()
    load = results.experiment.load
    record = {
        "date": day,
        "machine": machine(),
        "experiment": results.experiment,
        "summary": summarise(results.runs),
        "left_out": results.left_out,
        "runs": results.runs,
        "faults": {
            str(seed): {
                name: plan(results.experiment.schedule, name, seed, load.seconds)
                for name in results.experiment.fleet.backends
            }
            for seed in load.seeds
        },
    }
    place = _HERE / "results" / f"{day}.json"
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")
    return [place, publish("availability", "\n".join(_chapter(results, day)))]


def _chapter(results: Results, day: str) -> Iterator[str]:
    load = results.experiment.load
    yield "## Availability"
    yield ""
    yield (
        f"{day}, simulated fleet of {len(results.experiment.fleet.backends)} equal backends, {len(load.seeds)} seeds "
        f"of {load.seconds:.0f} s at {load.rate:.0f} requests/s (Poisson, open loop), {100 * load.streamed:.0f} % "
        f"streamed, deadline {load.deadline:g} s. The faults are those of "
        f"[mix.toml](availability/mix.toml); every run, failed request and fault is in "
        f"[results/{day}.json](availability/results/{day}.json). How to read this: [README.md](README.md#availability)."
    )
    yield ""
    yield from _lines(results)
