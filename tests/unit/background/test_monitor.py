"""The health of a backend as its monitor sees it: how many looks it takes to fall and to rise, and what is stale."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

from orchestra_core.background.monitor import Control, Found, Monitor
from orchestra_core.domain.catalog import EndpointSpec, ModelInfo
from orchestra_core.domain.errors import OrchestraError
from tests.fakes.clock import ManualClock
from tests.unit.routing.fleet import spec


class Answer:
    version = "1.0"
    latency = 0.01


class Backend:
    """Answers while `well`; each look is counted."""

    def __init__(self) -> None:
        self.well = True
        self.looked = asyncio.Event()
        self.looks = 0

    async def probe(self) -> Answer:
        self.looks += 1
        self.looked.set()
        if not self.well:
            raise OrchestraError("connection refused")
        return Answer()

    async def models(self) -> Sequence[ModelInfo]:
        return [ModelInfo("m")]


class Watch:
    """A monitor with everything it tells."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.backend = Backend()
        self.told: list[tuple[bool, str]] = []
        self.found: list[Found] = []
        self.monitor = Monitor(
            "box",
            cast(Control, self.backend),
            self.describe,
            self.clock,
            lambda _, found: self.found.append(found),
            lambda _, up, why: self.told.append((up, why)),
        )

    def describe(self, info: ModelInfo) -> EndpointSpec:
        return spec(f"box/{info.name}")

    async def looks(self, *well: bool) -> list[str]:
        """The health after each of these looks."""
        seen = []
        for answer in well:
            self.backend.well = answer
            await self.monitor.look()
            seen.append(self.monitor.health)
        return seen


async def test_the_first_look_decides_at_once() -> None:
    """Nothing was known before, so there is nothing to wait for."""
    assert await Watch().looks(True) == ["up"]
    assert await Watch().looks(False) == ["down"]


async def test_three_failures_in_a_row_make_it_down() -> None:
    """A success in between begins anew, and each change is told once."""
    watch = Watch()
    assert (
        await watch.looks(True, False, False, True, False, False, False, False) == ["up"] * 6 + ["down"] * 2
    )
    assert watch.told == [(True, "1 model"), (False, "connection refused")]
    assert watch.monitor.error == "connection refused"


async def test_two_successes_in_a_row_make_it_up_again() -> None:
    """A backend that answers every other time stays down."""
    watch = Watch()
    assert await watch.looks(False, True, False, True, False, True, True) == ["down"] * 6 + ["up"]
    assert [up for up, _ in watch.told] == [False, True]


async def test_what_was_heard_too_long_ago_counts_no_more() -> None:
    """A monitor that has not succeeded for three intervals knows nothing; the next look decides again."""
    watch = Watch()
    await watch.looks(True)
    watch.monitor.expire(watch.clock.monotonic() + 30.0)
    assert watch.monitor.health == "up"
    watch.monitor.expire(watch.clock.monotonic() + 31.0)
    watch.monitor.expire(watch.clock.monotonic() + 32.0)
    assert watch.monitor.health == "unknown"
    assert watch.told[1:] == [(False, "nothing was heard of it for 31 s")]
    assert await watch.looks(True) == ["up"]


async def test_a_suspected_backend_is_looked_at_at_once() -> None:
    """Whoever sees a failure need not wait for the next interval."""
    watch = Watch()
    running: asyncio.Task[Any] = asyncio.get_running_loop().create_task(watch.monitor.run())
    try:
        for number in (1, 2):
            async with asyncio.timeout(20):
                await watch.backend.looked.wait()
            assert watch.backend.looks == number
            watch.backend.looked.clear()
            watch.monitor.suspect()
    finally:
        running.cancel()
