"""A loop whose time a test can move."""

import asyncio
from collections.abc import Callable, Mapping

import pytest

from tests.fakes.leaping_loop import LeapingLoop


def pytest_asyncio_loop_factories(
    item: pytest.Function,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Retries wait for up to a minute."""
    return {"leaping": LeapingLoop}


@pytest.fixture
async def leap() -> Callable[[float], None]:
    """Moves the time of the loop forward by so many seconds, at once."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, LeapingLoop)
    return loop.leap
