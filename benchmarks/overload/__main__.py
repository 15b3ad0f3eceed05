"""`python -m benchmarks.overload`: goodput from half to ten times capacity."""

import argparse
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from benchmarks.overload.measure import GOAL, REFUSAL_GOAL, Results, Settings, measure, verdict
from benchmarks.pages import publish
from benchmarks.system import machine
from orchestra_core.clock import SystemClock

_HERE = Path(__file__).resolve().parent
_QUICK = Settings(seeds=(1,), levels=(1.0, 1.5, 10.0), seconds=5.0)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overload", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three levels of 5 s; nothing is written")
    parser.add_argument("--dry", action="store_true", help="print only, write no files")
    chosen = parser.parse_args()
    results = measure(_QUICK if chosen.quick else Settings(), lambda line: print(line, flush=True))
    print("\n".join(verdict(results)))
    if not (chosen.quick or chosen.dry):
        for path in _write(results):
            print(f"wrote {path.name}")
    return 0 if results.kept >= GOAL and results.refusal <= REFUSAL_GOAL else 1


def _write(results: Results) -> list[Path]:
    day = datetime.fromtimestamp(SystemClock().wall(), UTC).date().isoformat()
    place = _HERE / "results" / f"{day}.json"
    record = {"date": day, "machine": machine(), "simulated": True, "results": results}
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")
    return [place, publish("overload", "\n".join(_chapter(results, day)))]


def _chapter(results: Results, day: str) -> Iterator[str]:
    settings = results.settings
    yield "## Overload"
    yield ""
    yield (
        f"{day}, one simulated backend of 4 slots behind the engine, {len(settings.seeds)} seeds of "
        f"{settings.seconds:.0f} s a level, deadline {settings.deadline:g} s; medians. {'. '.join(verdict(results))}."
        f"{' The generator was late in some runs.' if results.late else ''} Every run is in "
        f"[results/{day}.json](overload/results/{day}.json)."
    )
    yield ""
    yield "| offered, of capacity | requests/s | complete answers/s | of the peak | refused | refusal p99 ms | p99 s |"
    yield "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for level in settings.levels:
        found = [one for one in results.levels if one.level == level]
        refused = sum(one.run.refused for one in found) / sum(one.run.offered for one in found)
        yield (
            f"| {level:g} | {found[0].rate:.1f} | {results.goodput(level):.2f} "
            f"| {100 * results.goodput(level) / results.peak:.1f} % | {100 * refused:.1f} % "
            f"| {1000 * max(one.run.refused_p99 for one in found):.1f} | {max(one.run.p99 for one in found):.2f} |"
        )


if __name__ == "__main__":
    sys.exit(main())
