"""`python -m benchmarks.availability.predict`: what first-model should get, by the service-time model alone.

No sockets and no clock: the same arrivals, faults and service times in virtual time. That is how the mix was made to
cost first-model about 5 %, without looking at the engine; and a check of what the sockets measure.
"""

import argparse
import heapq

import msgspec

from benchmarks.availability.experiment import Arrival, Experiment, arrivals, read
from orchestra_core.simulation.dialogue import ask_chat
from orchestra_core.simulation.faults import Planned, plan
from orchestra_core.simulation.fleet import FLEETS
from orchestra_core.simulation.service_model import ServiceModel
from orchestra_core.simulation.trace import Done, Request


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
        elif model.submit(_request(what, setup.model), at) is None:
            heapq.heappush(happening, (at + load.deadline, number, what.id))
    return good, len(offered)


def _request(one: Arrival, model: str) -> Request:
    asked = ask_chat(model, one.messages)
    return Request(
        one.id, model, asked.tokens, max_tokens=one.tokens, stream=one.stream, content=asked.content
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.availability.predict", description=__doc__)
    parser.add_argument("--well-seconds", type=float, help="another mean time between faults")
    chosen = parser.parse_args()
    experiment = read()
    if chosen.well_seconds:
        schedule = msgspec.structs.replace(experiment.schedule, well_seconds=chosen.well_seconds)
        experiment = msgspec.structs.replace(experiment, schedule=schedule)
    found = [(seed, *first_model(experiment, seed)) for seed in experiment.load.seeds]
    for seed, good, offered in found:
        print(f"seed {seed:2}  {100 * good / offered:.3f} %")
    print(f"all      {100 * sum(one[1] for one in found) / sum(one[2] for one in found):.3f} %")


if __name__ == "__main__":
    main()
