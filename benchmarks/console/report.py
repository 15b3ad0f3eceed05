"""The budgets of the console, what was found, and the chapter of benchmarks/README.md about it."""

from collections.abc import Iterator, Sequence

import msgspec

from benchmarks.console.measure import Growth, Press, Rate, Start
from benchmarks.console.watched import Hold

FIRST_PAINT, FIRST_PAINT_CPU = 1.0, 0.3
IDLE_BYTES, IDLE_CPU = 300.0, 0.005
OVERVIEW_BYTES, OVERVIEW_CPU = 12_000.0, 0.04
LONGEST_HOLD = 0.025
KEY_SEEN = 0.15
GROWTH = 5e6
_MIB = 1024**2


class Results(msgspec.Struct):
    """`demo` is the Overview on a real engine with the simulated fleet; `typing` are keys on a slow line."""

    start: Start
    idle: Rate
    views: list[Rate]
    demo: Rate
    holds: list[Hold]
    typing: list[Press]
    growth: Growth


class Finding(msgspec.Struct, frozen=True):
    """One budget and how it is kept."""

    what: str
    budget: str
    found: str
    kept: bool


def findings(results: Results) -> Iterator[Finding]:
    start, idle, growth = results.start, results.idle, results.growth
    yield Finding("first paint", "1 s", f"{start.wall:.2f} s", start.wall <= FIRST_PAINT)
    cpu = f"{start.beyond * 1000:.0f} ms (Textual alone: {start.textual * 1000:.0f} ms)"
    yield Finding("CPU of it, beyond importing Textual", "300 ms", cpu, start.beyond <= FIRST_PAINT_CPU)
    kept = idle.bytes_a_second <= IDLE_BYTES and idle.cpu <= IDLE_CPU
    yield Finding("idle", "0.3 kB/s, 0.5 % CPU", _rate(idle), kept)
    overview = next(each for each in results.views if each.name == "overview")
    for name, each in (
        ("Overview", overview),
        ("Overview, real engine on the simulated fleet", results.demo),
    ):
        kept = each.bytes_a_second <= OVERVIEW_BYTES and each.cpu <= OVERVIEW_CPU
        yield Finding(name, "12 kB/s, 4 % CPU", _rate(each), kept)
    longest = results.holds[0] if results.holds else Hold(0.0, 0.0, "nothing")
    hold = f"{longest.seconds * 1000:.0f} ms"
    yield Finding("longest hold of the event loop", "25 ms", hold, longest.seconds <= LONGEST_HOLD)
    slowest = max(each.seconds for each in results.typing)
    middle = sorted(each.seconds for each in results.typing)[len(results.typing) // 2]
    seen = f"{middle * 1000:.0f} ms, at most {slowest * 1000:.0f} ms"
    yield Finding("a key seen on a line of 64 kB/s", "150 ms", seen, slowest <= KEY_SEEN)
    more = growth.after - growth.before
    grown = f"{more / _MIB:+.1f} MiB in {growth.seconds / 60:.0f} minutes (of {growth.after / _MIB:.0f} MiB)"
    filled = f"{(growth.before - growth.begun) / _MIB:+.1f} MiB before, for the minutes to step back to"
    yield Finding("memory", "flat", f"{grown}, {filled}", more <= GROWTH)


def table(results: Results) -> list[str]:
    rows = [
        f"| {each.what} | {each.budget} | {each.found}{'' if each.kept else ' **missed**'} |"
        for each in findings(results)
    ]
    views = [f"| {each.name} | {each.kilobytes:.1f} | {each.cpu:.1%} |" for each in results.views]
    return [
        "| what | budget | measured |", "|---|---|---|", *rows, "",
        "| view, once a second | kB/s | CPU |", "|---|---:|---:|", *views,
    ]  # fmt: skip


def chapter(results: Results, day: str, machine: str) -> str:
    return "\n".join(
        [
            "## The console",
            "",
            "`make bench-console` measures the console at a pty of 120x40 with 256 colours, attached to a made-up "
            "engine whose 50 backends, 200 models and 500 requests a second change as real ones would. Bytes are "
            "counted at the pty; CPU is the process's own clock (all threads, to the nanosecond). The first paint is "
            "the first screen with the console's name, and what importing Textual costs is measured beside it in every "
            "round. Holds are callbacks of the event loop, timed by their thread's CPU while every view is opened "
            "twice. The slow line is the reader: it takes 512 bytes 125 times a second. `ARGS=--quick` takes a "
            "minute and writes nothing.",
            "",
            f"{day}, {machine}:",
            "",
            *table(results),
        ]
    )


def worst(holds: Sequence[Hold], number: int = 5) -> list[str]:
    return [
        f"  {each.seconds * 1000:5.1f} ms, of it {each.collecting * 1000:.1f} collecting garbage: {each.what}"
        for each in holds[:number]
    ]


def _rate(each: Rate) -> str:
    return f"{each.kilobytes:.2f} kB/s, {each.cpu:.2%} CPU"
