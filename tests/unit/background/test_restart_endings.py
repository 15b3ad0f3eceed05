"""A restart of which not every model could be stopped."""

import pytest

from orchestra_core.domain.catalog import Residency
from orchestra_core.engine.restarts import Restarts
from tests.fakes.residency_world import endpoint


@pytest.mark.parametrize("stuck", [Residency.READY, Residency.UNLOADING])
async def test_what_was_stopped_is_started_again_and_the_rest_is_told(stuck: Residency) -> None:
    """Nothing that served before stays unloaded because another model would not end in time."""
    ended, left = endpoint("ended", backend="own"), endpoint("left", backend="own")
    left.residency = stuck
    ordered: list[tuple[str, ...]] = []
    said: list[tuple[str, str]] = []
    restarts = Restarts(
        find=lambda _: pytest.fail("nobody is looked for"),
        of=lambda _: (),
        orders=lambda *order: ordered.append(order),  # type: ignore[arg-type]  # what is called of it
        start=lambda *_: None,
        say=lambda kind, _, message, __: said.append((kind, message)),
    )
    # No time at all for their end.
    await restarts._again("own", [ended, left], -60.0)
    assert ordered == [("load", "ended", "own")]
    assert said == [("backend.restart_failed", "own/left could not be stopped")]
