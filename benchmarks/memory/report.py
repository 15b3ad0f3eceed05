"""Results as a file with every run, and as tables in RESULTS.md."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from benchmarks.memory.runs import Interval, Run, Summary, summarise
from benchmarks.memory.workload import Workload
from benchmarks.pages import publish
from benchmarks.system import machine
from orchestra_core.clock import SystemClock

_HERE = Path(__file__).resolve().parent


class Results(msgspec.Struct):
    """`simulated` are runs of discrete events; `beside` pairs of the same trace, simulated and over sockets."""

    workload: Workload
    simulated: list[Run] = []
    beside: list[tuple[Run, Run]] = []


def tables(results: Results) -> str:
    return "\n".join(_lines(results))


def _lines(results: Results) -> Iterator[str]:
    load = results.workload.load
    found = summarise(results.simulated)
    yield from _quoted([one for one in found if one.rate == load.quoted])
    rates = [rate for rate in load.rates if any(one.rate == rate for one in found)]
    if len(rates) > 1:
        yield ""
        yield from _by_rate(found, rates)
    if results.beside:
        yield ""
        yield from beside(results.beside)


def _quoted(found: Sequence[Summary]) -> Iterator[str]:
    yield (
        "| strategy | cold | failed | first token, mean s | p50 | p95 | p99 | warm beside a load, p95 | loads "
        "| out of memory per 10⁴ loads: own | into use by others | taken by others | worst seed |"
    )
    yield "| --- |" + " ---: |" * 12
    for one in found:
        own = f"{one.own:.1f}" if one.own else f"0 (at most {one.own_at_most:g})"
        yield (
            f"| {one.strategy} | {_share(one.cold)} | {_share(one.failed)} | {_seconds(one.mean)} | {one.p50:.2f} "
            f"| {one.p95:.1f} | {one.p99:.1f} | x {one.hol:.2f} | {one.loads:,} | {own} | {one.occupied:.1f} "
            f"| {one.taken:.1f} | {100 * one.worst_cold:.1f} % (seed {one.worst_seed}) |"
        )


def _by_rate(found: Sequence[Summary], rates: Sequence[float]) -> Iterator[str]:
    yield "Cold requests, and the mean time to the first token, by requests a second:"
    yield ""
    yield "| strategy |" + "".join(f" {rate:g}/s |" for rate in rates)
    yield "| --- |" + " ---: |" * len(rates)
    for name in dict.fromkeys(one.strategy for one in found):
        cells = {one.rate: one for one in found if one.strategy == name}
        if len(cells) > 1:
            shown = [f" {100 * cells[r].cold.value:.1f} %, {cells[r].mean.value:.1f} s |" for r in rates]
            yield f"| {name} |" + "".join(shown)


def beside(pairs: Sequence[tuple[Run, Run]]) -> Iterator[str]:
    """A table of pairs: simulated, and over sockets."""
    yield "The same requests simulated and over sockets, in real time:"
    yield ""
    yield "| strategy | | cold | failed | first token, mean s |"
    yield "| --- | --- |" + " ---: |" * 3
    for pair in pairs:
        for how, run in zip(("simulated", "sockets"), pair, strict=True):
            offered = max(1, run.offered)
            failed = 100 * sum(run.failed.values()) / offered
            yield f"| {run.strategy} | {how} | {100 * run.cold / offered:.1f} % | {failed:.1f} % | {run.mean:.2f} |"


def _share(value: Interval) -> str:
    return f"{100 * value.value:.1f} % ({100 * value.low:.1f} to {100 * value.high:.1f})"


def _seconds(value: Interval) -> str:
    return f"{value.value:.1f} ({value.low:.1f} to {value.high:.1f})"


def write(results: Results) -> list[Path]:
    """results/<date>.json with every run, and the tables in benchmarks/RESULTS.md."""
    day = datetime.fromtimestamp(SystemClock().wall(), UTC).date().isoformat()
    record = {
        "date": day,
        "machine": machine(),
        "workload": results.workload,
        "summary": summarise(results.simulated),
        "runs": results.simulated,
        "sockets": results.beside,
    }
    place = _HERE / "results" / f"{day}.json"
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")
    return [place, publish("memory", "\n".join(_chapter(results, day)))]


def _chapter(results: Results, day: str) -> Iterator[str]:
    workload, load = results.workload, results.workload.load
    sizes = sum(model.size for model in workload.models.list)
    memory = sum(box.memory for box in workload.boxes)
    yield "## Memory"
    yield ""
    yield (
        f"{day}, simulated: {len(workload.models.list)} models of {sizes:g} GB on {len(workload.boxes)} boxes of "
        f"{memory:g} GB together, {len(load.seeds)} seeds of {load.seconds:.0f} s at {load.quoted:g} requests/s. "
        f"Sizes told are up to {100 * workload.truth.estimate_error:.0f} % wrong, other programs take memory and give "
        f"it back. All of it is in [workload.toml](memory/workload.toml), every run in "
        f"[results/{day}.json](memory/results/{day}.json). How to read this: [README.md](README.md#memory)."
    )
    yield ""
    yield from _lines(results)
