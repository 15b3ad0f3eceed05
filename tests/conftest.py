"""Fixtures every phase may use; phases keep their own beside their tests."""

from pathlib import Path

import pytest


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
