"""How traffic went, as an engine tells it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest

from orchestra_core.domain.series import SeriesView
from tests.fakes.chaos import ChaosBackend
from tests.fakes.chaos_steps import refusal, well
from tests.fakes.engine_here import EngineHere
from tests.fakes.leaping_loop import LeapingLoop
from tests.fakes.turns import until


@contextlib.asynccontextmanager
async def running(home: Path) -> AsyncIterator[tuple[EngineHere, ChaosBackend]]:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(asyncio.timeout(90))
        box = ChaosBackend("box", "openai")
        box.well = well()
        await stack.enter_async_context(box)
        yield await stack.enter_async_context(EngineHere(home, [box])), box


async def told(engine: EngineHere, query: str) -> SeriesView:
    answer = await engine.get(f"/api/v1/series{query}")
    assert answer.status == 200, answer.text
    return msgspec.convert(answer.json, SeriesView)


def total(column: Sequence[int | None]) -> int:
    return sum(filter(None, column))


def test_what_ended_is_in_the_series(tmp_path: Path) -> None:
    """Requests, failures and tokens in the seconds they ended in, for all and by backend, and since when."""

    async def story() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, LeapingLoop)
        async with running(tmp_path) as (here, box):
            assert (await here.chat()).status == 200
            box.script(*refusal(400, "no"))
            assert (await here.chat()).status == 400
            loop.leap(25)
            traffic = here.engine.traffic
            await until(lambda: total(traffic.series("24h", None, 8).whole.requests) == 2)

            view = await told(here, "?window=24h&by=backend")

            assert (view.step, view.spread_step, view.window, view.by) == (1, 10, "24h", "backend")
            assert len(view.whole.requests) in (25, 26)
            assert view.since < view.until
            assert total(view.whole.failures) == 1
            (row,) = view.rows
            assert (view.row_step, row.name, row.requests) == (10, "box", (2, 0))
            assert total(row.tokens_out) == sum(one.tokens_out for one in await here.rows()) > 0
            (waited,) = filter(None, view.whole.latency.p99)
            assert 0 < waited < 60

    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        runner.run(story())


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("?window=2h", "window"),
        ("?by=key", "by"),
        ("?top=0", "top"),
        ("?top=17", "top"),
        ("?since=1h", "since"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(tmp_path: Path, query: str, param: str) -> None:
    """400, and it says what is allowed."""
    async with running(tmp_path) as (here, _):
        answer = await here.get(f"/api/v1/series{query}")
        assert (answer.status, answer.json["error"]["param"]) == (400, param)
        assert (
            "allowed" in answer.json["error"]["message"] or "from 1 to 16" in answer.json["error"]["message"]
        )
