"""Results as a Markdown page and as JSON. The machine appears by its cores and memory only."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from benchmarks.measure import Results, Sample, median
from benchmarks.pages import publish
from benchmarks.system import machine

HERE = Path(__file__).resolve().parent
# Above this many cores used by somebody else, wall-clock numbers are not worth much.
_NOISY = 0.3


def _groups(samples: Iterable[Sample]) -> dict[tuple[str, str], list[Sample]]:
    groups: dict[tuple[str, str], list[Sample]] = {}
    for each in samples:
        groups.setdefault((each.scenario, each.target), []).append(each)
    return groups


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    aligned = ["---", *("---:" for _ in header[1:])]
    return [_row(header), _row(aligned), *(_row(row) for row in rows), ""]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _marks(group: Sequence[Sample]) -> str:
    void = "†" if sum(each.void for each in group) * 2 > len(group) else ""
    noisy = "‡" if median(group, "others_load") > _NOISY else ""
    return void + noisy


def _failures(group: Sequence[Sample]) -> str:
    return str(sum(each.failed for each in group) or "")


def _requests(groups: dict[tuple[str, str], list[Sample]]) -> list[str]:
    lines = list[str]()
    header = ("target", "CPU µs/request", "requests/s", "p50 ms", "p99 ms", "target cores", "failed")
    for scenario in dict.fromkeys(key[0] for key in groups if key[0].endswith("connections")):
        rows = [
            (
                target,
                f"{median(group, 'cpu_us'):.0f}",
                f"{median(group, 'per_second'):,.0f}{_marks(group)}",
                f"{median(group, 'p50_ms'):.2f}",
                f"{median(group, 'p99_ms'):.2f}",
                f"{median(group, 'target_load'):.2f}",
                _failures(group),
            )
            for (name, target), group in groups.items()
            if name == scenario
        ]
        lines += [f"### {scenario.replace('1 connections', '1 connection')}", "", *_table(header, rows)]
    return lines


def _chunks(groups: dict[tuple[str, str], list[Sample]]) -> list[str]:
    lines = list[str]()
    header = ("target", "CPU µs/chunk", "chunks/s", "events per read", "target cores", "failed")
    for scenario in dict.fromkeys(key[0] for key in groups if key[0].startswith("chunks")):
        rows = [
            (
                target,
                f"{median(group, 'cpu_us'):.1f}",
                f"{median(group, 'per_second'):,.0f}{_marks(group)}",
                f"{median(group, 'events_per_read'):.1f}",
                f"{median(group, 'target_load'):.2f}",
                _failures(group),
            )
            for (name, target), group in groups.items()
            if name == scenario
        ]
        lines += [f"### {scenario.capitalize()}", "", *_table(header, rows)]
    return lines


def _memory(results: Results) -> list[str]:
    targets = dict.fromkeys(each.target for each in results.memory)
    found = {(each.target, each.scenario): each for each in results.memory}
    rows = []
    for target in targets:
        idle, stream = found.get((target, "idle connection")), found.get((target, "open stream"))
        rows.append(
            (
                target,
                f"{idle.resident_mib:.0f}" if idle else "",
                f"{idle.per_connection_kib:.1f}" if idle else "",
                f"{stream.per_connection_kib:.1f}" if stream else "",
            )
        )
    few = results.settings.few
    header = ("target", f"resident MiB at {few}", "KiB per idle connection", "KiB per open stream")
    return ["## Memory", "", *_table(header, rows)] if rows else []


def markdown(results: Results, date: str) -> str:
    """The whole page; how to read it is in README.md beside it."""
    about, settings = machine(), results.settings
    groups = _groups(results.samples)
    apart = (
        "the stub and the load generator share another"
        if results.cores.shared
        else ("the stub and the load generator have one each")
    )
    lines = [
        "# Measured",
        "",
        f"{date}, a machine with {about.cores} cores and {about.memory_gib} GiB of memory. Medians of "
        f"{settings.rounds} rounds of {settings.seconds:g} s, interleaved between the targets. The target "
        f"runs alone on one core; {apart}. How to read this: [README.md](README.md).",
        "",
        "† void: the load generator or the stub was the bottleneck, so requests/s, p50 and p99 are theirs; "
        "CPU per request still holds. ‡ more than "
        f"{_NOISY:g} cores were busy with something else.",
        "",
        "## Requests",
        "",
        *_requests(groups),
        "## Streams",
        "",
        *_chunks(groups),
        *_memory(results),
    ]
    if results.skipped:
        lines += ["## Left out", "", *(f"- {name}" for name in results.skipped), ""]
    return "\n".join(lines)


def write(results: Results, date: str) -> list[Path]:
    """The chapter in RESULTS.md and results/<date>.json; the reasons for left-out targets stay on the terminal."""
    public = msgspec.structs.replace(results, skipped=dict.fromkeys(results.skipped, "not available"))
    for each in public.samples:
        each.first_error = ""
    document = {"date": date, "machine": machine(), "results": public}
    data = HERE / "results" / f"{date}.json"
    data.parent.mkdir(exist_ok=True)
    page = publish("gateways", markdown(results, date))
    data.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n")
    return [page, data]
