"""Clients and engines that tests of the whole engine share."""

from collections.abc import Iterator

import httpx
import pytest

from tests.fakes.engine_process import EngineProcess, FleetProcess
from tests.integration.engine.keyed import KEYS, MODEL, SERVER


@pytest.fixture(params=["tcp", "unix"])
def http(request: pytest.FixtureRequest, demo: EngineProcess) -> Iterator[httpx.Client]:
    """The demo engine over each of its two listeners."""
    with demo.connect(request.param) as client:
        yield client


@pytest.fixture
def pair(mended: FleetProcess) -> Iterator[EngineProcess]:
    """An engine of the test's own over both backends, `sim-small` much preferred."""
    with EngineProcess(mended.config(weights={"sim-small": 1000})) as engine:
        yield engine


@pytest.fixture(scope="module")
def keyed(fleet: FleetProcess) -> Iterator[EngineProcess]:
    """An engine with keys of every scope over both backends."""
    fleet.repair()
    fleet.load("sim-small", MODEL)
    with EngineProcess(SERVER + fleet.config() + KEYS) as running:
        yield running
