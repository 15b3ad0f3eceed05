"""Fault drills over real sockets: each fault is coped with as if it were real, ends by itself, and is reported."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from tests.fakes.chaos_steps import hang, head, token, whole
from tests.fakes.engine_here import EngineHere
from tests.fakes.turns import settle, until
from tests.integration.faults.conftest import WHOLE_OR_CUT, Stage

Leap = Callable[[float], None]
FIRST, SECOND = "first/m", "second/m"
STREAMS = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
KINDS = pytest.mark.parametrize("kind", ["openai", "ollama", "llamacpp"])


async def begin(engine: EngineHere, fault: str, endpoint: str = FIRST, **more: object) -> dict[str, Any]:
    """A drill that has begun."""
    wish = {"endpoint": endpoint, "fault": fault, "confirm": endpoint, **more}
    answer = await engine.post("/api/v1/drills", wish)
    assert answer.status == 202, answer.text
    return dict(answer.json)


async def report(engine: EngineHere, id: str) -> Mapping[str, Any]:
    """As it is now."""
    listing = (await engine.get("/api/v1/drills")).json
    (found,) = [one for one in (*listing["running"], *listing["reports"]) if one["id"] == id]
    return dict(found)


async def done(engine: EngineHere, id: str, leap: Leap) -> Mapping[str, Any]:
    """When it has ended and everything is well again."""
    while (found := await report(engine, id))["state"] != "done":
        leap(1)
        await settle()
    return found


def graded(found: Mapping[str, Any]) -> dict[str, str]:
    return {one["name"]: one["grade"] for one in found["criteria"]}


@KINDS
@STREAMS
async def test_injected_errors_move_on(stage: Stage, leap: Leap, kind: str, stream: bool) -> None:
    """The other backend answers, nothing reaches the one of the drill, and the ledger says why."""
    engine, first, second = await stage.pair(kind)
    drill = await begin(engine, "errors", status=503)
    answer = await engine.chat(stream=stream)
    assert (answer.status, answer.backend, answer.attempts) == (200, "second", 2)
    assert (len(first.calls), len(second.calls)) == (0, 1)
    (row, *_) = await engine.rows()
    tried = (await engine.attempts(row.id))[0]
    assert (tried.endpoint, tried.status) == (FIRST, 503)
    assert f"injected by drill {drill['id']}" in (tried.message or "")
    leap(31)
    await settle()
    assert (await engine.chat(stream=stream)).backend == "first"
    found = await done(engine, drill["id"], leap)
    assert (found["requests"], found["struck"], found["answered"], found["failovers"]) == (1, 1, 1, 1)
    assert (graded(found)["answered"], found["grade"]) == ("A", "A")


async def test_the_breaker_opens_and_closes_again_and_the_report_says_when(stage: Stage, leap: Leap) -> None:
    """Five failures open it, clients notice nothing, and health probes close it after the end."""
    engine, first, _ = await stage.pair()
    drill = await begin(engine, "errors", seconds=20)
    for _ in range(8):
        assert (await engine.chat()).backend == "second"
    assert engine.breaker("first").state == "open"
    assert not first.calls
    found = await report(engine, drill["id"])
    assert (found["state"], found["failures"], found["requests"]) == ("running", 5, 5)
    for _ in range(30):
        leap(1)
        await settle(100)
    found = await done(engine, drill["id"], leap)
    assert engine.breaker("first").state == "closed"
    assert found["opened_after"] < 1
    assert 0 < found["closed_after"] < 60
    assert 20 <= found["ran"] < 21
    assert found["probes"] > 0
    assert graded(found)["breaker"] == "A"
    assert found["ended_by"] == "its time was over"
    kinds = [event.kind for event in engine.engine.hub.recent if event.kind.startswith("drill")]
    assert kinds == ["drill.started", "drill.ended", "drill.reported"]


@STREAMS
async def test_latency_comes_before_the_first_byte(stage: Stage, leap: Leap, stream: bool) -> None:
    """Nothing is sent until it has passed; the client gets its answer from the same backend, later."""
    engine, first, second = await stage.pair()
    drill = await begin(engine, "latency", latency_ms=3000)
    async with engine.client() as client:
        client.chat(stream=stream)
        await until(lambda: engine.busy() == (1, 0))
        await settle()
        leap(2.5)
        await settle()
        assert not first.calls
        leap(0.6)
        answer = await client.answer()
    assert (answer.status, answer.backend, answer.attempts) == (200, "first", 1)
    assert not second.calls
    (row, *_) = await engine.rows()
    assert row.total_ms > 3000
    assert row.error == f"delay injected by drill {drill['id']}"
    assert (await report(engine, drill["id"]))["p50"] > 3


async def test_a_held_request_goes_on_when_the_drill_ends(stage: Stage, leap: Leap) -> None:
    """Silence ends like that of a server that was frozen: the request arrives, and its client has lost nothing."""
    engine, first, second = await stage.pair()
    drill = await begin(engine, "silence", seconds=10)
    async with engine.client() as client:
        client.chat(stream=True)
        await until(lambda: engine.busy() == (1, 0))
        leap(9)
        await settle()
        assert not first.calls
        leap(1.1)
        answer = await client.answer()
    assert (answer.backend, answer.done, len(second.calls)) == ("first", True, 0)
    found = await done(engine, drill["id"], leap)
    assert (found["answered"], found["lost"], found["pending"]) == (1, 0, 0)


async def test_silence_is_ended_by_the_limit_for_first_tokens(
    stage: Stage, later: Callable[[float], Awaitable[None]]
) -> None:
    """As with a server that says nothing: the other backend is asked, and nobody pays for what was never sent."""
    prices = "[models.m]\nmemory = '4GB'\ncost_per_million_input = 1000.0\ncost_per_million_output = 1000.0\n"
    engine, first, _ = await stage.pair(more=prices)
    await begin(engine, "silence", seconds=300)
    async with engine.client() as client:
        client.chat(stream=True)
        await until(lambda: engine.busy() == (1, 0))
        await later(121)
        answer = await client.answer()
    assert (answer.done, len(first.calls)) == (True, 0)
    (row, *_) = await engine.rows()
    silent, answered = await engine.attempts(row.id)
    assert "no first token within 120 s" in (silent.message or "")
    assert "injected by drill" in (silent.message or "")
    assert (silent.cost, silent.tokens_in) == (0.0, 0)
    assert (answered.endpoint, answered.verdict) == (SECOND, "success")
    assert answered.cost


@pytest.mark.parametrize("kind", ["openai", "ollama"])
async def test_a_cut_comes_after_so_many_tokens(stage: Stage, leap: Leap, kind: str) -> None:
    """What arrived stays, the stream ends with an error, and the report names what was lost."""
    engine, first, second = await stage.pair(kind, WHOLE_OR_CUT)
    first.well = [head(), *(token() for _ in range(8)), hang()]
    drill = await begin(engine, "cut", after_tokens=4)
    answer = await engine.chat(stream=True)
    assert answer.content == "first-1 first-2 first-3 first-4 "
    assert answer.error["code"] == "interrupted"
    await first.calls[0].gone.wait()
    assert not second.calls
    found = await done(engine, drill["id"], lambda _: leap(30))
    assert (found["lost"], found["grade"]) == (1, "F")
    (row, *_) = await engine.rows()
    assert found["lost_ids"] == [row.id]
    assert f"injected by drill {drill['id']}" in (row.error or "")


async def test_an_answer_in_one_piece_is_cut_in_the_middle(stage: Stage, leap: Leap) -> None:
    """Nothing of it was shown, so another backend answers; an answer after the drill is whole again."""
    engine, first, second = await stage.pair()
    first.well = [whole("a b c d e f g h")]
    await begin(engine, "cut", seconds=5)
    answer = await engine.chat()
    assert (answer.backend, answer.attempts) == ("second", 2)
    (row, *_) = await engine.rows()
    assert "the connection was cut" in str((await engine.attempts(row.id))[0].message)
    leap(6)
    await settle()
    assert (await engine.chat()).content == "a b c d e f g h"
    assert len(second.calls) == 1


async def test_an_answer_shorter_than_the_cut_is_whole(stage: Stage) -> None:
    """A stream of three tokens is not cut after ten, and its connection serves the next request."""
    engine, first, _ = await stage.pair()
    await begin(engine, "cut", after_tokens=50)
    for _ in range(3):
        answer = await engine.chat(stream=True)
        assert (answer.backend, answer.done) == ("first", True)
    assert len(first.calls) == 3


async def test_who_leaves_is_not_counted_as_lost(stage: Stage) -> None:
    """A client that gives up during the silence is its own doing."""
    engine, _, _ = await stage.pair()
    drill = await begin(engine, "silence")
    async with engine.client() as client:
        client.chat(stream=True)
        await until(lambda: engine.busy() == (1, 0))
        assert (await report(engine, drill["id"]))["pending"] == 1
    await engine.idle()
    found = await report(engine, drill["id"])
    assert (found["left"], found["lost"], found["pending"]) == (1, 0, 0)


async def test_with_nobody_else_clients_are_refused_and_that_is_counted(stage: Stage, leap: Leap) -> None:
    """The only endpoint of a model: failures are lost requests, and those the open breaker refuses count too."""
    alone = await stage.backend("first")
    engine = await stage.engine(alone)
    drill = await begin(engine, "errors", seconds=60)
    for _ in range(12):
        assert (await engine.chat()).status >= 500
    found = await report(engine, drill["id"])
    assert found["lost"] + found["refused"] == 12
    assert found["refused"] > 0
    assert (graded(found)["answered"], found["grade"]) == ("F", "F")
    assert not alone.calls


async def test_own_traffic_makes_something_to_grade(stage: Stage, leap: Leap) -> None:
    """Small prompts of the drill's own, as many a second as it wished; they end with it."""
    engine, first, second = await stage.pair()
    drill = await begin(engine, "errors", seconds=5, share=0.5, traffic=10)
    for _ in range(60):
        leap(0.1)
        await settle(60)
    found = await done(engine, drill["id"], leap)
    assert found["requests"] >= 10
    assert found["answered"] == found["requests"]
    asked = len(first.calls) + len(second.calls)
    leap(5)
    await settle()
    assert len(first.calls) + len(second.calls) == asked
    assert {row.surface for row in await engine.rows()} == {"drill"}


async def test_own_traffic_goes_on_until_the_endpoint_is_well(stage: Stage, leap: Leap) -> None:
    """Where tokens cost money no health probe is made: the drill's own requests close the breaker, and then end."""
    prices = "[models.m]\nmemory = '4GB'\ncost_per_million_input = 2.0\ncost_per_million_output = 3.0\n"
    alone = await stage.backend("first")
    engine = await stage.engine(alone, more=prices)
    drill = await begin(engine, "errors", seconds=5, traffic=5)
    for _ in range(300):
        leap(0.2)
        await settle(60)
    found = await done(engine, drill["id"], leap)
    assert (found["failures"], found["probes"]) == (5, 0)
    assert found["closed_after"] > 0
    asked = len(alone.calls)
    leap(5)
    await settle()
    assert len(alone.calls) == asked > 0


async def test_without_traffic_nothing_is_graded(stage: Stage, leap: Leap) -> None:
    """The report says so, and how to have some."""
    engine, _, _ = await stage.pair()
    drill = await begin(engine, "silence", seconds=5)
    leap(5.1)
    found = await done(engine, drill["id"], leap)
    assert (found["requests"], found["grade"], found["criteria"]) == (0, "", [])
    assert "nothing to grade" in found["hint"]


async def test_times_are_compared_with_those_before(stage: Stage, leap: Leap) -> None:
    """The endpoint's own answers of the minutes before are what the delayed ones are measured against."""
    engine, _, _ = await stage.pair()
    for _ in range(12):
        await engine.chat()
    await engine.rows()
    drill = await begin(engine, "latency", latency_ms=2000, seconds=60)
    await until(lambda: engine.engine.drills.views[0].id == drill["id"])
    for _ in range(10):
        async with engine.client() as client:
            client.chat()
            await until(lambda: engine.busy() == (1, 0))
            leap(2.1)
            await client.answer()
    found = await report(engine, drill["id"])
    assert (found["before"], found["timed"]) == (12, 10)
    assert found["before_p95"] < 2 < found["p50"]
    assert graded(found)["latency"] == "F"
