"""`python -m benchmarks`: measures the engine beside others and writes RESULTS.md and results/*.json."""

import argparse
import sys
from datetime import UTC, datetime

from benchmarks.measure import Bench, Settings
from benchmarks.report import write
from benchmarks.system import divide
from benchmarks.targets import ALL, Engine
from orchestra_core.clock import SystemClock

QUICK = Settings(rounds=1, warmup=0.3, seconds=1.0, gaps=(4,))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round; nothing is written")
    parser.add_argument(
        "--only", default="", help="targets whose name contains one of these, comma-separated"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.5, help="of each measured window")
    parser.add_argument("--no-memory", action="store_true", help="leave the memory measurement out")
    parser.add_argument("--dry", action="store_true", help="print only, write no files")
    return parser.parse_args()


def main() -> int:
    chosen = _arguments()
    wanted = [word.strip().lower() for word in chosen.only.split(",")]
    targets = [target for target in ALL if any(word in target.name.lower() for word in wanted)]
    if not targets:
        print(f"no target matches; there are: {', '.join(target.name for target in ALL)}", file=sys.stderr)
        return 2
    settings = QUICK if chosen.quick else Settings(rounds=chosen.rounds, seconds=chosen.seconds)
    cores = divide()
    if cores.target == cores.stub:
        print("only one core: the target shares it with the stub and the load generator", flush=True)
    bench = Bench(targets, settings, cores, lambda line: print(line, flush=True))
    results = bench.run(memory=not chosen.no_memory)
    if not (chosen.quick or chosen.dry):
        day = datetime.fromtimestamp(SystemClock().wall(), UTC).date().isoformat()
        for path in write(results, day):
            print(f"wrote {path.name}")
    missing = Engine.name in results.skipped
    return 1 if missing or any(each.failed for each in results.samples) else 0


if __name__ == "__main__":
    sys.exit(main())
