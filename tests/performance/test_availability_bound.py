"""The bound of the availability benchmark: what even a gateway that knows everything but the future must lose."""

import msgspec
import pytest

from benchmarks.availability.experiment import Experiment, arrivals, read
from benchmarks.availability.oracle import Bound, bound
from orchestra_core.simulation.faults import FaultMix, Ingredient
from orchestra_core.simulation.trace import FaultKind

SEED = 1


def small(*kinds: FaultKind, well_seconds: float = 3.0) -> Experiment:
    """Ten seconds of load in answers of a second, and faults of these kinds."""
    experiment = read()
    faults = tuple(Ingredient(kind=kind, seconds=(3.0, 4.0)) for kind in kinds)
    return msgspec.structs.replace(
        experiment,
        load=msgspec.structs.replace(
            experiment.load, seeds=(SEED,), seconds=10.0, rate=40.0, tokens=(60, 90)
        ),
        schedule=FaultMix(well_seconds=well_seconds, faults=faults),
    )


def test_without_faults_nothing_has_to_be_lost() -> None:
    """Every request offered is answered in time."""
    experiment = small(FaultKind.CRASH, well_seconds=1e9)
    assert bound(experiment, SEED) == Bound(
        len(arrivals(experiment.load, SEED)), bound(experiment, SEED).offered, 0
    )


@pytest.mark.parametrize("kind", [FaultKind.ERROR, FaultKind.BLACKHOLE, FaultKind.CUT])
def test_faults_that_only_hit_new_requests_cost_nothing(kind: FaultKind) -> None:
    """Who knows of them at once sends nothing there."""
    found = bound(small(kind, well_seconds=20.0), SEED)
    assert found.good == found.offered > 300
    assert found.cut == 0


def test_what_is_being_read_when_a_backend_dies_is_lost_and_nothing_else() -> None:
    """All that is lost was cut; kept back for longer than answers take, nothing had begun."""
    experiment = small(FaultKind.CRASH, well_seconds=15.0)
    found = bound(experiment, SEED)
    assert found.cut > 0
    assert found.good + found.cut == found.offered
    assert bound(experiment, SEED, hold=5.0).cut == 0


def test_the_longer_streams_are_kept_back_the_less_is_lost() -> None:
    """A hang ends what has begun on it by the deadline."""
    experiment = small(FaultKind.HANG, well_seconds=15.0)
    cut = [bound(experiment, SEED, hold).cut for hold in (0.0, 0.5, 5.0)]
    assert cut[0] > cut[1] > cut[2] == 0


def test_where_nothing_is_well_requests_wait_until_their_deadline() -> None:
    """With hardly a backend left, requests that never begin count as neither good nor cut."""
    found = bound(small(FaultKind.HANG, well_seconds=0.2), SEED)
    assert found.good + found.cut < found.offered
    assert 0 < found.share < 1
