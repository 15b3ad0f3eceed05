"""`python -m benchmarks.memory`: more models than there is memory for, this engine beside simpler rules."""

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor

import msgspec

from benchmarks.memory.report import Results, tables, write
from benchmarks.memory.runs import ABLATIONS, MAKE, Run, simulate
from benchmarks.memory.workload import read


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--seeds", default="", help="e.g. 1,2,3; the file's own by default")
    parser.add_argument("--rates", default="", help="requests a second, e.g. 1,4; the file's own by default")
    parser.add_argument("--seconds", type=float, help="simulated, of each run")
    parser.add_argument(
        "--only", default="", help="strategies whose name contains one of these, comma-separated"
    )
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--quick", action="store_true", help="two seeds at the quoted rate, nothing written")
    parser.add_argument("--dry", action="store_true", help="print only, write no files")
    return parser.parse_args()


def line(run: Run) -> str:
    offered = max(1, run.offered)
    return (
        f"{run.rate:g}/s  seed {run.seed:2}  {run.strategy:34} cold {100 * run.cold / offered:5.1f} %  "
        f"failed {100 * sum(run.failed.values()) / offered:4.1f} %  first token {run.mean:5.1f} s  "
        f"loads {run.loads:5}  out of memory {run.own}/{run.occupied}/{run.taken}"
    )


def main() -> int:
    chosen = _arguments()
    workload = read()
    load = workload.load
    if chosen.quick:
        load = msgspec.structs.replace(load, seeds=load.seeds[:2], rates=(load.quoted,))
    if chosen.seeds:
        load = msgspec.structs.replace(load, seeds=tuple(int(seed) for seed in chosen.seeds.split(",")))
    if chosen.rates:
        load = msgspec.structs.replace(load, rates=tuple(float(rate) for rate in chosen.rates.split(",")))
    load = msgspec.structs.replace(load, seconds=chosen.seconds or load.seconds)
    workload = msgspec.structs.replace(workload, load=load)
    words = [word.strip().lower() for word in chosen.only.split(",")]
    wanted = [name for name in MAKE if any(word in name for word in words)]
    if not wanted:
        print(f"no strategy matches; there are: {', '.join(MAKE)}", file=sys.stderr)
        return 2
    todo = [
        (name, rate, seed)
        for rate in load.rates
        for name in wanted
        for seed in load.seeds
        if rate == load.quoted or name not in ABLATIONS
    ]
    results = Results(workload)
    with ProcessPoolExecutor(chosen.processes) as pool:
        for run in pool.map(simulate, *zip(*((workload, *one) for one in todo), strict=True)):
            results.simulated.append(run)
            print(line(run), flush=True)
    print(tables(results))
    if not (chosen.quick or chosen.dry):
        for path in write(results):
            print(f"wrote {path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
