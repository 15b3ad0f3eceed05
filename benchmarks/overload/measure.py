"""One narrow simulated backend behind the engine, offered from half to ten times what it can do."""

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from benchmarks.availability.client import Order, Run
from benchmarks.availability.experiment import Arrival, Load
from benchmarks.availability.fleet import engine, fleet
from benchmarks.availability.measure import LAG_LIMIT, generator, offer
from benchmarks.availability.strategies import ENGINE
from orchestra_core.simulation.dialogue import ask_chat
from orchestra_core.simulation.fleet import NARROW

LEVELS = (0.5, 0.8, 1.0, 1.5, 2.0, 4.0, 10.0)
GOAL, REFUSAL_GOAL = 0.90, 0.050
_HEAD_START = 0.2


class Settings(msgspec.Struct, frozen=True):
    """Seconds of load at each level, and of the deadline; levels in shares of what the backend can do."""

    seeds: tuple[int, ...] = (1, 2, 3)
    levels: tuple[float, ...] = LEVELS
    seconds: float = 10.0
    deadline: float = 2.0
    tokens: int = 16
    streamed: float = 0.5


class Level(msgspec.Struct):
    """One level with one seed. `goodput`: complete answers a second that came in time, while load was offered."""

    level: float
    rate: float
    goodput: float
    run: Run


class Results(msgspec.Struct):
    """`capacity` is what the backend is declared to do, in requests a second; the peak is measured."""

    settings: Settings
    capacity: float
    levels: list[Level] = []

    def goodput(self, level: float) -> float:
        """The median over the seeds."""
        found = sorted(one.goodput for one in self.levels if one.level == level)
        return found[len(found) // 2]

    @property
    def peak(self) -> float:
        return max(self.goodput(level) for level in self.settings.levels)

    @property
    def kept(self) -> float:
        """The share of the peak that is left at the highest level."""
        return self.goodput(max(self.settings.levels)) / self.peak

    @property
    def refusal(self) -> float:
        """Seconds until a refusal at the highest level: the worst p99 of the seeds."""
        return max(one.run.refused_p99 for one in self.levels if one.level == max(self.settings.levels))

    @property
    def late(self) -> bool:
        return any(one.run.lag_p99 > LAG_LIMIT for one in self.levels)


def capacity(tokens: int) -> float:
    """Requests of so many tokens that the backend can serve in a second, by its declaration."""
    model = NARROW.models[0]
    prompt = ask_chat(model.name, Arrival("s1000-100", 0.0, False, tokens).messages).tokens
    return model.parallel / (prompt / model.prefill_rate + tokens / model.decode_rate)


def measure(settings: Settings, say: Callable[[str], None]) -> Results:
    """Every level with every seed, against one engine that keeps running."""
    results = Results(settings, capacity(settings.tokens))
    slots = NARROW.models[0].parallel
    with (
        tempfile.TemporaryDirectory(prefix="orchestra-overload-") as place,
        fleet("narrow", [[NARROW.name]], None) as backends,
        engine(backends.ports, slots, Path(place)) as (port, _),
    ):
        for seed in settings.seeds:
            for level in settings.levels:
                results.levels.append(_offer(results, settings, level, seed, port))
                say(line(results.levels[-1]))
    return results


def _offer(results: Results, settings: Settings, level: float, seed: int, port: int) -> Level:
    rate = level * results.capacity
    load = Load((), settings.seconds, rate, settings.streamed, (settings.tokens,) * 2, settings.deadline)
    # Ids differ between levels: they seed the service times.
    number = seed * 1000 + round(level * 10)
    with generator() as process:
        begin = time.monotonic() + _HEAD_START
        run = offer(process, Order(ENGINE, number, load, NARROW.models[0].name, (port,), begin))
    return Level(level, rate, run.good_meanwhile / settings.seconds, run)


def line(one: Level) -> str:
    run = one.run
    late = " (generator late)" if run.lag_p99 > LAG_LIMIT else ""
    return (
        f"{one.level:5.1f} x  {one.rate:6.1f}/s offered  {one.goodput:6.2f}/s good  {run.refused} refused "
        f"(p99 {1000 * run.refused_p99:.1f} ms)  lag p99 {1000 * run.lag_p99:.1f} ms{late}  {run.reasons}"
    )


def verdict(results: Results) -> Sequence[str]:
    return (
        f"peak {results.peak:.2f}/s of {results.capacity:.2f}/s declared; at {max(results.settings.levels):.0f} times "
        f"capacity {100 * results.kept:.1f} % of the peak is left (goal {100 * GOAL:.0f} %)",
        f"refusals within {1000 * results.refusal:.1f} ms (p99; goal {1000 * REFUSAL_GOAL:.0f} ms)",
    )
