"""Engines that tests of the whole engine share; each test leaves them as it found them."""

from collections.abc import Iterator

import httpx
import pytest

from tests.fakes.engine_process import EngineProcess, FleetProcess


@pytest.fixture(scope="session")
def demo() -> Iterator[EngineProcess]:
    """`serve --demo`: five simulated backends at their declared speed."""
    with EngineProcess(demo=True) as engine:
        yield engine


@pytest.fixture(params=["tcp", "unix"])
def http(request: pytest.FixtureRequest, demo: EngineProcess) -> Iterator[httpx.Client]:
    """The demo engine over each of its two listeners."""
    with demo.connect(request.param) as client:
        yield client


@pytest.fixture(scope="session")
def fleet() -> Iterator[FleetProcess]:
    """`sim-small` (Ollama) and `sim-second` (vLLM), twenty times as fast as declared; both serve `sim-small:1b`."""
    with FleetProcess("two", time_scale=20.0) as running:
        yield running


@pytest.fixture
def mended(fleet: FleetProcess) -> Iterator[FleetProcess]:
    """The fleet, without faults before and after, with what starts loaded loaded."""
    fleet.repair()
    fleet.load("sim-small", "sim-small:1b")
    yield fleet
    fleet.repair()


@pytest.fixture
def pair(mended: FleetProcess) -> Iterator[EngineProcess]:
    """An engine of the test's own over both backends, `sim-small` much preferred."""
    with EngineProcess(mended.config(weights={"sim-small": 1000})) as engine:
        yield engine
