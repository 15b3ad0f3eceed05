"""Engines over scripted backends in the test's own loop; a test that asks for `leap` gets a loop that can."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.chaos import ChaosBackend
from tests.fakes.chaos_steps import well
from tests.fakes.engine_here import EngineHere
from tests.integration.faults.conftest import (
    leap,
    patience,
    patient_for,
    pytest_asyncio_loop_factories,
)

__all__ = ["leap", "patience", "patient_for", "pytest_asyncio_loop_factories"]

PRICED = '[models.m]\nmemory = "4GB"\ncost_per_million_input = 1.0\ncost_per_million_output = 2.0\n'


@pytest.fixture
async def backend() -> AsyncIterator[ChaosBackend]:
    """It answers every call anew: no token it sends equals another."""
    async with ChaosBackend("a") as made:
        made.well = well()
        yield made


@pytest.fixture
async def engine(tmp_path: Path, backend: ChaosBackend) -> AsyncIterator[EngineHere]:
    """One engine before that backend, whose model has a price."""
    async with EngineHere(tmp_path, [backend], PRICED, slots=16) as made:
        yield made
