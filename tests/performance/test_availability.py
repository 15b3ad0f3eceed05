"""Small versions of two benchmarks: what they count must add up, and the engine must not be worse than nothing."""

import msgspec

from benchmarks.availability.experiment import read
from benchmarks.availability.measure import measure
from benchmarks.availability.predict import first_model
from benchmarks.availability.strategies import ENGINE, FIRST
from benchmarks.overload.measure import Settings
from benchmarks.overload.measure import measure as measure_overload


def test_the_engine_loses_less_than_the_first_model() -> None:
    """One seed of a denser mix of faults: every request offered is counted once, and the engine serves more."""
    experiment = read()
    experiment = msgspec.structs.replace(
        experiment,
        fleet=msgspec.structs.replace(experiment.fleet, processes=(experiment.fleet.backends,)),
        load=msgspec.structs.replace(experiment.load, seeds=(4,), seconds=6.0, rate=30.0),
    )
    results = measure(experiment, [FIRST, ENGINE], print)
    first, engine = results.runs
    assert (first.strategy, engine.strategy) == (FIRST, ENGINE)
    assert first.offered == engine.offered > 150
    for run in results.runs:
        assert run.good + sum(run.reasons.values()) == run.offered
        assert len(run.failures) == run.offered - run.good
        assert run.streamed_good <= min(run.good, run.streamed)
    assert first.good < first.offered
    # On a machine so busy that requests are not even sent when they are due, what is lost says nothing.
    assert results.late or engine.good > first.good
    good, offered = first_model(experiment, 4)
    assert offered == first.offered
    assert results.late or abs(good - first.good) < 0.1 * offered


def test_ten_times_too_much_leaves_goodput() -> None:
    """Most of what a full backend can do is still done when ten times as much is asked, and refusals come soon."""
    settings = Settings(seeds=(1,), levels=(1.5, 10.0), seconds=2.5)
    results = measure_overload(settings, print)
    for one in results.levels:
        assert one.run.good + sum(one.run.reasons.values()) == one.run.offered
        assert one.run.good + len(one.run.failures) + one.run.unlisted == one.run.offered
    most = results.levels[-1].run
    assert results.late or most.refused > most.offered / 2
    # Looser than what the benchmark publishes, and nothing where requests were not even sent when they were due.
    assert results.late or results.kept > 0.7
    assert results.late or most.refused_p99 < 1.0
