"""Fixtures every phase may use; phases keep their own beside their tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.engine_process import EngineProcess, FleetProcess


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, empty, with nothing of the real user's environment that the engine would read."""
    for name in (
        "ORCHESTRA_CONFIG",
        "ORCHESTRATOR_HOST",
        "ORCHESTRATOR_URL",
        "ORCHESTRATOR_API_PORT",
        "ORCHESTRATOR_DEBUG",
        "API_PORT",
        "UI_PORT",
        "LOG_LEVEL",
        "RESOURCE_PORTS_OLLAMA",
        "RESOURCE_PORTS_POSTGRES",
        "RESOURCE_PORTS_REDIS",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
        "XDG_STATE_HOME",
        "XDG_RUNTIME_DIR",
        "XDG_CACHE_HOME",
        "NO_COLOR",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def demo() -> Iterator[EngineProcess]:
    """`serve --demo`: five simulated backends at their declared speed. Each test leaves it as it found it."""
    with EngineProcess(demo=True) as engine:
        yield engine


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
