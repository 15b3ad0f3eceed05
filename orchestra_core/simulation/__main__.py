"""`python -m orchestra_core.simulation`: a simulated fleet as a process of its own.

Prints one line of JSON saying where its backends listen, then serves until stdin closes or SIGTERM.
"""

import argparse
import asyncio
import os
import signal
import stat
import sys
from collections.abc import Sequence

import msgspec

from orchestra_core.simulation.fleet import FLEETS
from orchestra_core.simulation.running import start


async def serve(fleet: str, seed: int, time_scale: float) -> None:
    """Runs a fleet until told to stop."""
    running = await start(FLEETS[fleet], seed=seed, time_scale=time_scale)
    try:
        stop = asyncio.Event()
        _stop_on_signals(stop)
        _stop_with_stdin(stop)
        sys.stdout.write(msgspec.json.encode(running.describe()).decode() + "\n")
        sys.stdout.flush()
        await stop.wait()
    finally:
        await running.close()


def _stop_on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


def _stop_with_stdin(stop: asyncio.Event) -> None:
    """Ends with whoever holds the other end of stdin; a file, a terminal or nothing there is not watched."""
    if sys.stdin is None:
        return
    descriptor = sys.stdin.fileno()
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return
    loop = asyncio.get_running_loop()

    def readable() -> None:
        if not os.read(descriptor, 4096):
            loop.remove_reader(descriptor)
            stop.set()

    loop.add_reader(descriptor, readable)


def _new_loop() -> asyncio.AbstractEventLoop:
    """uvloop's where it is installed; it is not on every platform."""
    try:
        import uvloop  # noqa: PLC0415
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m orchestra_core.simulation", description=__doc__)
    parser.add_argument("--fleet", choices=sorted(FLEETS), default="demo")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--time-scale", type=float, default=1.0, help="how many times faster than declared")
    options = parser.parse_args(arguments)
    if options.time_scale <= 0:
        parser.error("--time-scale must be positive")
    with asyncio.Runner(loop_factory=_new_loop) as runner:
        runner.run(serve(options.fleet, options.seed, options.time_scale))


if __name__ == "__main__":
    main()
