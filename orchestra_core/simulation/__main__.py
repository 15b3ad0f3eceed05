"""`python -m orchestra_core.simulation`: a simulated fleet as a process of its own.

Prints one line of JSON saying where its backends listen, then serves until stdin closes or SIGTERM. With
`--faults` its backends break as the file plans; a line `{"seed": 2, "until": 60.0, "begin": 1234.5}` on stdin
plans them anew, from that second of the monotonic clock on (without: from now on). A line
`{"url": "http://127.0.0.1:8080", "users": 5}` sends simulated users to that engine.
"""

import argparse
import asyncio
import os
import signal
import stat
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from orchestra_core.clock import SystemClock
from orchestra_core.simulation.faults import BadMix, FaultMix, read_mix
from orchestra_core.simulation.fleet import FLEETS
from orchestra_core.simulation.running import Running, start
from orchestra_core.simulation.spec import BackendSpec
from orchestra_core.simulation.users import Users

_DAY = 86400.0


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of stdin: a schedule of faults that replaces the one before."""

    seed: int
    until: float = _DAY
    begin: float | None = None


class Visit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of stdin: users who ask an engine from now on."""

    url: str
    users: int


async def serve(
    specs: Sequence[BackendSpec], seed: int, time_scale: float, mix: FaultMix | None = None
) -> None:
    """Runs a fleet until told to stop."""
    running = await start(specs, seed=seed, time_scale=time_scale)
    visits: set[asyncio.Task[None]] = set()
    try:
        stop = asyncio.Event()
        _stop_on_signals(stop)
        _listen_to_stdin(stop, lambda line: _obey(line, running, mix, visits))
        if mix is not None:
            running.follow(mix, seed, _DAY, SystemClock().monotonic())
        sys.stdout.write(msgspec.json.encode(running.describe()).decode() + "\n")
        sys.stdout.flush()
        await stop.wait()
    finally:
        for visit in visits:
            visit.cancel()
        await asyncio.gather(*visits, return_exceptions=True)
        await running.close()


def _stop_on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


def _obey(line: bytes, running: Running, mix: FaultMix | None, visits: set[asyncio.Task[None]]) -> None:
    try:
        visit = msgspec.json.decode(line, type=Visit)
    except msgspec.DecodeError:
        _schedule(line, running, mix)
        return
    users = Users(visit.url, visit.users, say=lambda text: print(text, file=sys.stderr, flush=True))
    # Kept here, and cancelled at the end of the process.
    visits.add(asyncio.get_running_loop().create_task(users.run()))


def _schedule(line: bytes, running: Running, mix: FaultMix | None) -> None:
    try:
        order = msgspec.json.decode(line, type=Order)
    except msgspec.DecodeError as error:
        sys.stderr.write(f"not a schedule: {error}\n")
        return
    if mix is None:
        sys.stderr.write("no faults to schedule: start with --faults FILE\n")
        return
    begin = SystemClock().monotonic() if order.begin is None else order.begin
    running.follow(mix, order.seed, order.until, begin)


def _listen_to_stdin(stop: asyncio.Event, obey: Callable[[bytes], None]) -> None:
    """Ends with whoever holds the other end of stdin; a file, a terminal or nothing there is not watched."""
    if sys.stdin is None:
        return
    descriptor = sys.stdin.fileno()
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return
    loop = asyncio.get_running_loop()
    heard = b""

    def readable() -> None:
        nonlocal heard
        data = os.read(descriptor, 4096)
        *lines, heard = (heard + data).split(b"\n")
        for line in lines:
            obey(line)
        if not data:
            loop.remove_reader(descriptor)
            stop.set()

    loop.add_reader(descriptor, readable)


def _new_loop() -> asyncio.AbstractEventLoop:
    """uvloop's where it is installed; it is not on every platform."""
    try:
        import uvloop  # noqa: PLC0415  absent on Windows
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m orchestra_core.simulation", description=__doc__)
    parser.add_argument("--fleet", choices=sorted(FLEETS), default="demo")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--time-scale", type=float, default=1.0, help="how many times faster than declared")
    parser.add_argument("--only", default="", help="backends of the fleet to serve, comma-separated")
    parser.add_argument(
        "--faults", type=Path, help="a TOML file of faults; see benchmarks/availability/mix.toml"
    )
    options = parser.parse_args(arguments)
    if options.time_scale <= 0:
        parser.error("--time-scale must be positive")
    specs = _chosen(options.fleet, options.only)
    if not specs:
        parser.error(f"--only names none of {', '.join(spec.name for spec in FLEETS[options.fleet])}")
    try:
        mix = None if options.faults is None else read_mix(options.faults.read_text())
    except (OSError, BadMix) as error:
        parser.error(f"--faults {options.faults}: {error}")
    with asyncio.Runner(loop_factory=_new_loop) as runner:
        runner.run(serve(specs, options.seed, options.time_scale, mix))


def _chosen(fleet: str, only: str) -> tuple[BackendSpec, ...]:
    names = {name.strip() for name in only.split(",")} - {""}
    return tuple(spec for spec in FLEETS[fleet] if not names or spec.name in names)


if __name__ == "__main__":
    main()
