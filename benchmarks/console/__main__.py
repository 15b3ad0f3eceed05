"""`python -m benchmarks.console`: what the console costs to look at, and how soon it answers a key."""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.console.fleet import Size
from benchmarks.console.measure import (
    ROOT,
    Rate,
    console,
    environment,
    growth,
    holds,
    idle,
    presses,
    rate,
    serving,
    starts,
    views,
)
from benchmarks.console.report import Results, chapter, findings, table, worst
from benchmarks.pages import publish
from benchmarks.system import machine
from orchestra_core.clock import SystemClock

PAGE = ROOT / "benchmarks" / "README.md"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.console", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a minute in all; nothing is written")
    parser.add_argument("--dry", action="store_true", help="print only, write no files")
    parser.add_argument("--minutes", type=float, default=10.0, help="of the run that memory is watched over")
    chosen = parser.parse_args()
    results = _measure(Size(), quick=chosen.quick, minutes=0.5 if chosen.quick else chosen.minutes)
    print("\n".join([*table(results), "", "Longest holds:", *worst(results.holds)]))
    if not (chosen.quick or chosen.dry):
        day = datetime.fromtimestamp(SystemClock().wall(), UTC).date().isoformat()
        print(f"wrote {publish('console', chapter(results, day, _machine()), PAGE).name}")
    return 0 if all(each.kept for each in findings(results)) else 1


def _measure(size: Size, *, quick: bool, minutes: float) -> Results:
    seconds = 5.0 if quick else 20.0
    with serving(size) as socket:
        first = starts(socket, 3 if quick else 9)
        with console(socket) as running:
            seen = views(running, seconds)
        held = holds(socket, 1.5 if quick else 4.0)
        typed = presses(socket, 5 if quick else 20)
        grown = growth(socket, minutes * 60)
    return Results(first, idle(seconds, size, 25.0), seen, _demo(seconds), held, typed, grown)


def _demo(seconds: float) -> Rate:
    with _engine() as socket, console(socket) as running:
        running.sees("sim-rack")
        running.run(4.0)
        return rate(running, "demo", seconds)


@contextmanager
def _engine() -> Iterator[Path]:
    """A real engine on the simulated fleet."""
    with tempfile.TemporaryDirectory(prefix="console-") as folder:
        home = Path(folder)
        socket = home / "engine.sock"
        config = home / "config.toml"
        config.write_text("[discovery]\nenabled = false\n")
        argv = [sys.executable, "-m", "orchestra_core", "serve", "--demo", "--config", str(config)]
        process = subprocess.Popen(
            [*argv, "--port", "0", "--socket", str(socket)],
            cwd=home,
            env=environment(home),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stderr is not None
            for row in process.stderr:
                if "ready on" in row:
                    break
            yield socket
        finally:
            process.kill()
            process.communicate()


def _machine() -> str:
    here = machine()
    return f"{here.cores} cores, {here.memory_gib} GiB"


if __name__ == "__main__":
    sys.exit(main())
