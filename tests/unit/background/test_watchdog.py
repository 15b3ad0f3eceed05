"""The watchdog of the event loop, with time moved by hand."""

import asyncio
from collections.abc import Iterator

import pytest

from orchestra_core.background.watchdog import EVERY_SECONDS, Watchdog
from tests.fakes.clock import ManualClock


class Dog:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.said: list[tuple[str, ...]] = []
        self.told = asyncio.Event()
        self.watchdog = Watchdog(self.clock, self.say)

    def say(self, *event: str) -> None:
        self.said.append(event)
        self.told.set()

    def late(self, seconds: float) -> None:
        """The next beat comes this much later than it should."""
        self.clock.advance(EVERY_SECONDS + seconds)
        self.watchdog.close()
        self.watchdog.beat()


@pytest.fixture
async def dog() -> Dog:
    return Dog()


@pytest.fixture(autouse=True)
def ended(dog: Dog) -> Iterator[None]:
    yield
    dog.watchdog.close()


async def test_a_loop_that_was_blocked_is_noticed_and_said(dog: Dog) -> None:
    """Above 250 ms it is a warning with the time lost; below it only counts for the gauge."""
    dog.late(0.2)
    assert (dog.said, dog.watchdog.stalls, round(dog.watchdog.lag, 3)) == ([], 0, 0.2)
    dog.late(0.3)
    assert (dog.watchdog.stalls, round(dog.watchdog.lag, 3)) == (1, 0.3)
    assert dog.said == [
        (
            "engine.stalled",
            "event loop",
            "blocked for 300 ms: nothing was served in that time (number 1 since the start)",
            "warning",
        )
    ]


async def test_it_is_not_said_more_than_every_ten_seconds(dog: Dog) -> None:
    """A loop that is blocked all the time does not flood the log; all are counted."""
    for _ in range(10):
        dog.late(0.5)
    dog.late(10.0)
    assert dog.watchdog.stalls == 11
    assert len(dog.said) == 2


async def test_the_worst_lag_is_forgotten_after_a_minute(dog: Dog) -> None:
    """The gauge tells of now, not of the start."""
    dog.late(1.0)
    for _ in range(290):
        dog.late(0.0)
    assert round(dog.watchdog.lag, 3) == 1.0
    for _ in range(400):
        dog.late(0.0)
    assert dog.watchdog.lag < 0.001


async def test_it_beats_by_itself(dog: Dog) -> None:
    """The timer goes on after each beat."""
    dog.clock.advance(5.0)
    async with asyncio.timeout(20):
        await dog.told.wait()
    assert dog.watchdog.stalls == 1
