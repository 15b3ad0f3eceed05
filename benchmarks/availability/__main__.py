"""`python -m benchmarks.availability`: complete answers under faults, this engine beside simpler clients."""

import argparse
import sys
from pathlib import Path

import msgspec

from benchmarks.availability import strategies
from benchmarks.availability.experiment import read
from benchmarks.availability.measure import measure
from benchmarks.availability.report import table, write


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.availability", description=__doc__)
    parser.add_argument("--seeds", default="", help="e.g. 1,2,3; the file's own by default")
    parser.add_argument("--seconds", type=float, help="of load in each run")
    parser.add_argument("--rate", type=float, help="requests a second")
    parser.add_argument(
        "--only", default="", help="strategies whose name contains one of these, comma-separated"
    )
    parser.add_argument(
        "--together",
        type=int,
        default=5,
        choices=range(1, 6),
        help="strategies at a time, fewer where it is tight",
    )
    parser.add_argument("--quick", action="store_true", help="one seed of 20 s, first-model and the engine")
    parser.add_argument("--dry", action="store_true", help="print only, write no files")
    parser.add_argument(
        "--keep", type=Path, help="a directory for the engines' ledgers and logs, and for every run"
    )
    return parser.parse_args()


def main() -> int:
    chosen = _arguments()
    experiment = read()
    load = experiment.load
    if chosen.quick:
        load = msgspec.structs.replace(load, seeds=load.seeds[:1], seconds=20.0)
    if chosen.seeds:
        load = msgspec.structs.replace(load, seeds=tuple(int(seed) for seed in chosen.seeds.split(",")))
    load = msgspec.structs.replace(
        load, seconds=chosen.seconds or load.seconds, rate=chosen.rate or load.rate
    )
    experiment = msgspec.structs.replace(experiment, load=load)
    words = [word.strip().lower() for word in chosen.only.split(",")]
    wanted = [name for name in strategies.MAKE if any(word in name for word in words)]
    if chosen.quick and not chosen.only:
        wanted = [strategies.FIRST, strategies.ENGINE]
    if not wanted:
        print(f"no strategy matches; there are: {', '.join(strategies.MAKE)}", file=sys.stderr)
        return 2
    results = measure(experiment, wanted, lambda line: print(line, flush=True), chosen.keep, chosen.together)
    print(table(results))
    if chosen.keep is not None:
        (chosen.keep / "runs.json").write_bytes(
            msgspec.json.format(msgspec.json.encode(results.runs), indent=1)
        )
    if not (chosen.quick or chosen.dry):
        for path in write(results):
            print(f"wrote {path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
