"""The same requests over sockets: the boxes as servers, real time, and the real engine as a process of its own.

`python -m benchmarks.memory.sockets` runs a short trace with least-busy and with this engine, side by side, and the
same trace simulated. Service times are timers, so one process can be all boxes and the client of a strategy.
"""

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Mapping
from functools import partial
from math import inf
from pathlib import Path

import msgspec
import uvloop

from benchmarks.memory.baselines import LEAST_BUSY
from benchmarks.memory.report import beside
from benchmarks.memory.runs import DECLARED, Run, measured, simulate
from benchmarks.memory.simulator import Ticket
from benchmarks.memory.workload import Arrival, Workload, arrivals, fleet, foreign, read
from benchmarks.open_loop import Reply, exchange, render, send_when_due
from benchmarks.processes import free_port, running, wait_until
from benchmarks.serving import alone, environment
from orchestra_core.domain.catalog import Residency
from orchestra_core.simulation.running import Running, start
from orchestra_core.simulation.trace import Event, Loaded, LoadFailed, Loading, OutOfMemory, Timings, Unloaded

_HEAD_START = 1.0
# Tokens: of the models in workload.py, and what an estimate of a prompt may be too high by.
_CONTEXT, _MARGIN = 2048, 200
_BACKEND = """
[[backends]]
name = "{name}"
kind = "ollama"
url = "{url}"
slots = {slots}
memory = "{memory:g}GB"
"""


class Way(msgspec.Struct, frozen=True):
    """Where a chat is asked for, and what its first token and its end look like."""

    path: str
    first: bytes
    last: bytes


_DIRECT = Way("/api/chat", b'"message"', b'"done":true')
_THROUGH = Way("/v1/chat/completions", b"data:", b"[DONE]")


class Rig:
    """The boxes of a seed, and where their requests went. Times are seconds since `begin`."""

    def __init__(self, workload: Workload, seed: int, rate: float, strategy: str, boxes: Running) -> None:
        self.workload = workload
        self.boxes = {backend.name: backend for backend in boxes.backends}
        self.run = Run(strategy, rate, seed)
        self.due = arrivals(workload, seed, rate)
        self.tickets: list[Ticket] = []
        self.begin = inf
        self._uses = foreign(workload, seed)
        self._loaded: dict[tuple[str, str], float] = {}
        self._busy = dict.fromkeys(self.boxes, 0)
        for backend in boxes.backends:
            backend.observe(partial(self._note, backend.name))

    async def measure(self, engine: int) -> Run:
        """All requests, through the engine on that port, or to the least busy box itself where that is 0."""
        self.begin = time.monotonic() + _HEAD_START
        loop = asyncio.get_running_loop()
        for use in self._uses:
            loop.call_later(self.begin + use.at - time.monotonic(), self.boxes[use.box].occupy, use.bytes)
        await send_when_due(self.begin, [one.at for one in self.due], partial(self._send, engine))
        load = self.workload.load
        counted = [ticket for ticket in self.tickets if ticket.arrival.at >= load.warm_up]
        return measured(self.run, counted, load.patience)

    def _note(self, box: str, event: Event) -> None:
        now = time.monotonic() - self.begin
        if isinstance(event, Loaded):
            self._loaded[box, event.model] = now
        if now < self.workload.load.warm_up:
            return
        run = self.run
        match event:
            case Loading():
                run.loads += 1
            case Unloaded():
                run.unloads += 1
            case LoadFailed():
                run.load_failures += 1
            case OutOfMemory():
                setattr(run, event.doing, getattr(run, event.doing) + 1)
            case _:
                pass

    async def _send(self, engine: int, number: int, due: float) -> None:
        arrival, patience = self.due[number], self.workload.load.patience
        ticket = self._ticket(arrival)
        self.tickets.append(ticket)
        if not engine:
            ticket.box = min(self._has(arrival.model), key=self._busy.__getitem__)
            self._busy[ticket.box] += 1
            # Behind the others: the next among equals is another.
            self._busy = {
                **{k: v for k, v in self._busy.items() if k != ticket.box},
                ticket.box: self._busy[ticket.box],
            }
        port = engine or self.boxes[ticket.box].port
        way = _THROUGH if engine else _DIRECT
        reply = Reply(mark=way.first)
        headers = f"x-request-id: {arrival.id}\r\n"
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(due + patience - time.monotonic()):
                await exchange(
                    port, render(port, way.path, _body(arrival, through=bool(engine)), headers), reply
                )
        if not engine:
            self._busy[ticket.box] -= 1
        self._judge(ticket, reply)

    def _has(self, model: str) -> list[str]:
        return [name for name in self._busy if self.boxes[name].spec.model(model) is not None]

    def _ticket(self, arrival: Arrival) -> Ticket:
        memories = {name: self.boxes[name].model.memory for name in self._has(arrival.model)}
        ready = [n for n, m in memories.items() if m.models[arrival.model].residency is Residency.READY]
        loading = [n for n, m in memories.items() if m.loads]
        return Ticket(arrival, frozenset(ready), frozenset(loading))

    def _judge(self, ticket: Ticket, reply: Reply) -> None:
        ticket.ended = time.monotonic() - self.begin
        ticket.box = ticket.box or reply.backend
        if (
            not reply.complete
            or reply.status != 200
            or not any(way.last in reply.body[-2000:] for way in (_DIRECT, _THROUGH))
        ):
            ticket.failed = f"status {reply.status}" if reply.complete else reply.lost or "patience"
            return
        at, first = ticket.arrival.at, reply.first - self.begin
        ticket.timings = Timings(at, at, at, first, first, ticket.ended)
        ticket.cold = at < self._loaded.get((ticket.box, ticket.arrival.model), -inf) <= first


def _body(arrival: Arrival, *, through: bool) -> bytes:
    text = f"{arrival.id} ".ljust(4 * arrival.prompt, "w")
    fields: dict[str, object] = {
        "model": arrival.model,
        "messages": [{"role": "user", "content": text}],
        "stream": True,
    }
    if through:
        # The engine refuses what does not fit a context (of 2,048 tokens here), where Ollama cuts the prompt silently.
        fields["max_tokens"] = min(arrival.output, _CONTEXT - arrival.prompt - _MARGIN)
    else:
        fields["options"] = {"num_predict": arrival.output}
    return msgspec.json.encode(fields)


@contextlib.asynccontextmanager
async def rig(workload: Workload, strategy: str, rate: float, seed: int) -> AsyncIterator[Rig]:
    specs = fleet(workload, seed, alone=strategy == LEAST_BUSY)
    boxes = await start(specs, seed=seed)
    try:
        yield Rig(workload, seed, rate, strategy, boxes)
    finally:
        await boxes.close()


async def over_sockets(workload: Workload, strategy: str, rate: float, seed: int) -> Run:
    """One run in real time."""
    async with rig(workload, strategy, rate, seed) as made:
        if strategy == LEAST_BUSY:
            return await made.measure(0)
        with tempfile.TemporaryDirectory(prefix="orchestra-memory-") as place:
            return await _through_engine(made, Path(place))


async def _through_engine(made: Rig, place: Path) -> Run:
    port, config, log = free_port(), place / "engine.toml", place / "engine.log"
    slots, sizes = made.workload.models.parallel, {box.name: box.memory for box in made.workload.boxes}
    backends = [
        _BACKEND.format(name=name, url=box.url, slots=slots, memory=sizes[name])
        for name, box in made.boxes.items()
    ]
    config.write_text(alone(place, port) + "".join(backends))
    command = [sys.executable, "-m", "orchestra_core", "serve", "--config", str(config)]
    with running(command, log, None, environment(place)) as process:
        await asyncio.to_thread(wait_until, lambda: _up(port, len(backends)), process, log, 60.0)
        return await made.measure(port)


def _up(port: int, count: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/snapshot", timeout=2) as answer:
            found: Mapping[str, list[dict[str, object]]] = msgspec.json.decode(answer.read())
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
    return sum(backend["health"] == "up" for backend in found["backends"]) == count


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory.sockets", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=3.0)
    parser.add_argument("--seconds", type=float, default=200.0)
    chosen = parser.parse_args()
    whole = read()
    load = msgspec.structs.replace(whole.load, seconds=chosen.seconds, warm_up=chosen.seconds / 4)
    workload = msgspec.structs.replace(whole, load=load)

    async def both() -> list[Run]:
        runs = [over_sockets(workload, name, chosen.rate, chosen.seed) for name in (LEAST_BUSY, DECLARED)]
        return list(await asyncio.gather(*runs))

    real = uvloop.run(both())
    pairs = [(simulate(workload, run.strategy, chosen.rate, chosen.seed), run) for run in real]
    print("\n".join(beside(pairs)))
    for pair in pairs:
        for run in pair:
            print(msgspec.json.encode(run).decode())


if __name__ == "__main__":
    main()
