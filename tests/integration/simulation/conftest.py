"""A simulated fleet in this process, forty times as fast as declared."""

from collections.abc import AsyncIterator

import pytest

from orchestra_core.simulation.fleet import FLEETS
from orchestra_core.simulation.running import Running, start


@pytest.fixture
async def fleet() -> AsyncIterator[Running]:
    """`sim-small` (Ollama) and `sim-second` (vLLM)."""
    running = await start(FLEETS["two"], seed=1, time_scale=40.0)
    yield running
    await running.close()
