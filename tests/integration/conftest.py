"""What integration tests share: the client of the control side."""

from collections.abc import AsyncIterator

import httpx
import pytest


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """The engine's one client for the control side."""
    async with httpx.AsyncClient(trust_env=False) as made:
        yield made
