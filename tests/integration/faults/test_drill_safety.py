"""What a fault drill may not do: begin unconfirmed, last longer than asked, outlive its engine, cost who has none."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.engine_here import EngineHere
from tests.fakes.turns import settle, until
from tests.integration.faults.conftest import Stage
from tests.integration.faults.test_fault_drills import FIRST, SECOND, begin, report

Leap = Callable[[float], None]


@pytest.mark.parametrize("confirm", ["", "second/m", "FIRST/m", "first"])
async def test_a_real_endpoint_takes_its_name_again(stage: Stage, confirm: str) -> None:
    """Without it, or with another, nothing is begun, and the refusal says what to type."""
    engine, first, _ = await stage.pair()
    answer = await engine.post("/api/v1/drills", {"endpoint": FIRST, "fault": "errors", "confirm": confirm})
    assert (answer.status, answer.error["code"]) == (409, "confirmation_needed")
    assert "'first/m'" in answer.error["message"]
    assert not engine.snapshot().drills
    assert (await engine.chat()).backend == "first"
    assert len(first.calls) == 1


@pytest.mark.parametrize(
    ("wish", "status", "words"),
    [
        ({}, 400, "endpoint"),
        ({"endpoint": FIRST}, 400, "fault"),
        ({"endpoint": FIRST, "fault": "fire"}, 400, "latency, errors, silence, cut"),
        ({"endpoint": "frist/m", "fault": "cut"}, 404, "did you mean first/m"),
        ({"endpoint": FIRST, "fault": "cut", "seconds": 4}, 400, "seconds"),
        ({"endpoint": FIRST, "fault": "cut", "seconds": 601}, 400, "seconds"),
        ({"endpoint": FIRST, "fault": "cut", "share": 0}, 400, "share"),
        ({"endpoint": FIRST, "fault": "cut", "share": 1.1}, 400, "share"),
        ({"endpoint": FIRST, "fault": "cut", "after_tokens": -1}, 400, "after_tokens"),
        ({"endpoint": FIRST, "fault": "cut", "status": 500}, 400, "belongs to a drill of errors"),
        ({"endpoint": FIRST, "fault": "errors", "status": 404}, 400, "allowed: 429, 500"),
        ({"endpoint": FIRST, "fault": "latency", "latency_ms": 90_000}, 400, "latency_ms"),
        ({"endpoint": FIRST, "fault": "latency", "latency_ms": 10, "jitter_ms": 20}, 400, "jitter_ms"),
        ({"endpoint": FIRST, "fault": "silence", "traffic": 21}, 400, "traffic"),
        ({"endpoint": FIRST, "fault": "silence", "durations": 5}, 400, "durations"),
    ],
)
async def test_what_makes_no_drill_is_refused_with_the_field(
    stage: Stage, wish: dict[str, object], status: int, words: str
) -> None:
    """Also as a plan, and nothing is begun."""
    engine, _, _ = await stage.pair()
    for dry in ({}, {"dry_run": True}):
        answer = await engine.post("/api/v1/drills", {**wish, "confirm": FIRST, **dry})
        assert answer.status == status
        assert words in answer.error["message"]
    assert not engine.snapshot().drills


async def test_one_drill_at_an_endpoint(stage: Stage) -> None:
    """A second one there is refused while the first runs; another endpoint may have its own."""
    engine, _, _ = await stage.pair()
    await begin(engine, "errors")
    wish = {"endpoint": FIRST, "fault": "cut", "confirm": FIRST}
    answer = await engine.post("/api/v1/drills", wish)
    assert (answer.status, answer.error["code"]) == (409, "drill_running")
    await begin(engine, "silence", SECOND)
    assert [view.endpoint for view in engine.snapshot().drills] == [FIRST, SECOND]


async def test_nobody_takes_it_for_a_real_fault(stage: Stage) -> None:
    """The snapshot has it with its remaining time, a notice says it first, events tell of it."""
    engine, _, _ = await stage.pair()
    drill = await begin(engine, "errors", share=0.5, seconds=30)
    (view,) = engine.snapshot().drills
    assert (view.id, view.endpoint, view.fault, view.state) == (drill["id"], FIRST, "errors", "running")
    assert 29 < view.remaining <= 30
    assert (
        f"fault drill {drill['id']} on first/m: HTTP 500 to 50% of the calls" in engine.snapshot().notices[0]
    )
    (told,) = engine.told("drill.started")
    assert drill["id"] in told


async def test_stopped_by_hand_it_is_over_at_once(stage: Stage) -> None:
    """The next request is answered as always, who held is let go, and who stopped it is said."""
    engine, first, _ = await stage.pair()
    drill = await begin(engine, "silence")
    async with engine.client() as client:
        client.chat()
        await until(lambda: engine.busy() == (1, 0))
        assert (await engine.post(f"/api/v1/drills/{drill['id']}/stop", {})).status == 200
        assert (await client.answer()).backend == "first"
    assert (await engine.chat()).attempts == 1
    assert len(first.calls) == 2
    assert (await report(engine, drill["id"]))["ended_by"].startswith("stopped by ")
    unknown = await engine.post("/api/v1/drills/d-none/stop", {})
    assert (unknown.status, unknown.error["code"]) == (404, "drill_not_found")


async def test_a_late_timer_makes_it_no_longer(stage: Stage, leap: Leap) -> None:
    """What begins after its time is let alone, even before anybody has ended the drill."""
    engine, first, _ = await stage.pair()
    await begin(engine, "errors", seconds=5)
    (injected,) = engine.engine.execution.drills.values()
    leap(5)
    engine.engine.execution.drills[FIRST] = injected
    assert (await engine.chat()).backend == "first"
    assert len(first.calls) == 1


async def test_an_engine_that_stops_ends_it_and_another_has_its_report(stage: Stage, tmp_path: Path) -> None:
    """Held requests go on within the grace; the next engine has no drill, and knows what was observed of it."""
    first = await stage.backend("first")
    async with EngineHere(tmp_path, [first]) as engine:
        drill = await begin(engine, "silence", seconds=600)
        async with engine.client() as client:
            client.chat()
            await until(lambda: engine.busy() == (1, 0))
            stopping = asyncio.ensure_future(engine.engine.stop())
            assert (await client.answer()).backend == "first"
            await stopping
        assert not engine.engine.execution.drills
        running, (left,) = engine.engine.drills.all()
        assert (running, left.id, left.ended_by) == ([], drill["id"], "the engine stopped")
        engine.engine, other = EngineHere(tmp_path, [first]).engine, engine.engine
        assert other is not engine.engine
        await engine.engine.start()
        told = (await engine.get("/api/v1/drills")).json
        assert (told["running"], [one["id"] for one in told["reports"]]) == ([], [drill["id"]])
        assert told["reports"][0]["requests"] == 1
        assert not engine.engine.execution.drills


async def test_an_endpoint_that_leaves_takes_its_drill_along(stage: Stage, leap: Leap) -> None:
    """Its backend is removed from the configuration: the drill ends and says why."""
    engine, _, second = await stage.pair()
    drill = await begin(engine, "errors")
    await engine.reload(engine.file.read_text().replace('name = "first"', 'name = "third"'))
    leap(1)
    await until(lambda: not engine.engine.execution.drills)
    assert (await report(engine, drill["id"]))["ended_by"] == "its endpoint is gone"
    assert second is not None


async def test_without_a_drill_nothing_is_in_the_way(stage: Stage, leap: Leap) -> None:
    """Before and after it an attempt finds an empty dict, and who is told of requests is who always was."""
    engine, _, _ = await stage.pair()
    service, execution = engine.engine.pipeline.service, engine.engine.execution
    complete, refused = service.complete, service.refused
    assert not execution.drills
    drill = await begin(engine, "errors", seconds=5)
    assert execution.drills
    assert service.complete != complete
    leap(6)
    await settle()
    leap(1)
    await until(lambda: not engine.snapshot().drills)
    assert (await report(engine, drill["id"]))["state"] == "done"
    await until(lambda: service.complete == complete)
    assert not execution.drills
    assert service.refused is refused


async def test_the_plan_says_where_money_may_go(stage: Stage) -> None:
    """With a dry run nothing begins, and endpoints with a price that may take over are named."""
    engine = await priced(stage)
    wish = {"endpoint": FIRST, "fault": "silence", "dry_run": True}
    plan = (await engine.post("/api/v1/drills", wish)).json
    assert (plan["confirm"], plan["simulated"], plan["others"]) == (FIRST, False, [SECOND])
    assert "requests that go elsewhere may be paid at second/m (2/3 USD)" in plan["cost"]
    assert not engine.snapshot().drills


async def test_what_is_spent_elsewhere_is_in_the_report(stage: Stage) -> None:
    """The attempts that failed over are paid, and the report has the sum."""
    engine = await priced(stage)
    drill = await begin(engine, "errors")
    assert (await engine.chat()).backend == "second"
    found = await report(engine, drill["id"])
    (row, *_) = await engine.rows()
    assert row.cost is not None
    assert row.cost > 0
    assert found["spent"] == pytest.approx(row.cost)
    assert "USD spent there" in {one["name"]: one["says"] for one in found["criteria"]}["retries"]


async def priced(stage: Stage) -> EngineHere:
    prices = "[models.m]\nmemory = '4GB'\ncost_per_million_input = 2.0\ncost_per_million_output = 3.0\n"
    return (await stage.pair(more=prices))[0]
