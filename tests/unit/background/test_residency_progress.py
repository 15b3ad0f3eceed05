"""What is told of a load while it goes on."""

import asyncio
from collections.abc import Callable

from orchestra_core.background.residency import Residencies
from orchestra_core.domain.catalog import Endpoint, Residency
from tests.fakes.clock import ManualClock
from tests.unit.routing.fleet import spec


class Loader:
    """A load that goes on until `ends` is set, with whoever it tells of it."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.ends = asyncio.Event()
        self.tell: Callable[[str], None]

    async def load(self, model: str, progress: Callable[[str], None]) -> None:
        self.tell = progress
        self.begun.set()
        await self.ends.wait()

    async def unload(self, model: str) -> None:
        raise AssertionError(f"nobody unloads {model}")


async def test_progress_that_comes_late_is_not_shown() -> None:
    """The backend has said in its list that the model is ready: it is not loading again. Since when is known."""
    endpoint, loader, clock = (
        Endpoint(spec("box/m", loadable=True), Residency.ABSENT),
        Loader(),
        ManualClock(),
    )
    async with asyncio.TaskGroup() as tasks:
        residencies = Residencies(
            clock=clock,
            serving=lambda _: (endpoint,),
            beside=lambda _: (endpoint,),
            loader=lambda _: loader,
            free=lambda _: None,
            start=lambda work, _: tasks.create_task(work),
            say=lambda *_: None,
            looked=lambda _: None,
        )
        residencies.operate("load", "m", None)
        begun = clock.monotonic()
        await loader.begun.wait()
        clock.advance(12)
        assert endpoint.changing_since == begun
        loader.tell("loading 10 %")
        assert (endpoint.residency, endpoint.progress) == (Residency.LOADING, "loading 10 %")
        endpoint.residency, endpoint.progress = Residency.READY, ""
        loader.tell("loading 90 %")
        assert endpoint.progress == ""
        loader.ends.set()
    assert (endpoint.residency, endpoint.progress) == (Residency.READY, "")
    assert endpoint.changing_since == 0
