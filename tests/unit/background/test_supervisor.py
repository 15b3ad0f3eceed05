"""Work that somebody waits for and that does not end when they leave."""

import asyncio

import pytest

from orchestra_core.background.supervisor import Supervisor
from orchestra_core.domain.errors import InvalidConfig
from tests.fakes.turns import settle


class Work:
    """Ends when it is let: with an answer, or with this failure."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.go = asyncio.Event()
        self.failure = failure
        self.ended = False

    async def do(self) -> int:
        await self.go.wait()
        self.ended = True
        if self.failure is not None:
            raise self.failure
        return 7


@pytest.mark.parametrize("failure", [None, InvalidConfig("no such key")])
async def test_who_waits_is_told_what_comes_of_it(failure: Exception | None) -> None:
    """The answer, or the failure as it was raised."""
    work = Work(failure)
    work.go.set()
    waiting = Supervisor().finish(work.do(), "work")
    if failure is None:
        assert await waiting == 7
        return
    with pytest.raises(InvalidConfig, match="no such key"):
        await waiting


@pytest.mark.parametrize(
    ("failure", "traced"),
    [(None, False), (InvalidConfig("no such key"), False), (RuntimeError("broken on purpose"), True)],
)
async def test_work_goes_on_when_whoever_waits_leaves(
    failure: Exception | None, traced: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A failure nobody is left to be told of is in the log, with a traceback where it is no answer of ours."""
    supervisor, work = Supervisor(), Work(failure)
    waiting = asyncio.ensure_future(supervisor.finish(work.do(), "the work"))
    await settle(2)
    waiting.cancel()
    await settle(2)
    assert waiting.cancelled()
    work.go.set()
    await settle(4)

    assert work.ended
    assert [record.getMessage() for record in caplog.records] == (
        [] if failure is None else [f"the work failed: {failure}"]
    )
    assert any(record.exc_info for record in caplog.records) is traced


async def test_closing_ends_what_is_begun_on_the_way_out() -> None:
    """Nothing runs on after `close`, whoever started it and when."""
    supervisor, late = Supervisor(), Work()

    async def first() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            supervisor.start(late.do(), "late")

    supervisor.start(first(), "first")
    await settle(2)
    await supervisor.close()
    late.go.set()
    await settle(4)

    assert not late.ended


def test_a_step_that_fails_does_not_starve_those_after_it(caplog: pytest.LogCaptureFixture) -> None:
    """Each is taken by itself; what failed is in the log by its name, with its traceback."""
    taken: list[int] = []
    Supervisor.take({"the first": {}.popitem, "the second": lambda: taken.append(2)})
    assert taken == [2]
    assert [record.getMessage() for record in caplog.records] == ["the first failed"]
    assert caplog.records[0].exc_info is not None
