"""What the stories of users share: an engine that runs, as one would start it to look around."""

from collections.abc import Iterator

import pytest

from tests.fakes.engine_process import EngineProcess, FleetProcess


@pytest.fixture(scope="session")
def demo() -> Iterator[EngineProcess]:
    """`ai-orchestra serve --demo`."""
    with EngineProcess(demo=True) as engine:
        yield engine


@pytest.fixture(scope="session")
def fleet() -> Iterator[FleetProcess]:
    """Two simulated backends, fast."""
    with FleetProcess("two", time_scale=20.0) as running:
        yield running


@pytest.fixture
def mended(fleet: FleetProcess) -> Iterator[FleetProcess]:
    """The fleet, without faults before and after, with what starts loaded loaded."""
    fleet.repair()
    fleet.load("sim-small", "sim-small:1b")
    yield fleet
    fleet.repair()
