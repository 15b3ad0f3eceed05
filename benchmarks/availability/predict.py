"""`python -m benchmarks.availability.predict`: what first-model should get, and the most that can be got at all.

No sockets and no clock: the same arrivals, faults and service times in virtual time. That is how the mix was made to
cost first-model about 5 %, without looking at the engine; and a check of what the sockets measure. The most is that
of oracle.py: without continuation, whatever the gateway.
"""

import argparse
import heapq
from collections.abc import Sequence

import msgspec

from benchmarks.availability.experiment import Arrival, Experiment, arrivals, read
from benchmarks.availability.oracle import bound
from benchmarks.availability.statistics import bootstrap
from orchestra_core.simulation.faults import Planned, plan
from orchestra_core.simulation.fleet import FLEETS
from orchestra_core.simulation.service_model import ServiceModel
from orchestra_core.simulation.trace import Done


def first_model(experiment: Experiment, seed: int) -> tuple[int, int]:
    """Good answers and requests offered of one seed; a request that is late leaves, as the client does."""
    load, setup = experiment.load, experiment.fleet
    spec = next(spec for spec in FLEETS[setup.name] if spec.name == setup.first)
    model = ServiceModel(spec)
    happening: list[tuple[float, int, Arrival | Planned | str]] = []
    for number, fault in enumerate(plan(experiment.schedule, spec.name, seed, load.seconds)):
        heapq.heappush(happening, (fault.at, -number - 1, fault))
    offered = arrivals(load, seed)
    due = {one.id: one.at for one in offered}
    for number, one in enumerate(offered):
        heapq.heappush(happening, (one.at, number, one))
    good = 0
    while happening:
        at, number, what = heapq.heappop(happening)
        good += sum(
            isinstance(end, Done) and end.at <= due[end.id] + load.deadline for end in model.advance(at)
        )
        if isinstance(what, str):
            model.cancel(what, at)
        elif isinstance(what, Planned):
            model.inject(what.fault, at)
        elif model.submit(what.request(setup.model), at) is None:
            heapq.heappush(happening, (at + load.deadline, number, what.id))
    return good, len(offered)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.availability.predict", description=__doc__)
    parser.add_argument("--well-seconds", type=float, help="another mean time between faults")
    parser.add_argument(
        "--others", type=int, default=0, help="so many other seeds as well, for the bound alone"
    )
    parser.add_argument(
        "--hold", type=float, default=0.0, help="seconds a stream is kept back before it begins"
    )
    chosen = parser.parse_args()
    experiment = read()
    if chosen.well_seconds:
        schedule = msgspec.structs.replace(experiment.schedule, well_seconds=chosen.well_seconds)
        experiment = msgspec.structs.replace(experiment, schedule=schedule)
    seeds = experiment.load.seeds
    found = [first_model(experiment, seed) for seed in seeds]
    best = [_bound(experiment, seed, chosen.hold) for seed in seeds]
    for seed, first, most in zip(seeds, found, best, strict=True):
        print(
            f"seed {seed:2}  first-model {_percent([first])}  at most {_percent([most])} without continuation"
        )
    print(f"all      first-model {_percent(found)}  at most {_percent(best)} without continuation")
    if chosen.others:
        more = [_bound(experiment, seed, chosen.hold) for seed in range(101, 101 + chosen.others)]
        low, high = bootstrap(more)
        print(f"{chosen.others} other seeds: at most {_percent(more)} ({100 * low:.3f} to {100 * high:.3f})")


def _bound(experiment: Experiment, seed: int, hold: float) -> tuple[int, int]:
    most = bound(experiment, seed, hold)
    return most.good, most.offered


def _percent(runs: Sequence[tuple[int, int]]) -> str:
    return f"{100 * sum(good for good, _ in runs) / sum(offered for _, offered in runs):.3f} %"


if __name__ == "__main__":
    main()
