"""The measurements: rounds interleaved between the targets, so that a busy minute hits them all alike."""

import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from benchmarks.load import LoadResult, LoadSpec
from benchmarks.processes import StartError, held, load, stub
from benchmarks.system import Cores, place, resident
from benchmarks.targets import Direct, Running, Target, body, try_start

STREAM_CHUNKS = 256
STREAM_CONNECTIONS = 32
# A stream that sends one event and then is silent for a minute stands for an open, slow answer.
OPEN_STREAM = {"chunks": 8, "gap": 60_000}


class Settings(msgspec.Struct, frozen=True):
    connections: tuple[int, ...] = (1, 32, 256)
    rounds: int = 3
    warmup: float = 0.5
    seconds: float = 2.5
    gaps: tuple[int, ...] = (4, 0)
    few: int = 50
    many: int = 250


class Sample(msgspec.Struct):
    """One run of one target. CPU in µs per request (or per chunk), loads in cores (1.0 is one core busy)."""

    target: str
    scenario: str
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    target_load: float
    stub_load: float
    load_load: float
    others_load: float
    events_per_read: float
    failed: int
    first_error: str
    void: bool


class MemorySample(msgspec.Struct):
    """Resident memory of a fresh target: at the first number of connections, and per connection above it."""

    target: str
    scenario: str
    resident_mib: float
    per_connection_kib: float


class Results(msgspec.Struct):
    settings: Settings
    cores: Cores
    samples: list[Sample] = []
    memory: list[MemorySample] = []
    skipped: dict[str, str] = {}


def judge(spec: LoadSpec, result: LoadResult, cores: Cores) -> tuple[bool, float, float, float]:
    """Whether the run is void, and the loads of target, stub and generator in cores."""
    target, helper = (result.cpu.get(name, 0.0) / result.seconds for name in ("target", "stub"))
    generator = result.load_cpu / result.seconds
    if spec.watch.get("target") == spec.watch.get("stub"):
        # The stub is the target and runs on the target's core: only the generator can be in its way.
        return generator > 0.9 and target < 0.9, target, helper, generator
    busiest = helper + generator if cores.shared else max(helper, generator)
    return busiest > 0.9 and target < 0.9, target, helper, generator


def sample(label: str, scenario: str, spec: LoadSpec, result: LoadResult, cores: Cores) -> Sample:
    """What is published of one run; streams count in chunks, other runs in requests."""
    void, target, helper, generator = judge(spec, result, cores)
    count = result.events if spec.streaming else result.answered
    helpers = helper if spec.watch.get("target") != spec.watch.get("stub") else 0.0
    others = result.machine_cpu / result.seconds - target - helpers - generator
    return Sample(
        target=label,
        scenario=scenario,
        per_second=count / result.seconds,
        p50_ms=result.p50 * 1000,
        p99_ms=result.p99 * 1000,
        cpu_us=result.cpu["target"] / max(count, 1) * 1e6,
        target_load=target,
        stub_load=helper,
        load_load=generator,
        others_load=max(others, 0.0),
        events_per_read=result.events / max(result.reads, 1),
        failed=result.failed,
        first_error=result.first_error,
        void=void,
    )


def label(target: Target, model: str) -> str:
    return f"{target.name} ({model})" if len(target.models) > 1 else target.name


Say = Callable[[str], None]


class Bench:
    """One run over all targets against one stub."""

    def __init__(self, targets: Sequence[Target], settings: Settings, cores: Cores, say: Say) -> None:
        self._targets = targets
        self._settings = settings
        self._cores = cores
        self._say = say
        self._stub = (0, 0)
        self.results = Results(settings, cores)

    def run(self, *, memory: bool = True) -> Results:
        with contextlib.ExitStack() as stack:
            self._stub = stack.enter_context(stub(self._cores.stub))
            place_of = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
            if memory:
                self._memory(place_of)
            started = self._start(stack, place_of)
            self._requests(started)
            self._streams(started)
        return self.results

    def _start(self, stack: contextlib.ExitStack, where: Path) -> list[tuple[Target, Running]]:
        started = list[tuple[Target, Running]]()
        for target in self._targets:
            if target.name in self.results.skipped:
                continue
            self._say(f"starting {target.name}")
            outcome = try_start(stack, target, self._stub, _own(where, target), self._cores.target)
            if isinstance(outcome, Running):
                started.append((target, outcome))
            else:
                self._skip(target, outcome)
        return started

    def _skip(self, target: Target, reason: str) -> None:
        self.results.skipped[target.name] = reason
        self._say(f"  left out: {reason}")

    def _requests(self, started: list[tuple[Target, Running]]) -> None:
        for connections in self._settings.connections:
            scenario = f"{connections} connections"
            for _ in range(self._settings.rounds):
                for target, outcome in started:
                    for model in target.models:
                        spec = self._spec(outcome, body(model), connections)
                        self._one(label(target, model), scenario, spec, isinstance(target, Direct))

    def _streams(self, started: list[tuple[Target, Running]]) -> None:
        for gap in self._settings.gaps:
            scenario = f"chunks {gap} ms apart" if gap else "chunks at full speed"
            for _ in range(self._settings.rounds):
                for target, outcome in started:
                    for model in target.models:
                        text = body(model, stream=True, chunks=STREAM_CHUNKS, gap=gap)
                        spec = self._spec(outcome, text, STREAM_CONNECTIONS, streaming=True)
                        self._one(label(target, model), scenario, spec, isinstance(target, Direct))

    def _spec(self, outcome: Running, text: str, connections: int, *, streaming: bool = False) -> LoadSpec:
        return LoadSpec(
            port=outcome.port,
            body=text,
            connections=connections,
            warmup=self._settings.warmup,
            seconds=self._settings.seconds,
            watch={"target": outcome.pid, "stub": self._stub[0]},
            streaming=streaming,
        )

    def _one(self, name: str, scenario: str, spec: LoadSpec, direct: bool) -> None:
        place(self._stub[0], self._cores.target if direct else self._cores.stub)
        try:
            result = load(spec, self._cores.load)
        except StartError as error:
            self._say(f"  {name}, {scenario}: {error}")
            return
        found = sample(name, scenario, spec, result, self._cores)
        self.results.samples.append(found)
        self._say(f"  {one_line(found)}")

    def _memory(self, where: Path) -> None:
        idle = LoadSpec(port=0, body=body(self._targets[0].models[0]), connections=0, hold=True)
        stream = LoadSpec(
            port=0,
            body=body(self._targets[0].models[0], stream=True, **OPEN_STREAM),
            connections=0,
            hold=True,
            streaming=True,
        )
        for target in self._targets:
            for scenario, spec in (("idle connection", idle), ("open stream", stream)):
                if target.name not in self.results.skipped:
                    self._memory_of(target, scenario, spec, where)

    def _memory_of(self, target: Target, scenario: str, spec: LoadSpec, where: Path) -> None:
        with contextlib.ExitStack() as stack:
            own = _own(where, target)
            # A fresh process each time: memory freed after an earlier load would hide the growth.
            stub_here = self._stub
            if isinstance(target, Direct):
                stub_here = stack.enter_context(stub(self._cores.stub))
            outcome = try_start(stack, target, stub_here, own, self._cores.target)
            if not isinstance(outcome, Running):
                self._skip(target, outcome)
                return
            try:
                sizes = [self._resident(outcome, spec, count) for count in self._points()]
            except StartError as error:
                self._say(f"  {target.name}, {scenario}: {error}")
                return
        per_connection = (sizes[1] - sizes[0]) / (self._settings.many - self._settings.few) / 1024
        self.results.memory.append(MemorySample(target.name, scenario, sizes[0] / 2**20, per_connection))
        self._say(f"  {target.name}: {per_connection:.1f} KiB per {scenario}, {sizes[0] / 2**20:.0f} MiB")

    def _points(self) -> tuple[int, int]:
        return self._settings.few, self._settings.many

    def _resident(self, outcome: Running, spec: LoadSpec, connections: int) -> int:
        wanted = msgspec.structs.replace(spec, port=outcome.port, connections=connections)
        with held(wanted, self._cores.load):
            time.sleep(0.5)
            return resident(outcome.pid)


def _own(where: Path, target: Target) -> Path:
    place_of = where / target.name.replace(" ", "-")
    place_of.mkdir(exist_ok=True)
    return place_of


def one_line(found: Sample) -> str:
    """For the terminal while the benchmark runs."""
    what = "chunk" if found.scenario.startswith("chunks") else "request"
    failed = f" FAILED {found.failed}: {found.first_error[:120]}" if found.failed else ""
    return (
        f"{found.target:28} {found.scenario:20} {found.per_second:9.0f}/s  p50 {found.p50_ms:8.2f} ms  "
        f"p99 {found.p99_ms:8.2f} ms  {found.cpu_us:8.1f} µs/{what}  cores: target {found.target_load:.2f} "
        f"stub {found.stub_load:.2f} load {found.load_load:.2f} others {found.others_load:.2f}"
        f"{'  VOID' if found.void else ''}{failed}"
    )


def median(samples: Sequence[Sample], field: str) -> float:
    return float(statistics.median(getattr(each, field) for each in samples))
